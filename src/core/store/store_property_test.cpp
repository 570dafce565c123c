#include <gtest/gtest.h>

#include <algorithm>

#include "base/prng.h"
#include "core/store/store.h"

namespace bascule::store {
namespace {

using namespace message;

std::string some_node(Prng& prng) {
  static const char* const nodes[] = {"alice", "bob", "carol"};
  return nodes[prng.below(3)];
}
std::string maybe(Prng& prng, std::string name) { return prng.chance(1, 3) ? "" : name; }

/// Commands that are right often enough to get somewhere, and wrong often enough to try the rules.
Command some_command(Prng& prng, const ClusterState& state) {
  VolumeState volume;
  ServiceState service;
  if (state.volumes.contains("data")) volume = state.volumes.at("data");
  if (state.services.contains("shop")) service = state.services.at("shop");
  const auto off = [&prng] { return prng.chance(1, 8) ? prng.below(3) : 0; };
  const auto service_name = prng.chance(1, 5) ? "" : "shop";
  switch (prng.below(24)) {
    case 23:
      return SayGoodbye{some_node(prng), prng.chance(1, 4)};
    case 0:
      return SetStandby{some_node(prng), prng.chance(1, 2)};
    case 1:
      return SetTarget{"shop", prng.chance(1, 2)};
    case 2:
      return MoveService{"shop", maybe(prng, some_node(prng))};
    case 3:
      return HoldVolume{"data", maybe(prng, some_node(prng))};
    case 4:
      return ClearFailures{"shop", maybe(prng, some_node(prng))};
    case 5:
      return InitialiseVolume{"data", some_node(prng)};
    case 6:
    case 12:
    case 13:
    case 14:
      return GrantOwnership{service_name,
                            "data",
                            some_node(prng),
                            maybe(prng, volume.owner.value_or("")),
                            service.epoch + off(),
                            volume.epoch + off(),
                            "r",
                            state.configuration()};
    case 7:
      return RequestStop{"shop", service.epoch + off(), "r"};
    case 8:
      return ReleaseOwnership{volume.held_by_hand ? "" : "shop", "data", service.epoch + off(), volume.epoch + off()};
    case 9:
      return ShrinkInSync{"data", volume.epoch + off(), volume.in_sync_version + off(), some_node(prng)};
    case 10:
    case 15:
    case 16:
    case 17:
      return GrowInSync{"data", volume.epoch + off(), volume.in_sync_version + off(), some_node(prng)};
    case 19:
      return SetConfig{state.configuration() + off(), state.configurations.empty(), "text", "", "", 0, prng.below(9)};
    case 18:
      return SetRestartLease{"alice",
                             state.nodes.contains("alice") ? state.nodes.at("alice").restart_version + off() : off(),
                             prng.below(3) * 15'000};
    case 20:
      return UpdateAttributes{some_node(prng), prng.chance(1, 2), {{"a", "value++"}}, {}};
    case 21:
      return NoteBoot{some_node(prng), std::to_string(prng.below(3))};
    default:
      return RecordFailure{"shop", some_node(prng), service.epoch + off(), prng.chance(1, 2), "t"};
  }
}

/// Only its owner says who joins the set of a volume, or one of its members while it has none; only its owner says who
/// leaves, beside a grant.
void check_change_of_members(const VolumeState& before, const VolumeState& after, const Proposal& proposal) {
  if (std::holds_alternative<GrowInSync>(proposal.command) && before != after) {
    ASSERT_TRUE(!before.owner || before.owner == proposal.proposer);
    ASSERT_TRUE(before.in_sync.contains(proposal.proposer));
    ASSERT_EQ(before.owner, after.owner);
  } else {
    ASSERT_TRUE(!before.initialised ||
                std::includes(before.in_sync.begin(), before.in_sync.end(), after.in_sync.begin(), after.in_sync.end()))
        << "grown by something else";
  }
}

void check_volume(const VolumeState& before, const VolumeState& after) {
  ASSERT_GE(after.epoch, before.epoch);
  ASSERT_GE(after.in_sync_version, before.in_sync_version);
  ASSERT_TRUE(after.initialised || !before.initialised);
  ASSERT_EQ(after.initialised, !after.in_sync.empty());
  ASSERT_TRUE(!after.owner || after.in_sync.contains(*after.owner));
  const bool given = after.owner && after.owner != before.owner;
  ASSERT_TRUE(!given || after.epoch == before.epoch + 1);
  const bool same = after.in_sync == before.in_sync && after.owner == before.owner;
  ASSERT_TRUE(same || after.in_sync_version == before.in_sync_version + 1);
  ASSERT_TRUE(!given || before.in_sync.contains(*after.owner)) << "a stale copy was promoted";
}

void check_service(const ServiceState& before, const ServiceState& after) {
  ASSERT_GE(after.epoch, before.epoch);
  const bool given = after.owner && after.owner != before.owner;
  ASSERT_TRUE(!given || after.epoch == before.epoch + 1);
  ASSERT_TRUE(!after.stop_requested || after.owner);
}

void check(const ClusterState& before, const ClusterState& after, const Proposal& proposal) {
  static const VolumeState no_volume;
  static const ServiceState no_service;
  for (const auto& [name, volume] : after.volumes) {
    const auto& was = before.volumes.contains(name) ? before.volumes.at(name) : no_volume;
    check_volume(was, volume);
    check_change_of_members(was, volume, proposal);
  }
  for (const auto& [name, service] : after.services)
    check_service(before.services.contains(name) ? before.services.at(name) : no_service, service);
}

TEST(StoreProperty, RandomCommandsKeepTheInvariants) {
  int takeovers = 0, vouched = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Prng prng(seed);
    Store store;
    for (std::uint64_t index = 1; index <= 200; ++index) {
      const ClusterState before = store.state();
      const Proposal proposal{prng.chance(1, 20) ? prng.below(index) + 1 : index, some_node(prng),
                              some_command(prng, store.state())};
      const Applied applied = store.apply(index, proposal);
      ASSERT_EQ(applied.accepted, applied.why.empty());
      ClusterState same = before;
      same.applied_index = index;
      ASSERT_EQ(applied.changed, !(same == store.state()));
      check(before, store.state(), proposal);
      const auto* grant = std::get_if<GrantOwnership>(&proposal.command);
      if (applied.changed && grant != nullptr && !grant->lost.empty()) ++takeovers;
      const bool grown = applied.changed && std::holds_alternative<GrowInSync>(proposal.command);
      if (grown && !before.volumes.at("data").owner) ++vouched;
    }
  }
  EXPECT_GT(takeovers, 500) << "the commands must get somewhere";
  EXPECT_GT(vouched, 100);
}

TEST(StoreProperty, GoingOnFromASnapshotIsTheSameAsGoingOn) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Prng prng(seed);
    Store one;
    Store other;
    for (std::uint64_t index = 1; index <= 150; ++index) {
      const Proposal proposal{prng.below(200), "alice", some_command(prng, one.state())};
      ASSERT_EQ(one.apply(index, proposal), other.apply(index, proposal));
      if (!prng.chance(1, 10)) continue;
      auto restored = Store::restore(other.snapshot());
      ASSERT_TRUE(restored) << restored.error().text();
      other = std::move(*restored);
    }
    EXPECT_EQ(one.state(), other.state());
    EXPECT_EQ(one.snapshot(), other.snapshot());
  }
}

}  // namespace
}  // namespace bascule::store
