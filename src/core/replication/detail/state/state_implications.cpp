#include <algorithm>
#include <array>

#include "core/replication/detail/state/state_rules.h"

namespace bascule::replication::detail {
namespace {

using drbd::ConnectionState;
using drbd::DiskState;
using drbd::Role;
using drbd::StateWord;
using Result = drbd::StateChangeResult;
using enum drbd::ConnectionState;

// ---- what follows from a wanted state (section 5.2, in this order) ----------------------------------------------

void forget_the_peer(const StateWord&, StateWord& to, const RuleFacts&) {
  if (to.connection >= Connected) return;
  to.peer = Role::Unknown;
  to.resync_paused_by_peer = false;
  if (to.peer_disk > DiskState::DUnknown || to.peer_disk < DiskState::Inconsistent) to.peer_disk = DiskState::DUnknown;
}

void forget_dependencies(const StateWord&, StateWord& to, const RuleFacts&) {
  if (to.connection == StandAlone && to.disk == DiskState::Diskless && to.role == Role::Secondary)
    to.resync_paused_by_dependency = false;
}

void abort_resync_without_disks(const StateWord& from, StateWord& to, const RuleFacts&) {
  if (from.connection <= Connected || to.connection <= Connected) return;
  if (to.disk <= DiskState::Failed || to.peer_disk <= DiskState::Failed) to.connection = Connected;
}

void end_negotiation_without_peer(const StateWord& from, StateWord& to, const RuleFacts& facts) {
  if (to.connection >= Connected || from.disk != DiskState::Negotiating || to.disk != DiskState::Negotiating) return;
  to.disk = facts.exposed_is_own ? DiskState::Consistent : DiskState::Diskless;
}

void trust_connected_disks(const StateWord& from, StateWord& to, const RuleFacts&) {
  if (to.connection < Connected || to.connection >= Ahead || from.connection >= Connected) return;
  const auto open = [](DiskState disk) { return disk == DiskState::Consistent || disk == DiskState::Outdated; };
  if (open(to.disk)) to.disk = DiskState::UpToDate;
  if (open(to.peer_disk)) to.peer_disk = DiskState::UpToDate;
}

void clamp_disks_to_resync(const StateWord&, StateWord& to, const RuleFacts&) {
  // No disk becomes usable by decree: one that is below stays there, and the rules refuse.
  const auto clamp = [](DiskState disk, DiskState low, DiskState high) {
    return disk <= DiskState::Failed || disk < low ? disk : std::clamp(disk, low, high);
  };
  switch (to.connection) {
    case StartingSyncT:
    case WFBitMapT:
    case WFSyncUUID:
    case PausedSyncT:
    case Behind:
      to.disk = clamp(to.disk, DiskState::Inconsistent, DiskState::Outdated);
      to.peer_disk = DiskState::UpToDate;
      break;
    case SyncTarget:
      to.disk = DiskState::Inconsistent;
      to.peer_disk = DiskState::UpToDate;
      break;
    case StartingSyncS:
    case WFBitMapS:
    case PausedSyncS:
    case Ahead:
      to.peer_disk = clamp(to.peer_disk, DiskState::Inconsistent, DiskState::Consistent);
      break;
    case SyncSource:
      to.peer_disk = DiskState::Inconsistent;
      break;
    default:
      break;
  }
}

void suspend_for_fencing(const StateWord& from, StateWord& to, const RuleFacts& facts) {
  const bool lost = from.connection >= Connected && to.connection < Connected;
  if (facts.fencing_suspends && to.role == Role::Primary && lost && to.peer_disk > DiskState::Outdated)
    to.suspended_fencing = true;
}

void suspend_without_data(const StateWord& from, StateWord& to, const RuleFacts& facts) {
  const auto has_data = [](const StateWord& state) {
    return state.disk == DiskState::UpToDate || state.peer_disk == DiskState::UpToDate;
  };
  if (facts.suspends_without_data && to.role == Role::Primary && from.role == Role::Primary && has_data(from) &&
      !has_data(to))
    to.suspended_no_data = true;
}

void pause_or_go_on(const StateWord&, StateWord& to, const RuleFacts&) {
  const bool paused = to.resync_paused_by_user || to.resync_paused_by_peer || to.resync_paused_by_dependency;
  if (paused && to.connection == SyncSource) to.connection = PausedSyncS;
  if (paused && to.connection == SyncTarget) to.connection = PausedSyncT;
  if (!paused && to.connection == PausedSyncS) to.connection = SyncSource;
  if (!paused && to.connection == PausedSyncT) to.connection = SyncTarget;
}

constexpr std::array<StateImplication, 9> implications{{
    {"forget_the_peer", forget_the_peer},
    {"forget_dependencies", forget_dependencies},
    {"abort_resync_without_disks", abort_resync_without_disks},
    {"end_negotiation_without_peer", end_negotiation_without_peer},
    {"trust_connected_disks", trust_connected_disks},
    {"clamp_disks_to_resync", clamp_disks_to_resync},
    {"suspend_for_fencing", suspend_for_fencing},
    {"suspend_without_data", suspend_without_data},
    {"pause_or_go_on", pause_or_go_on},
}};

struct Words {
  Result result;
  const char* text;
};
constexpr std::array<Words, 25> words{{
    {Result::NoClusterChangeNeeded, "the peer need not be asked"},
    {Result::ClusterSuccess, "the peer agrees"},
    {Result::NothingToDo, "it is so already"},
    {Result::Success, "done"},
    {Result::Unknown, "the connection ended before the peer had answered"},
    {Result::TwoPrimaries, "two primaries are not allowed"},
    {Result::NoUpToDateDisk, "neither node has up-to-date data that is accessible"},
    {Result::NoLocalDisk, "this node has no disk for it"},
    {Result::NoRemoteDisk, "the peer has no disk for it"},
    {Result::ConnectedOutdates, "a connected node cannot be Outdated"},
    {Result::PrimaryNotOutdated, "the peer is not known to be outdated or fenced"},
    {Result::ResyncRunning, "a resync or a verify is running"},
    {Result::AlreadyStandAlone, "it is StandAlone already"},
    {Result::RefusedByPeer, "the peer refuses"},
    {Result::IsDiskless, "there is no disk"},
    {Result::DeviceInUse, "the device is in use"},
    {Result::NoNetworkConfiguration, "there is no peer to connect to"},
    {Result::NoVerifyAlgorithm, "verify-alg is not set"},
    {Result::NeedConnection, "the peer must be connected for it"},
    {Result::LowerThanOutdated, "the disk is worse than Outdated"},
    {Result::NotSupported, "the peer does not know such a change"},
    {Result::InTransientState, "another change is under way: try again"},
    {Result::ConcurrentStateChange, "the peer is changing its state at the same time"},
    {Result::PeerPrimaryOtherVolume, "the peer is Primary of another volume"},
    {Result::OutdateNeedsConnection, "the peer must be connected to be outdated"},
}};

}  // namespace

std::span<const StateImplication> state_implications() { return implications; }

const char* words_of(Result result) {
  const auto found = std::find_if(words.begin(), words.end(), [&](const Words& each) { return each.result == result; });
  return found != words.end() ? found->text : "a reason this version does not know";
}

}  // namespace bascule::replication::detail
