#include "core/replication/detail/state/state_rules.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>

namespace bascule::replication::detail {
namespace {

using drbd::ConnectionState;
using drbd::DiskState;
using drbd::Role;
using drbd::StateWord;
using Result = drbd::StateChangeResult;
using enum drbd::ConnectionState;

/// A healthy pair as its Secondary side sees it.
StateWord connected() {
  StateWord word;
  word.role = Role::Secondary;
  word.peer = Role::Secondary;
  word.connection = Connected;
  word.disk = word.peer_disk = DiskState::UpToDate;
  return word;
}

StateWord alone(ConnectionState connection = WFConnection) {
  StateWord word = connected();
  word.connection = connection;
  word.peer = Role::Unknown;
  word.peer_disk = DiskState::DUnknown;
  return word;
}

struct Refused {
  const char* rule;
  Result result;
  StateWord from;
  std::function<void(StateWord&)> change;
  RuleFacts facts{};
};

std::vector<Refused> refused_changes() {
  const auto primary = [](StateWord& word) { word.role = Role::Primary; };
  const auto connection = [](ConnectionState state) { return [state](StateWord& word) { word.connection = state; }; };
  const auto with = [](StateWord word, const std::function<void(StateWord&)>& change) {
    change(word);
    return word;
  };
  const auto own_disk = [](DiskState disk) { return [disk](StateWord& word) { word.disk = disk; }; };
  const auto peer_disk = [](DiskState disk) { return [disk](StateWord& word) { word.peer_disk = disk; }; };
  const auto disks = [](DiskState own, DiskState peer) {
    return [own, peer](StateWord& word) { word.disk = own, word.peer_disk = peer; };
  };
  const StateWord peer_primary = with(connected(), [](StateWord& word) { word.peer = Role::Primary; });
  const StateWord self_primary = with(connected(), primary);
  RuleFacts open, fencing, no_algorithm, old_peer, handshaking, forced, unconfigured;
  open.device_open = true;
  fencing.fencing = true;
  no_algorithm.verify_algorithm = false;
  old_peer.agreed_version = 87;
  handshaking.handshaking = true;
  forced.forced_resync = true;
  unconfigured.network_configured = false;
  return {
      {"disconnects_when_stand_alone", Result::AlreadyStandAlone, alone(StandAlone), connection(Disconnecting)},
      {"leaves_stand_alone_otherwise", Result::NeedConnection, alone(StandAlone), connection(WFConnection)},
      {"skips_the_handshake", Result::NeedConnection, alone(WFConnection), connection(Connected)},
      {"leaves_failure_otherwise", Result::InTransientState, alone(NetworkFailure), connection(WFConnection)},
      {"leaves_disconnecting_otherwise", Result::InTransientState, alone(Disconnecting), connection(Unconnected)},
      {"detaches_when_diskless", Result::IsDiskless, with(connected(), own_disk(DiskState::Diskless)),
       own_disk(DiskState::Failed)},
      {"both_primary", Result::TwoPrimaries, peer_primary, primary},
      {"secondary_while_open", Result::DeviceInUse, self_primary, [](StateWord& word) { word.role = Role::Secondary; },
       open},
      {"primary_alone_without_data", Result::NoUpToDateDisk, with(alone(), own_disk(DiskState::Outdated)), primary},
      {"primary_without_fenced_peer", Result::PrimaryNotOutdated, alone(), primary, fencing},
      {"primary_with_inconsistent_disks", Result::NoUpToDateDisk,
       with(connected(), disks(DiskState::Inconsistent, DiskState::Inconsistent)), primary},
      {"resync_without_own_disk", Result::NoLocalDisk, with(connected(), own_disk(DiskState::Diskless)),
       connection(StartingSyncT)},
      {"resync_without_peer_disk", Result::NoRemoteDisk, with(connected(), peer_disk(DiskState::Diskless)),
       connection(StartingSyncS)},
      {"resync_without_good_data", Result::NoUpToDateDisk,
       with(connected(), disks(DiskState::Inconsistent, DiskState::Inconsistent)), connection(WFBitMapS)},
      {"connected_while_outdated", Result::ConnectedOutdates, connected(), own_disk(DiskState::Outdated)},
      {"verify_without_algorithm", Result::NoVerifyAlgorithm, connected(), connection(VerifyS), no_algorithm},
      {"verify_with_old_peer", Result::NotSupported, connected(), connection(VerifyS), old_peer},
      {"primary_without_data", Result::NoUpToDateDisk,
       with(connected(), disks(DiskState::Inconsistent, DiskState::Consistent)), primary},
      {"connected_with_unknown_peer_disk", Result::ConnectedOutdates, connected(), peer_disk(DiskState::DUnknown)},
      {"sync_while_busy", Result::ResyncRunning, with(connected(), connection(VerifyS)), connection(StartingSyncS)},
      {"leaves_diskless_otherwise", Result::IsDiskless, with(connected(), own_disk(DiskState::Diskless)),
       own_disk(DiskState::UpToDate)},
      {"connects_without_configuration", Result::NoNetworkConfiguration, alone(Unconnected), connection(WFConnection),
       unconfigured},
      {"outdates_worse_disk", Result::LowerThanOutdated, with(alone(), own_disk(DiskState::Inconsistent)),
       own_disk(DiskState::Outdated)},
      {"disconnects_when_unconnected", Result::InTransientState, alone(Unconnected), connection(Disconnecting)},
      {"changes_during_handshake", Result::InTransientState, alone(WFReportParams), primary, handshaking},
      {"promotes_before_forced_resync", Result::InTransientState, connected(), primary, forced},
      {"verifies_unconnected", Result::NeedConnection, alone(WFReportParams),
       [](StateWord& word) { word.connection = VerifyS, word.peer_disk = DiskState::UpToDate; }},
      {"verifies_while_busy", Result::ResyncRunning,
       with(connected(),
            [](StateWord& word) { word.connection = SyncSource, word.peer_disk = DiskState::Inconsistent; }),
       connection(VerifyS)},
      {"outdates_unconnected_peer", Result::OutdateNeedsConnection, alone(),
       [](StateWord& word) { word.connection = Disconnecting, word.peer_disk = DiskState::Outdated; }},
  };
}

TEST(StateRules, EachRefusesWithItsCodeAndNobodyElses) {
  for (const Refused& each : refused_changes()) {
    StateWord to = each.from;
    each.change(to);
    const ChangeVerdict verdict = request_change(each.from, to, each.facts);
    EXPECT_STREQ(verdict.rule, each.rule) << each.from.text() << " -> " << to.text();
    EXPECT_EQ(verdict.result, each.result) << each.rule;
    EXPECT_EQ(verdict.state, each.from) << each.rule;
  }
}

/// Two rules are behind others that see the same change first; they are looked at alone.
TEST(StateRules, TheTablesAreCoveredByTheTest) {
  std::set<std::string> covered{"sync_with_unknown_peer_disk", "sync_unconnected", "sync_before_handshake"};
  for (const Refused& each : refused_changes()) covered.insert(each.rule);
  for (const auto rules : {hard_transition_rules(), state_rules(), soft_transition_rules()})
    for (const StateRule& rule : rules) EXPECT_EQ(covered.count(rule.name), 1U) << rule.name;
  StateWord syncing = alone(WFReportParams);
  syncing.connection = StartingSyncS;
  const auto broken = [&](std::span<const StateRule> rules, const std::string& name, const StateWord& to) {
    for (const StateRule& rule : rules)
      if (rule.name == name) return rule.broken(alone(Unconnected), to, RuleFacts{});
    return false;
  };
  EXPECT_TRUE(broken(state_rules(), "sync_with_unknown_peer_disk", syncing));
  EXPECT_TRUE(broken(soft_transition_rules(), "sync_unconnected", syncing));
  syncing.connection = SyncSource;
  EXPECT_TRUE(broken(soft_transition_rules(), "sync_before_handshake", syncing));
}

TEST(StateRules, WhatIsSaneIsGranted) {
  StateWord to = connected();
  to.role = Role::Primary;
  EXPECT_EQ(request_change(connected(), to, {}).result, Result::Success);
  EXPECT_EQ(request_change(to, to, {}).result, Result::NothingToDo);
  to.connection = StartingSyncS;
  const ChangeVerdict verdict = request_change(connected(), to, {});
  EXPECT_EQ(verdict.result, Result::Success);
  EXPECT_EQ(verdict.state.peer_disk, DiskState::Consistent);
}

TEST(StateRules, AForcedChangeIsOnlyHeldByWhatCanNeverBe) {
  StateWord to = connected();
  to.disk = DiskState::Outdated;
  EXPECT_TRUE(request_change(connected(), to, {}, true).granted());
  StateWord skipped = alone(WFConnection);
  skipped.connection = Connected;
  EXPECT_FALSE(request_change(alone(WFConnection), skipped, {}, true).granted());
}

TEST(StateRules, ABadStateMayBeLeftThoughItStaysBadForTheSameReason) {
  StateWord bad = alone();
  bad.role = Role::Primary;
  bad.disk = DiskState::Inconsistent;
  StateWord paused = bad;
  paused.resync_paused_by_user = true;
  EXPECT_TRUE(request_change(bad, paused, {}).granted());
}

struct Implied {
  const char* name;
  StateWord from;
  std::function<void(StateWord&)> change;
  std::function<bool(const StateWord&)> holds;
  RuleFacts facts{};
};

TEST(StateImplications, FollowFromTheWantedState) {
  StateWord primary = connected();
  primary.role = Role::Primary;
  StateWord syncing = primary;
  syncing.connection = SyncSource;
  syncing.peer_disk = DiskState::Inconsistent;
  StateWord negotiating = alone(WFReportParams);
  negotiating.disk = DiskState::Negotiating;
  RuleFacts fencing, no_data;
  fencing.fencing = fencing.fencing_suspends = true;
  no_data.suspends_without_data = true;
  const auto lose = [](StateWord& word) { word.connection = NetworkFailure; };
  const Implied cases[] = {
      {"the peer is forgotten", connected(), lose,
       [](const StateWord& word) { return word.peer == Role::Unknown && word.peer_disk == DiskState::DUnknown; }},
      {"a resync ends with a disk", syncing, [](StateWord& word) { word.disk = DiskState::Failed; },
       [](const StateWord& word) { return word.connection == Connected; }},
      {"negotiation ends with the connection", negotiating, lose,
       [](const StateWord& word) { return word.disk == DiskState::Consistent; }},
      {"a target is not UpToDate", connected(), [](StateWord& word) { word.connection = WFBitMapT; },
       [](const StateWord& word) { return word.disk == DiskState::Outdated; }},
      {"a syncing target is Inconsistent", connected(), [](StateWord& word) { word.connection = SyncTarget; },
       [](const StateWord& word) { return word.disk == DiskState::Inconsistent; }},
      {"a paused resync", syncing, [](StateWord& word) { word.resync_paused_by_user = true; },
       [](const StateWord& word) { return word.connection == PausedSyncS; }},
      {"fencing holds I/O", primary, lose, [](const StateWord& word) { return word.suspended_fencing; }, fencing},
      {"no data holds I/O", primary,
       [](StateWord& word) { word.connection = NetworkFailure, word.disk = DiskState::Failed; },
       [](const StateWord& word) { return word.suspended_no_data; }, no_data},
  };
  for (const Implied& each : cases) {
    StateWord to = each.from;
    each.change(to);
    EXPECT_TRUE(each.holds(request_change(each.from, to, each.facts, true).state)) << each.name;
  }
}

TEST(StateRules, EveryNumberHasWords) {
  for (int number = -21; number <= 4; ++number) {
    if (number == -3) continue;
    EXPECT_EQ(std::string(words_of(static_cast<Result>(number))).find("a reason this version"), std::string::npos)
        << number;
  }
  EXPECT_NE(std::string(words_of(static_cast<Result>(-99))).find("a reason this version"), std::string::npos);
}

}  // namespace
}  // namespace bascule::replication::detail
