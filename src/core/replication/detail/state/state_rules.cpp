#include "core/replication/detail/state/state_rules.h"

#include <array>

namespace bascule::replication::detail {
namespace {

using drbd::ConnectionState;
using drbd::DiskState;
using drbd::Role;
using drbd::StateWord;
using Result = drbd::StateChangeResult;
using enum drbd::ConnectionState;

bool verifies(ConnectionState state) { return state == VerifyS || state == VerifyT; }
bool starts_sync(ConnectionState state) { return state == StartingSyncS || state == StartingSyncT; }
bool failed_lately(ConnectionState state) { return state >= Timeout && state <= TearDown; }
bool becomes(const StateWord& from, const StateWord& to, ConnectionState state) {
  return to.connection == state && from.connection != state;
}

// ---- steps that can never be (section 5.1) ----------------------------------------------------------------------

bool leaves_stand_alone_otherwise(const StateWord& from, const StateWord& to, const RuleFacts&) {
  return from.connection == StandAlone && to.connection > Disconnecting && to.connection != Unconnected;
}
bool skips_the_handshake(const StateWord& from, const StateWord& to, const RuleFacts&) {
  return from.connection < WFReportParams && to.connection >= Connected;
}
bool leaves_failure_otherwise(const StateWord& from, const StateWord& to, const RuleFacts&) {
  return failed_lately(from.connection) && to.connection != from.connection && to.connection != Unconnected &&
         to.connection != Disconnecting;
}
bool leaves_disconnecting_otherwise(const StateWord& from, const StateWord& to, const RuleFacts&) {
  return from.connection == Disconnecting && to.connection != Disconnecting && to.connection != StandAlone;
}
bool disconnects_when_stand_alone(const StateWord& from, const StateWord& to, const RuleFacts&) {
  return from.connection == StandAlone && to.connection == Disconnecting;
}
bool detaches_when_diskless(const StateWord& from, const StateWord& to, const RuleFacts&) {
  return from.disk == DiskState::Diskless && to.disk == DiskState::Failed;
}

constexpr std::array<StateRule, 6> hard_rules{{
    {"disconnects_when_stand_alone", "5.3 Disconnecting from StandAlone", Result::AlreadyStandAlone,
     disconnects_when_stand_alone},
    {"leaves_stand_alone_otherwise", "5.1 StandAlone -> Unconnected only", Result::NeedConnection,
     leaves_stand_alone_otherwise},
    {"skips_the_handshake", "5.1 below WFReportParams never to Connected", Result::NeedConnection, skips_the_handshake},
    {"leaves_failure_otherwise", "5.1 Timeout..TearDown -> Unconnected or Disconnecting", Result::InTransientState,
     leaves_failure_otherwise},
    {"leaves_disconnecting_otherwise", "5.1 Disconnecting -> StandAlone only", Result::InTransientState,
     leaves_disconnecting_otherwise},
    {"detaches_when_diskless", "5.1 no failure without a disk", Result::IsDiskless, detaches_when_diskless},
}};

// ---- states that are refused (section 5.3, in this order) -------------------------------------------------------

bool both_primary(const StateWord&, const StateWord& to, const RuleFacts& facts) {
  return to.role == Role::Primary && to.peer == Role::Primary && !facts.two_primaries;
}
bool secondary_while_open(const StateWord&, const StateWord& to, const RuleFacts& facts) {
  return to.role == Role::Secondary && facts.device_open;
}
bool primary_alone_without_data(const StateWord&, const StateWord& to, const RuleFacts&) {
  return to.role == Role::Primary && to.connection < Connected && to.disk < DiskState::UpToDate;
}
bool primary_without_fenced_peer(const StateWord&, const StateWord& to, const RuleFacts& facts) {
  return facts.fencing && to.role == Role::Primary && to.connection < Connected && to.peer_disk >= DiskState::DUnknown;
}
bool primary_with_inconsistent_disks(const StateWord&, const StateWord& to, const RuleFacts&) {
  return to.role == Role::Primary && to.disk <= DiskState::Inconsistent && to.peer_disk <= DiskState::Inconsistent;
}
bool resync_without_own_disk(const StateWord&, const StateWord& to, const RuleFacts&) {
  return to.connection > Connected && to.disk < DiskState::Inconsistent;
}
bool resync_without_peer_disk(const StateWord&, const StateWord& to, const RuleFacts&) {
  return to.connection > Connected && to.peer_disk < DiskState::Inconsistent;
}
bool resync_without_good_data(const StateWord&, const StateWord& to, const RuleFacts&) {
  return to.connection > Connected && to.disk < DiskState::UpToDate && to.peer_disk < DiskState::UpToDate;
}
bool connected_while_outdated(const StateWord&, const StateWord& to, const RuleFacts&) {
  const bool listed = to.connection == Connected || to.connection == WFBitMapS || to.connection == SyncSource ||
                      to.connection == PausedSyncS;
  return listed && to.disk == DiskState::Outdated;
}
bool verify_without_algorithm(const StateWord&, const StateWord& to, const RuleFacts& facts) {
  return verifies(to.connection) && !facts.verify_algorithm;
}
bool verify_with_old_peer(const StateWord&, const StateWord& to, const RuleFacts& facts) {
  return verifies(to.connection) && facts.agreed_version < 88;
}
bool primary_without_data(const StateWord&, const StateWord& to, const RuleFacts&) {
  return to.role == Role::Primary && to.disk < DiskState::UpToDate && to.peer_disk < DiskState::UpToDate;
}
bool sync_with_unknown_peer_disk(const StateWord&, const StateWord& to, const RuleFacts&) {
  return starts_sync(to.connection) && to.peer_disk == DiskState::DUnknown;
}
bool connected_with_unknown_peer_disk(const StateWord&, const StateWord& to, const RuleFacts&) {
  return to.connection >= Connected && to.peer_disk == DiskState::DUnknown;
}

constexpr std::array<StateRule, 14> refusals{{
    {"both_primary", "5.3 both Primary, two-primaries off", Result::TwoPrimaries, both_primary},
    {"secondary_while_open", "5.3 Secondary while the device is open", Result::DeviceInUse, secondary_while_open},
    {"primary_alone_without_data", "5.3 Primary, not connected, disk < UpToDate", Result::NoUpToDateDisk,
     primary_alone_without_data},
    {"primary_without_fenced_peer", "5.3 fencing, Primary, not connected, pdsk >= DUnknown", Result::PrimaryNotOutdated,
     primary_without_fenced_peer},
    {"primary_with_inconsistent_disks", "5.3 Primary, both disks <= Inconsistent", Result::NoUpToDateDisk,
     primary_with_inconsistent_disks},
    {"resync_without_own_disk", "5.3 above Connected, own disk < Inconsistent", Result::NoLocalDisk,
     resync_without_own_disk},
    {"resync_without_peer_disk", "5.3 above Connected, peer disk < Inconsistent", Result::NoRemoteDisk,
     resync_without_peer_disk},
    {"resync_without_good_data", "5.3 above Connected, neither UpToDate", Result::NoUpToDateDisk,
     resync_without_good_data},
    {"connected_while_outdated", "5.3 Connected or source with an Outdated disk", Result::ConnectedOutdates,
     connected_while_outdated},
    {"verify_without_algorithm", "5.3 verify without verify-alg", Result::NoVerifyAlgorithm, verify_without_algorithm},
    {"verify_with_old_peer", "5.3 verify below protocol 88", Result::NotSupported, verify_with_old_peer},
    {"primary_without_data", "5.3 Primary, neither UpToDate", Result::NoUpToDateDisk, primary_without_data},
    {"sync_with_unknown_peer_disk", "5.3 StartingSync, pdsk DUnknown", Result::NeedConnection,
     sync_with_unknown_peer_disk},
    {"connected_with_unknown_peer_disk", "5.3 Connected, pdsk DUnknown", Result::ConnectedOutdates,
     connected_with_unknown_peer_disk},
}};

// ---- steps that are refused unless forced (section 5.3, second part) --------------------------------------------

bool sync_while_busy(const StateWord& from, const StateWord& to, const RuleFacts&) {
  return starts_sync(to.connection) && from.connection > Connected && from.connection != to.connection;
}
bool leaves_diskless_otherwise(const StateWord& from, const StateWord& to, const RuleFacts&) {
  return from.disk == DiskState::Diskless && to.disk > DiskState::Attaching;
}
bool connects_without_configuration(const StateWord& from, const StateWord& to, const RuleFacts& facts) {
  return becomes(from, to, WFConnection) && (from.connection < Unconnected || !facts.network_configured);
}
bool outdates_worse_disk(const StateWord& from, const StateWord& to, const RuleFacts&) {
  return to.disk == DiskState::Outdated && from.disk < DiskState::Outdated && from.disk != DiskState::Attaching;
}
bool disconnects_when_unconnected(const StateWord& from, const StateWord& to, const RuleFacts&) {
  return from.connection == Unconnected && to.connection == Disconnecting;
}
bool changes_during_handshake(const StateWord& from, const StateWord& to, const RuleFacts& facts) {
  return facts.handshaking && from.connection == WFReportParams && to.connection == WFReportParams;
}
bool promotes_before_forced_resync(const StateWord& from, const StateWord& to, const RuleFacts& facts) {
  return facts.forced_resync && from.role != Role::Primary && to.role == Role::Primary;
}
bool verifies_unconnected(const StateWord& from, const StateWord& to, const RuleFacts&) {
  return verifies(to.connection) && from.connection < Connected;
}
bool verifies_while_busy(const StateWord& from, const StateWord& to, const RuleFacts&) {
  return verifies(to.connection) && from.connection > Connected && from.connection != to.connection;
}
bool sync_unconnected(const StateWord& from, const StateWord& to, const RuleFacts&) {
  return starts_sync(to.connection) && from.connection < Connected;
}
bool sync_before_handshake(const StateWord& from, const StateWord& to, const RuleFacts&) {
  return (to.connection == SyncSource || to.connection == SyncTarget) && from.connection < WFReportParams;
}
bool outdates_unconnected_peer(const StateWord& from, const StateWord& to, const RuleFacts&) {
  return to.connection == Disconnecting && to.peer_disk == DiskState::Outdated &&
         from.peer_disk != DiskState::Outdated && from.connection < Connected;
}

constexpr std::array<StateRule, 12> soft_rules{{
    {"sync_while_busy", "5.3 StartingSync above Connected", Result::ResyncRunning, sync_while_busy},
    {"leaves_diskless_otherwise", "5.3 Diskless left by attach only", Result::IsDiskless, leaves_diskless_otherwise},
    {"connects_without_configuration", "5.3 WFConnection without net", Result::NoNetworkConfiguration,
     connects_without_configuration},
    {"outdates_worse_disk", "5.3 Outdated from below Outdated", Result::LowerThanOutdated, outdates_worse_disk},
    {"disconnects_when_unconnected", "5.3 Disconnecting from Unconnected", Result::InTransientState,
     disconnects_when_unconnected},
    {"changes_during_handshake", "5.3 no change during the handshake", Result::InTransientState,
     changes_during_handshake},
    {"promotes_before_forced_resync", "5.3 promote during a forced promotion's handshake", Result::InTransientState,
     promotes_before_forced_resync},
    {"verifies_unconnected", "5.3 Verify when not connected", Result::NeedConnection, verifies_unconnected},
    {"verifies_while_busy", "5.3 Verify when busy", Result::ResyncRunning, verifies_while_busy},
    {"sync_unconnected", "5.3 StartingSync not connected", Result::NeedConnection, sync_unconnected},
    {"sync_before_handshake", "5.3 Sync from below WFReportParams", Result::NeedConnection, sync_before_handshake},
    {"outdates_unconnected_peer", "5.3 graceful disconnect with outdating, not connected",
     Result::OutdateNeedsConnection, outdates_unconnected_peer},
}};

const StateRule* first_broken(std::span<const StateRule> rules, const StateWord& from, const StateWord& to,
                              const RuleFacts& facts) {
  for (const StateRule& rule : rules)
    if (rule.broken(from, to, facts)) return &rule;
  return nullptr;
}

ChangeVerdict refuse(const StateRule& rule, const StateWord& state) { return {rule.result, rule.name, state}; }

}  // namespace

std::span<const StateRule> hard_transition_rules() { return hard_rules; }
std::span<const StateRule> state_rules() { return refusals; }
std::span<const StateRule> soft_transition_rules() { return soft_rules; }

ChangeVerdict request_change(const StateWord& from, const StateWord& to, const RuleFacts& facts, bool hard) {
  StateWord wanted = to;
  for (const StateImplication& implication : state_implications()) implication.apply(from, wanted, facts);
  if (wanted == from) return {Result::NothingToDo, "", from};
  if (const StateRule* rule = first_broken(hard_rules, from, wanted, facts)) return refuse(*rule, from);
  if (hard) return {Result::Success, "", wanted};
  const StateRule* invalid = first_broken(refusals, from, wanted, facts);
  const StateRule* was_invalid = first_broken(refusals, from, from, facts);
  const bool same = invalid != nullptr && was_invalid != nullptr && invalid->result == was_invalid->result;
  if (invalid != nullptr && !same) return refuse(*invalid, from);
  if (const StateRule* rule = first_broken(soft_rules, from, wanted, facts)) return refuse(*rule, from);
  return {Result::Success, "", wanted};
}

}  // namespace bascule::replication::detail
