#include <gtest/gtest.h>

#include "core/replication/detail/session/after_split_brain.h"
#include "core/replication/testing/two_engines.h"
#include "core/replication/testing/two_verdicts.h"

namespace bascule::replication {
namespace {

using namespace testing;  // NOLINT: the tables are made of it
using drbd::Role;
using drbd_config::AfterSplitBrain0;
using drbd_config::AfterSplitBrain1;
using drbd_config::AfterSplitBrain2;

constexpr Role primary = Role::Primary;
constexpr Role secondary = Role::Secondary;
constexpr std::uint64_t old_generation = 0xc0;

/// Both went on from the same generation.
VerdictPair split_brain() {
  VerdictPair pair;
  pair.alice.uuids = {0xa0, old_generation, {0xd0, 0}};
  pair.bob.uuids = {0xb0, old_generation, {0xd0, 0}};
  return pair;
}

std::string alice(const VerdictPair& pair) { return text_of(pair.alice_decides()); }
std::string bob(const VerdictPair& pair) { return text_of(pair.bob_decides()); }

// ---- nobody is Primary now
// --------------------------------------------------------------------------------------------

struct Row0 {
  AfterSplitBrain0 policy;
  bool alice_was_primary;  ///< when the generations parted
  bool bob_was_primary;
  std::uint64_t alices_changes;
  std::uint64_t bobs_changes;
  bool bob_resolves;
  const char* alice;
  const char* bob;
};

TEST(SplitBrain, PoliciesWithoutAPrimary) {
  using enum AfterSplitBrain0;
  const Row0 table[] = {
      {disconnect, true, false, 0, 5, false, "refuse", "refuse"},
      // The younger Primary is the one that had not been Primary when they parted.
      {discard_younger_primary, false, true, 9, 1, false, "target", "source"},
      {discard_younger_primary, true, false, 1, 9, false, "source", "target"},
      {discard_younger_primary, true, true, 1, 9, false, "target", "source"},
      {discard_younger_primary, false, false, 0, 9, false, "target", "source"},
      {discard_younger_primary, false, false, 4, 4, true, "source", "target"},
      {discard_older_primary, false, true, 1, 9, false, "source", "target"},
      {discard_older_primary, true, false, 9, 1, false, "target", "source"},
      {discard_older_primary, true, true, 9, 0, false, "source", "target"},
      {discard_older_primary, false, false, 9, 1, false, "source", "target"},
      {discard_zero_changes, false, false, 0, 1, false, "target", "source"},
      {discard_zero_changes, false, false, 1, 0, false, "source", "target"},
      {discard_zero_changes, false, false, 0, 0, true, "source", "target"},
      {discard_zero_changes, false, false, 0, 0, false, "target", "source"},
      {discard_zero_changes, false, false, 1, 9, false, "refuse", "refuse"},
      {discard_least_changes, false, false, 1, 9, false, "target", "source"},
      {discard_least_changes, false, false, 9, 1, false, "source", "target"},
      {discard_least_changes, false, false, 3, 3, true, "source", "target"},
      {discard_least_changes, false, false, 3, 3, false, "target", "source"},
      {discard_local, false, false, 9, 0, false, "target", "source"},
      {discard_remote, false, false, 0, 9, false, "source", "target"},
  };
  for (const Row0& row : table) {
    SCOPED_TRACE(&row - table);
    VerdictPair pair = split_brain();
    pair.net.after_sb_0pri = row.policy;
    if (row.alice_was_primary) pair.alice.uuids.bitmap |= 1;
    if (row.bob_was_primary) pair.bob.uuids.bitmap |= 1;
    pair.alice.changed_bits = row.alices_changes;
    pair.bob.changed_bits = row.bobs_changes;
    pair.bob_resolves_conflicts = row.bob_resolves;
    EXPECT_EQ(alice(pair), row.alice);
    EXPECT_EQ(bob(pair), row.bob);
  }
}

// ---- one is
// -----------------------------------------------------------------------------------------------------------

struct Row1 {
  AfterSplitBrain1 policy;
  AfterSplitBrain0 without_primary;
  const char* alice;  ///< Alice is the Primary
  const char* bob;
  const char* alices_handler;
};

TEST(SplitBrain, PoliciesWithOnePrimary) {
  using enum AfterSplitBrain1;
  const auto lose = AfterSplitBrain0::discard_local;
  const auto win = AfterSplitBrain0::discard_remote;
  const auto nothing = AfterSplitBrain0::disconnect;
  const Row1 table[] = {
      {disconnect, win, "refuse", "refuse", "split-brain"},
      {consensus, win, "source", "target", ""},
      {consensus, lose, "refuse", "refuse", "split-brain"},
      {consensus, nothing, "refuse", "refuse", "split-brain"},
      {discard_secondary, nothing, "source", "target", ""},
      {discard_secondary, lose, "source", "target", ""},
      {violently_as0p, win, "source", "target", ""},
      // rr-conflict has the next word about a Primary that becomes a target.
      {violently_as0p, lose, "refuse", "source", ""},
      {violently_as0p, nothing, "refuse", "refuse", "split-brain"},
      {call_pri_lost_after_sb, win, "source", "target", ""},
      {call_pri_lost_after_sb, lose, "refuse", "source", "pri-lost-after-sb"},
      {call_pri_lost_after_sb, nothing, "refuse", "refuse", "split-brain"},
  };
  for (const Row1& row : table) {
    SCOPED_TRACE(&row - table);
    VerdictPair pair = split_brain();
    pair.alice.role = primary;
    pair.net.after_sb_0pri = row.without_primary;
    pair.net.after_sb_1pri = row.policy;
    EXPECT_EQ(alice(pair), row.alice);
    EXPECT_EQ(bob(pair), row.bob);
    const auto handlers = pair.alice_decides().handlers;
    ASSERT_FALSE(handlers.empty());
    EXPECT_STREQ(handlers.front(), "initial-split-brain");
    const bool called = std::find(handlers.begin(), handlers.end(), std::string(row.alices_handler)) != handlers.end();
    EXPECT_TRUE(called || *row.alices_handler == '\0') << row.alices_handler;
  }
}

TEST(SplitBrain, ViolentlyAsWithoutAPrimaryAndARolesConflictThatIsViolentToo) {
  VerdictPair pair = split_brain();
  pair.alice.role = primary;
  pair.net.after_sb_0pri = AfterSplitBrain0::discard_local;
  pair.net.after_sb_1pri = AfterSplitBrain1::violently_as0p;
  pair.net.rr_conflict = drbd_config::ResyncRoleConflict::violently;
  EXPECT_EQ(alice(pair), "target");
  EXPECT_EQ(bob(pair), "source");
}

// ---- both are
// ---------------------------------------------------------------------------------------------------------

TEST(SplitBrain, PoliciesWithTwoPrimaries) {
  VerdictPair pair = split_brain();
  pair.net.allow_two_primaries = true;
  pair.alice.role = pair.bob.role = primary;
  pair.net.after_sb_0pri = AfterSplitBrain0::discard_local;
  EXPECT_EQ(alice(pair), "refuse");
  EXPECT_EQ(bob(pair), "refuse");
  pair.net.after_sb_2pri = AfterSplitBrain2::violently_as0p;
  EXPECT_EQ(alice(pair), "refuse") << "rr-conflict";
  EXPECT_EQ(bob(pair), "source");
  pair.net.rr_conflict = drbd_config::ResyncRoleConflict::violently;
  EXPECT_EQ(alice(pair), "target");
  pair.net.after_sb_2pri = AfterSplitBrain2::call_pri_lost_after_sb;
  EXPECT_EQ(alice(pair), "refuse");
  EXPECT_STREQ(pair.alice_decides().handlers.at(1), "pri-lost-after-sb");
}

// ---- always-asbp, discard-my-data
// -------------------------------------------------------------------------------------

TEST(SplitBrain, PoliciesTouchAmbiguousHistoriesOnlyWithAlwaysAsbpAndThenEveryBlock) {
  VerdictPair pair;
  pair.alice.uuids = {0xa0, 0x10, {0xd0, 0}};
  pair.bob.uuids = {0xb0, 0x20, {0xd0, 0}};
  pair.net.after_sb_0pri = AfterSplitBrain0::discard_remote;
  EXPECT_EQ(alice(pair), "refuse");
  pair.net.always_asbp = true;
  EXPECT_EQ(alice(pair), "source full");
  EXPECT_EQ(bob(pair), "target full");
}

TEST(SplitBrain, DiscardMyDataDecidesWhereNoPolicyDoes) {
  VerdictPair pair = split_brain();
  pair.alice.discard_my_data = true;
  EXPECT_EQ(alice(pair), "target");
  EXPECT_EQ(bob(pair), "source");
  pair.bob.discard_my_data = true;
  EXPECT_EQ(alice(pair), "refuse");
  pair = split_brain();
  pair.alice.uuids.bitmap = 0x10;
  pair.alice.discard_my_data = true;
  EXPECT_EQ(alice(pair), "target full") << "the common generation is older than what the bitmaps count from";
  EXPECT_EQ(bob(pair), "source full");
}

// For the peer the policy has decided: with the other decision here both would be the source.
TEST(SplitBrain, APrimaryThatLosesByPolicyDoesNotWinByThePeersDiscardMyData) {
  VerdictPair pair = split_brain();
  pair.alice.role = primary;
  pair.bob.discard_my_data = true;
  pair.net.after_sb_0pri = AfterSplitBrain0::discard_local;
  pair.net.after_sb_1pri = AfterSplitBrain1::call_pri_lost_after_sb;
  EXPECT_EQ(bob(pair), "source");
  EXPECT_EQ(alice(pair), "refuse");
}

TEST(SplitBrain, ReplicasThatWereOnlyEverForcedHaveNoBitmapToTrust) {
  VerdictPair pair;
  pair.alice.uuids = {0xa0, drbd::kUuidJustCreated, {}};
  pair.bob.uuids = {0xb0, drbd::kUuidJustCreated, {}};
  pair.bob.discard_my_data = true;
  EXPECT_EQ(alice(pair), "source full");
  EXPECT_EQ(bob(pair), "target full");
}

TEST(SplitBrain, EmptyHistoriesAreNoReasonForTheInSyncSetToReplaceAStrangersData) {
  VerdictPair pair;
  pair.authority = Authority::Cluster;
  pair.alice = {.uuids = {0xa0, 0x10, {}}, .member = false};
  pair.bob = {.uuids = {0xb0, 0x20, {}}};
  EXPECT_EQ(alice(pair), "refuse");
  pair.alice.uuids.history = {0x50, drbd::kUuidJustCreated};
  pair.bob.uuids.history = {0x60, drbd::kUuidJustCreated};
  EXPECT_EQ(alice(pair), "refuse");
  EXPECT_NE(pair.alice_decides().text.find("unrelated"), std::string::npos);
}

// ---- two engines
// ------------------------------------------------------------------------------------------------------

void part(TwoEngines& pair) {
  pair.alice.restored.superblock.current_uuid = 0xa0a0a0a0;
  pair.bob.restored.superblock.current_uuid = 0xb0b0b0b0;
  pair.both([](EngineNode& node) { node.restored.superblock.bitmap_uuid = TwoEngines::generation; });
}

TEST(SplitBrain, UndecidedBothStandAloneAndTheHandlersRun) {
  TwoEngines pair;
  part(pair);
  pair.start(seconds(30));
  EXPECT_EQ(pair.alice.text(), "Secondary StandAlone UpToDate/DUnknown");
  EXPECT_EQ(pair.bob.text(), "Secondary StandAlone UpToDate/DUnknown");
  const std::vector<std::string> expected{"initial-split-brain", "split-brain"};
  EXPECT_EQ(pair.alice.handlers, expected);
  EXPECT_EQ(pair.bob.handlers, expected);
  EXPECT_NE(pair.alice.status().why.find("split brain"), std::string::npos);
}

TEST(SplitBrain, DecidedByThePolicyTheLoserIsResynced) {
  TwoEngines pair;
  part(pair);
  pair.alice.restored.bitmap[0] = 0x0f;
  pair.bob.restored.bitmap[1] = 0x03;
  pair.both([](EngineNode& node) { node.config.options.net.after_sb_0pri = AfterSplitBrain0::discard_least_changes; });
  pair.start(seconds(5));
  EXPECT_EQ(pair.alice.text(), "Secondary Connected UpToDate/UpToDate");
  EXPECT_EQ(pair.bob.text(), "Secondary Connected UpToDate/UpToDate");
  EXPECT_EQ(pair.bob.status().current_uuid, 0xa0a0a0a0U);
  EXPECT_EQ(pair.bob.status().resync_total_bytes, 6 * 4096U);
  EXPECT_EQ(pair.alice.status().out_of_sync_bytes + pair.bob.status().out_of_sync_bytes, 0U);
  EXPECT_EQ(pair.alice.handlers, std::vector<std::string>{"initial-split-brain"});
}

}  // namespace
}  // namespace bascule::replication
