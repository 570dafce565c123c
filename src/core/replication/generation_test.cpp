#include "core/replication/detail/disk/generation.h"

#include <gtest/gtest.h>

#include "core/replication/testing/two_engines.h"

namespace bascule::replication {
namespace {

using namespace testing;  // NOLINT: the tests are made of it
using drbd::ConnectionState;
using drbd::DiskState;
using drbd::Role;
using drbd::UuidSet;

constexpr std::uint64_t a = 0xa0, b = 0xb0, c = 0xc0, d = 0xd0;

/// One row of the table of events (model facts, section 3): what it makes of the identifiers.
class Generation : public ::testing::Test {
 protected:
  Generation() { set({a, 0, {b, c}}); }

  void set(const UuidSet& uuids) { detail::adopt(core.superblock, uuids); }
  [[nodiscard]] UuidSet uuids() const { return detail::uuid_set_of(core.superblock); }

  static Config config() {
    Config made;
    made.authority = Authority::Operator;
    return made;
  }

  Effects effects;
  detail::Core core = [this] {
    detail::Core made(config(), drbd_metadata::Superblock{}, Instant{});
    made.effects = &effects;
    made.disk = DiskState::UpToDate;
    return made;
  }();
};

TEST_F(Generation, ANewOneKeepsTheOldOneAsWhatTheBitmapCountsFrom) {
  core.role = Role::Primary;
  detail::new_generation(core);
  EXPECT_EQ(uuids().bitmap, a);
  EXPECT_NE(uuids().current | 1, a | 1);
  EXPECT_EQ(uuids().current & 1, 1U);
  EXPECT_EQ(uuids().history, (std::array<std::uint64_t, 2>{b, c}));
}

TEST_F(Generation, APrimaryMakesOneWhenThePeersCopyIsGone) {
  core.connection = ConnectionState::WFConnection;
  core.peer.disk = DiskState::DUnknown;
  EXPECT_FALSE(detail::new_generation_due(core)) << "a Secondary that lost its peer writes nothing";
  core.role = Role::Primary;
  EXPECT_TRUE(detail::new_generation_due(core));
  core.suspended_fencing = true;
  EXPECT_FALSE(detail::new_generation_due(core)) << "postponed while I/O is suspended";
  core.suspended_fencing = false;
  set({a, d, {b, c}});
  EXPECT_FALSE(detail::new_generation_due(core)) << "made already";
  set({drbd::kUuidJustCreated, 0, {}});
  EXPECT_FALSE(detail::new_generation_due(core)) << "nothing to differ from";
}

TEST_F(Generation, AConnectedPrimaryMakesOneWhenThePeersDiskIsGone) {
  core.connection = ConnectionState::Connected;
  core.role = Role::Primary;
  core.peer.disk = DiskState::UpToDate;
  EXPECT_FALSE(detail::new_generation_due(core));
  core.peer.disk = DiskState::Diskless;
  EXPECT_TRUE(detail::new_generation_due(core));
  core.disk = DiskState::Inconsistent;
  EXPECT_FALSE(detail::new_generation_due(core)) << "only UpToDate data begins a generation";
}

TEST_F(Generation, ADisklessPeerThatBecomesPrimaryMakesThisNodeBeginOne) {
  core.connection = ConnectionState::Connected;
  core.peer.disk = DiskState::Diskless;
  core.peer.role = Role::Secondary;
  EXPECT_FALSE(detail::new_generation_due(core));
  core.peer.role = Role::Primary;
  EXPECT_TRUE(detail::new_generation_due(core));
}

/// PRIMARY_IND (model facts, 2.7): only with it the activity log counts after a crash.
TEST(OnlyCopy, TheNodeThatAPrimaryWithoutDiskWritesToSaysSoOnItsDisk) {
  testing::TwoEngines pair;
  pair.start();
  pair.do_now(pair.alice, input::Promote{1, false});
  const auto says_primary = [&] {
    return (pair.bob.status().metadata_flags & drbd_metadata::flag::kPrimaryIndicator) != 0;
  };
  EXPECT_FALSE(says_primary());
  pair.do_now(pair.alice, input::Detach{2});
  EXPECT_EQ(pair.bob.text(), "Secondary Connected UpToDate/Diskless");
  EXPECT_TRUE(says_primary());
  pair.do_now(pair.alice, input::Demote{false});
  EXPECT_FALSE(says_primary());
}

TEST_F(Generation, InAClusterThePeerMustHaveLeftTheInSyncSet) {
  core.config.authority = Authority::Cluster;
  core.connection = ConnectionState::WFConnection;
  core.role = Role::Primary;
  core.in_sync = {true, 3, true, true, false};
  EXPECT_FALSE(detail::new_generation_due(core));
  core.in_sync.peer = false;
  EXPECT_TRUE(detail::new_generation_due(core));
}

TEST_F(Generation, AResyncOnItsSource) {
  set({a, d, {b, c}});
  detail::begin_resync_as_source(core);
  EXPECT_EQ(uuids(), (UuidSet{a, d + drbd::kUuidNewBitmapOffset, {d, b}}));
  detail::end_resync_as_source(core);
  EXPECT_EQ(uuids(), (UuidSet{a, 0, {d + drbd::kUuidNewBitmapOffset, d}}));
}

// A kernel pair has "just created" in its histories after the first resync, on both sides.
TEST_F(Generation, AFirstResyncHasARandomIdentifier) {
  set({a, drbd::kUuidJustCreated, {0, 0}});
  detail::begin_resync_as_source(core);
  const std::uint64_t random = uuids().bitmap;
  EXPECT_GT(random, drbd::kUuidJustCreated);
  detail::end_resync_as_source(core);
  EXPECT_EQ(uuids(), (UuidSet{a, 0, {random, drbd::kUuidJustCreated}}));

  core.peer.uuids = {a, drbd::kUuidJustCreated, {0, 0}};
  set({drbd::kUuidJustCreated, 0, {0, 0}});
  detail::begin_resync_as_target(core, random);
  detail::end_resync_as_target(core);
  EXPECT_EQ(uuids(), (UuidSet{a, 0, {random & ~1ULL, drbd::kUuidJustCreated}}));

  set({a, 0, {b, c}});
  detail::begin_resync_as_source(core);
  EXPECT_GT(uuids().bitmap, drbd::kUuidJustCreated);
  EXPECT_EQ(uuids().history, (std::array<std::uint64_t, 2>{b, c})) << "there was nothing to keep";
}

TEST_F(Generation, AResyncOnItsTarget) {
  core.peer.uuids = {a | 1, d, {b, c}};
  set({c, 0, {b, 0}});
  detail::begin_resync_as_target(core, d + drbd::kUuidNewBitmapOffset);
  EXPECT_EQ(uuids(), (UuidSet{d + drbd::kUuidNewBitmapOffset, 0, {b, 0}}));
  detail::end_resync_as_target(core);
  EXPECT_EQ(uuids(), (UuidSet{a, 0, {d + drbd::kUuidNewBitmapOffset, d}}));
}

// ---- two engines
// ------------------------------------------------------------------------------------------------------

TEST(Agreement, TheFirstPrimaryOfTwoNewReplicasIsTheSourceOfAFullResync) {
  TwoEngines pair;
  pair.create_anew();
  pair.start();
  EXPECT_EQ(pair.alice.text(), "Secondary Connected Inconsistent/Inconsistent");
  pair.do_now(pair.alice, input::Promote{1, true, true}, seconds(20));
  EXPECT_EQ(pair.alice.text(), "Primary Connected UpToDate/UpToDate");
  EXPECT_EQ(pair.bob.text(), "Secondary Connected UpToDate/UpToDate");
  EXPECT_EQ(pair.bob.status().resync_total_bytes, TwoEngines::data_sectors * 512);
  EXPECT_EQ(pair.alice.status().current_uuid & ~1ULL, pair.bob.status().current_uuid);
}

/// What a target takes over at the end is what the source has then, not what it had when the two connected.
TEST(Agreement, AResyncAfterAResyncWithinOneSessionEndsInTheSameGeneration) {
  TwoEngines pair;
  pair.start();
  pair.do_now(pair.alice, input::Promote{1, false});
  pair.do_now(pair.bob, input::DisconnectPeer{1});
  pair.do_now(pair.alice, input::Write{1, 0, 4096, 7, false});
  pair.do_now(pair.bob, input::ConnectPeer{2}, seconds(20));
  EXPECT_EQ(pair.bob.text(), "Secondary Connected UpToDate/UpToDate");
  EXPECT_EQ(pair.bob.status().resync_total_bytes, 4096U);
  const std::uint64_t generation = pair.bob.status().current_uuid;
  EXPECT_NE(generation, TwoEngines::generation);

  pair.do_now(pair.alice, input::Demote{false});
  pair.do_now(pair.alice, input::Invalidate{3}, seconds(20));
  EXPECT_EQ(pair.alice.text(), "Secondary Connected UpToDate/UpToDate");
  EXPECT_EQ(pair.alice.status().resync_total_bytes, TwoEngines::data_sectors * 512);
  EXPECT_EQ(pair.alice.status().current_uuid, generation);
  EXPECT_EQ(pair.bob.status().current_uuid, generation);
}

TEST(Agreement, APeerSaysThatTwoNewReplicasNeedNoResync) {
  TwoEngines pair;
  pair.create_anew();
  pair.start();
  drbd::Uuids uuids;
  uuids.current = a;
  uuids.flags = drbd::uuid_flag::kSkipInitialSync;
  pair.forge(pair.bob, uuids);
  pair.run(seconds(1));
  EXPECT_EQ(pair.alice.text(), "Secondary Connected UpToDate/UpToDate");
  EXPECT_EQ(pair.alice.status().current_uuid, a);
  EXPECT_EQ(pair.alice.status().bitmap_uuid, 0U);
  EXPECT_EQ(pair.alice.status().out_of_sync_bytes, 0U);
}

TEST(Agreement, OtherVolumesOfThePeerAreSkippedAndConnectionWidePacketsOfVersion9Taken) {
  TwoEngines pair;
  pair.start();
  pair.volume_of_bob = 0xffff;
  pair.forge(pair.bob, drbd::UnplugRemote{});
  pair.volume_of_bob = 3;
  pair.forge(pair.bob, drbd::Sizes{});
  pair.volume_of_bob = 0;
  pair.run(seconds(1));
  EXPECT_EQ(pair.alice.text(), "Secondary Connected UpToDate/UpToDate");
  pair.volume_of_bob = 3;
  pair.forge(pair.bob, drbd::Barrier{});
  EXPECT_TRUE(pair.alice.has_event("a packet for volume 3"));
}

}  // namespace
}  // namespace bascule::replication
