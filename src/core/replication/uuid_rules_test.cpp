#include <gtest/gtest.h>

#include "base/prng.h"
#include "core/replication/testing/two_verdicts.h"

namespace bascule::replication {
namespace {

using namespace testing;  // NOLINT: the table is made of it
using drbd::DiskState;
using drbd::Role;
using drbd::UuidSet;
using enum drbd::DiskState;

constexpr std::uint64_t a = 0xa0, b = 0xb0, c = 0xc0, d = 0xd0, e = 0xe0, f = 0xf0;
constexpr std::uint64_t created = drbd::kUuidJustCreated;
constexpr std::uint64_t b_in_resync = b + drbd::kUuidNewBitmapOffset;

/// Alice's view; Bob must come to the opposite.
struct Row {
  const char* what;
  UuidSet alice;
  UuidSet bob;
  const char* verdict;
  const char* rule;
  const char* bobs_rule;
};

constexpr const char* just_created_both = "rule 10 just-created-both";
constexpr const char* just_created_self = "rule 20 just-created-self";
constexpr const char* just_created_peer = "rule 30 just-created-peer";

const std::vector<Row>& rows() {
  static const std::vector<Row> table = {
      {"two new replicas", {created}, {created}, "no sync", just_created_both, just_created_both},
      {"a new one meets data", {created}, {a}, "target full", just_created_self, just_created_peer},
      {"an erased one meets data", {0}, {a}, "target full", just_created_self, just_created_peer},
      {"a new one meets an erased one", {created}, {0}, "target full", just_created_self, just_created_peer},
      {"Alice was the source and missed the end of the resync",
       {a, b, {c, d}},
       {a, 0, {b, c}},
       "source",
       "rule 34 sync-source-missed-finish",
       "rule 35 sync-target-peer-missed-finish"},
      {"the same, and Alice's history is not the one that Bob took over",
       {a, b, {c, d}},
       {a, 0, {b, e}},
       "source",
       "rule 36 sync-source-missed-finish-unknown-history",
       "rule 37 sync-target-peer-missed-finish-unknown-history"},
      {"equal generations", {a, 0, {b, c}}, {a | 1, 0, {b, c}}, "no sync", "rule 40 no-crash", "rule 40 no-crash"},
      {"Bob went on alone from Alice's generation",
       {a, 0, {b, c}},
       {d, a | 1, {b, c}},
       "target",
       "rule 50 bitmap-peer",
       "rule 70 bitmap-self"},
      {"Bob began a resync towards Alice, and she never heard its generation",
       {b, 0, {c, d}},
       {a, b_in_resync, {b, c}},
       "target",
       "rule 51 lost-sync-uuid-peer",
       "rule 71 lost-sync-uuid-self"},
      {"Alice is in Bob's newer history",
       {a},
       {d, e, {a, c}},
       "target full",
       "rule 60 history-peer",
       "rule 80 history-self"},
      {"Alice is in Bob's older history",
       {a},
       {d, e, {c, a}},
       "target full",
       "rule 60 history-peer",
       "rule 80 history-self"},
      {"both went on alone from one generation",
       {a, c, {d, e}},
       {b, c, {d, e}},
       "refuse",
       "split brain",
       "split brain"},
      {"both have gone on, with one older generation in common",
       {a, c, {e, 0}},
       {b, d, {f, e}},
       "refuse",
       "split brain",
       "split brain"},
      {"8.4: empty histories count as common", {a, c}, {b, d}, "refuse", "split brain", "split brain"},
      {"strangers", {a, 0, {b, c}}, {d, 0, {e, f}}, "refuse", "unrelated", "unrelated"},
  };
  return table;
}

std::string opposite(std::string verdict) {
  if (verdict.starts_with("source")) return "target" + verdict.substr(6);
  if (verdict.starts_with("target")) return "source" + verdict.substr(6);
  return verdict;
}

TEST(UuidRules, EveryRuleInBothDirections) {
  for (const Row& row : rows()) {
    SCOPED_TRACE(row.what);
    VerdictPair pair;
    pair.alice.uuids = row.alice;
    pair.bob.uuids = row.bob;
    EXPECT_EQ(text_of(pair.alice_decides()), row.verdict);
    EXPECT_EQ(text_of(pair.bob_decides()), opposite(row.verdict));
    EXPECT_NE(pair.alice_decides().text.find(row.rule), std::string::npos) << pair.alice_decides().text;
    EXPECT_NE(pair.bob_decides().text.find(row.bobs_rule), std::string::npos) << pair.bob_decides().text;
    std::swap(pair.alice, pair.bob);
    EXPECT_EQ(text_of(pair.alice_decides()), opposite(row.verdict));
    EXPECT_NE(pair.alice_decides().text.find(row.bobs_rule), std::string::npos) << pair.alice_decides().text;
  }
}

TEST(UuidRules, RepairsAreTheSameOnBothSides) {
  VerdictPair missed_end;
  missed_end.alice.uuids = {a, b, {c, d}};
  missed_end.bob.uuids = {a, 0, {b, c}};
  EXPECT_EQ(missed_end.alice_decides().own_uuids, (UuidSet{a, 0, {b, c}}));
  EXPECT_EQ(missed_end.bob_decides().peer_uuids, (UuidSet{a, 0, {b, c}}));

  VerdictPair lost_sync_uuid;
  lost_sync_uuid.alice.uuids = {b, 0, {c, d}};
  lost_sync_uuid.bob.uuids = {a, b_in_resync, {b, c}};
  EXPECT_EQ(lost_sync_uuid.alice_decides().peer_uuids, (UuidSet{a, b, {c, c}}));
  EXPECT_EQ(lost_sync_uuid.bob_decides().own_uuids, (UuidSet{a, b, {c, c}}));
}

// ---- equal generations after a crash: rules 40 and 41
// -----------------------------------------------------------------

struct CrashRow {
  const char* what;
  bool alice_crashed;
  bool bob_crashed;
  Role alice;
  Role bob;
  bool bob_resolves;
  const char* verdict;
};

TEST(UuidRules, EqualGenerationsAfterACrash) {
  const Role primary = Role::Primary, secondary = Role::Secondary;
  const CrashRow table[] = {
      {"Alice crashed as Primary", true, false, secondary, secondary, false, "source"},
      {"Bob did", false, true, secondary, secondary, false, "target"},
      {"both did: who resolves conflicts is the target", true, true, secondary, secondary, true, "source"},
      {"the other way round", true, true, secondary, secondary, false, "target"},
      {"Alice crashed, Bob is Primary now", true, false, secondary, primary, false, "target"},
      {"Bob crashed, Alice is Primary now", false, true, primary, secondary, false, "source"},
      {"Alice crashed and is Primary now", true, false, primary, secondary, false, "source"},
      {"both are Primary: cannot happen, and is a split brain", true, false, primary, primary, false, "refuse"},
  };
  for (const CrashRow& row : table) {
    SCOPED_TRACE(row.what);
    VerdictPair pair;
    pair.net.allow_two_primaries = true;
    pair.alice.crashed = row.alice_crashed;
    pair.bob.crashed = row.bob_crashed;
    pair.alice.role = row.alice;
    pair.bob.role = row.bob;
    pair.bob_resolves_conflicts = row.bob_resolves;
    EXPECT_EQ(text_of(pair.alice_decides()), row.verdict);
    EXPECT_EQ(text_of(pair.bob_decides()), opposite(row.verdict));
  }
}

// ---- the steps after the table
// ----------------------------------------------------------------------------------------

struct DiskRow {
  const char* what;
  UuidSet alice;
  UuidSet bob;
  DiskState alices_disk;
  DiskState bobs_disk;
  const char* verdict;
};

TEST(UuidRules, AConsistentDiskIsTheSourceOfAnInconsistentOne) {
  const UuidSet equal{a, 0, {b, c}};
  const DiskRow table[] = {
      {"equal generations", equal, equal, UpToDate, Inconsistent, "source"},
      {"Bob's generation is the newer one", {a}, {d, a}, UpToDate, Inconsistent, "source"},
      {"so it is, and no bitmap tells by how much", {a}, {d, e, {a, c}}, UpToDate, Inconsistent, "source full"},
      {"split brain", {a, c}, {b, c}, UpToDate, Inconsistent, "source"},
      {"split brain without a common bitmap", {a, c, {e}}, {b, d, {e}}, Outdated, Inconsistent, "source full"},
      {"both are Inconsistent: nobody can be the source", {d, a}, {a}, Inconsistent, Inconsistent, "refuse"},
      {"both are Inconsistent and equal", equal, equal, Inconsistent, Inconsistent, "no sync"},
      {"strangers stay strangers", {a, 0, {b, c}}, {d, 0, {e, f}}, UpToDate, Inconsistent, "refuse"},
  };
  for (const DiskRow& row : table) {
    SCOPED_TRACE(row.what);
    VerdictPair pair;
    pair.alice = {.uuids = row.alice, .disk = row.alices_disk};
    pair.bob = {.uuids = row.bob, .disk = row.bobs_disk};
    EXPECT_EQ(text_of(pair.alice_decides()), row.verdict) << pair.alice_decides().text;
  }
}

TEST(UuidRules, WithoutADiskThereIsNothingToCompare) {
  VerdictPair pair;
  pair.alice.disk = Diskless;
  pair.bob.uuids = {d, e, {f, f}};
  EXPECT_EQ(text_of(pair.alice_decides()), "no sync");
  EXPECT_EQ(text_of(pair.bob_decides()), "no sync");
}

TEST(UuidRules, ADisklessPrimaryAcceptsOnlyTheGenerationThatItHadBefore) {
  VerdictPair pair;
  pair.alice.disk = Diskless;
  pair.alice.role = Role::Primary;
  pair.bob.uuids = {d, 0, {}};
  EXPECT_EQ(text_of(pair.alice_decides()), "refuse");
  EXPECT_NE(pair.alice_decides().text.find("diskless Primary"), std::string::npos);
}

TEST(UuidRules, TwoPrimariesMeetOnlyWhenAllowed) {
  VerdictPair pair;
  pair.alice.role = pair.bob.role = Role::Primary;
  EXPECT_EQ(text_of(pair.alice_decides()), "refuse");
  pair.net.allow_two_primaries = true;
  EXPECT_EQ(text_of(pair.alice_decides()), "no sync");
  pair.authority = Authority::Cluster;
  EXPECT_EQ(text_of(pair.alice_decides()), "refuse");
}

TEST(UuidRules, APrimaryTakesThePeersDataOnlyViolently) {
  using drbd_config::ResyncRoleConflict;
  VerdictPair pair;
  pair.alice = {.uuids = {a, 0, {b, c}}, .role = Role::Primary};
  pair.bob = {.uuids = {d, a, {b, c}}};
  EXPECT_EQ(text_of(pair.alice_decides()), "refuse");
  EXPECT_TRUE(pair.alice_decides().handlers.empty());
  pair.net.rr_conflict = ResyncRoleConflict::call_pri_lost;
  EXPECT_EQ(text_of(pair.alice_decides()), "refuse");
  EXPECT_STREQ(pair.alice_decides().handlers.at(0), "pri-lost");
  pair.net.rr_conflict = ResyncRoleConflict::violently;
  EXPECT_EQ(text_of(pair.alice_decides()), "target");
  EXPECT_EQ(text_of(pair.bob_decides()), "source");
  pair.authority = Authority::Cluster;
  EXPECT_EQ(text_of(pair.alice_decides()), "refuse");
  // What a Primary's own disk does not have is no reason to refuse.
  pair = VerdictPair{};
  pair.alice = {.uuids = {a}, .disk = Inconsistent, .role = Role::Primary};
  pair.bob = {.uuids = {a}};
  EXPECT_EQ(text_of(pair.alice_decides()), "target");
}

TEST(UuidRules, TheInSyncSetHasTheLastWord) {
  VerdictPair pair;
  pair.authority = Authority::Cluster;
  pair.alice = {.uuids = {d, a}, .member = false};
  pair.bob = {.uuids = {a}, .member = true};
  EXPECT_EQ(text_of(pair.alice_decides()), "refuse");
  EXPECT_EQ(text_of(pair.bob_decides()), "refuse");
  pair.alice.uuids = {d, c};
  pair.bob.uuids = {b, c};
  EXPECT_EQ(text_of(pair.alice_decides()), "target");
  EXPECT_EQ(text_of(pair.bob_decides()), "source");
}

// ---- for all states
// ---------------------------------------------------------------------------------------------------

template <typename Value, std::size_t size>
Value one_of(Prng& prng, const Value (&values)[size]) {
  return values[prng.below(size)];
}

VerdictNode any_node(Prng& prng) {
  const std::uint64_t currents[] = {a, a | 1, b, c, d, created};
  const std::uint64_t others[] = {0, 0, a, b, b | 1, c, d, e, created, b_in_resync};
  const DiskState disks[] = {UpToDate, UpToDate, UpToDate, Inconsistent, Outdated, Consistent};
  VerdictNode node;
  node.uuids = {one_of(prng, currents), one_of(prng, others), {one_of(prng, others), one_of(prng, others)}};
  node.disk = one_of(prng, disks);
  node.role = prng.chance(1, 3) ? Role::Primary : Role::Secondary;
  node.crashed = prng.chance(1, 4);
  node.discard_my_data = prng.chance(1, 6);
  node.changed_bits = prng.below(3);
  node.member = prng.chance(2, 3);
  return node;
}

VerdictPair any_pair(Prng& prng) {
  VerdictPair pair;
  pair.alice = any_node(prng);
  pair.bob = any_node(prng);
  pair.net.after_sb_0pri = static_cast<drbd_config::AfterSplitBrain0>(prng.below(7));
  pair.net.after_sb_1pri = static_cast<drbd_config::AfterSplitBrain1>(prng.below(5));
  pair.net.after_sb_2pri = static_cast<drbd_config::AfterSplitBrain2>(prng.below(3));
  pair.net.always_asbp = prng.chance(1, 2);
  pair.net.allow_two_primaries = prng.chance(1, 2);
  pair.net.rr_conflict = static_cast<drbd_config::ResyncRoleConflict>(prng.below(3));
  pair.authority = prng.chance(1, 4) ? Authority::Cluster : Authority::Operator;
  pair.bob_resolves_conflicts = prng.chance(1, 2);
  return pair;
}

// Whatever a peer says: verdict_walk_test.cpp looks at the states that can be.
TEST(UuidRules, NeverAreBothTheSource) {
  using Kind = detail::Verdict::Kind;
  Prng prng(84);
  int sources = 0;
  for (int round = 0; round < 100'000; ++round) {
    const VerdictPair pair = any_pair(prng);
    const detail::Verdict alice = pair.alice_decides();
    const detail::Verdict bob = pair.bob_decides();
    ASSERT_FALSE(alice.kind == Kind::Source && bob.kind == Kind::Source)
        << "round " << round << ": " << alice.text << " / " << bob.text;
    sources += alice.kind == Kind::Source ? 1 : 0;
  }
  EXPECT_GT(sources, 5'000);
}

}  // namespace
}  // namespace bascule::replication
