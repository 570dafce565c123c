#include "wire/drbd/uuid_compare.h"

#include <gtest/gtest.h>

#include <set>

#include "base/prng.h"

namespace bascule::drbd {
namespace {

constexpr std::uint64_t kA = 0xa0, kB = 0xb0, kC = 0xc0, kD = 0xd0, kE = 0xe0;

struct Case {
  const char* what;
  UuidComparison input;
  UuidDecision decision;
  int rule;
};

UuidComparison sets(UuidSet own, UuidSet peer) { return {.own = own, .peer = peer, .feature_flags = 0xf}; }

UuidComparison crashed(bool own, bool peer, Role own_role = Role::Secondary, Role peer_role = Role::Secondary) {
  UuidComparison input = sets({kA, 0, {kB, kC}}, {kA, 0, {kB, kC}});
  input.own_crashed_primary = own;
  input.peer_crashed_primary = peer;
  input.own_role = own_role;
  input.peer_role = peer_role;
  return input;
}

std::vector<Case> cases() {
  const std::uint64_t next = kB + kUuidNewBitmapOffset;
  return {
      {"both fresh", sets({4}, {4}), UuidDecision::NoSync, 10},
      {"own fresh", sets({4}, {kA}), UuidDecision::TargetSetBitmap, 20},
      {"own zero", sets({0}, {kA}), UuidDecision::TargetSetBitmap, 20},
      {"peer fresh", sets({kA, kUuidJustCreated}, {4}), UuidDecision::SourceSetBitmap, 30},
      {"I missed the end", sets({kA, kB, {kC, kD}}, {kA, 0, {kB, kC}}), UuidDecision::SourceUseBitmap, 34},
      {"peer missed the end", sets({kA, 0, {kB, kC}}, {kA, kB, {kC, kD}}), UuidDecision::TargetUseBitmap, 35},
      {"I have a bitmap UUID", sets({kA, kB, {kC, kD}}, {kA, 0, {kE, kD}}), UuidDecision::SourceUseBitmap, 36},
      {"peer has one", sets({kA, 0, {kE, kD}}, {kA, kB, {kC, kD}}), UuidDecision::TargetUseBitmap, 37},
      {"equal", sets({kA, 0, {kB, kC}}, {kA | 1, 0, {kB, kC}}), UuidDecision::NoSync, 40},
      {"I crashed", crashed(true, false), UuidDecision::SourceUseBitmap, 40},
      {"peer crashed", crashed(false, true), UuidDecision::TargetUseBitmap, 40},
      {"both crashed", crashed(true, true), UuidDecision::SourceUseBitmap, 40},
      {"crash, I am Primary", crashed(false, true, Role::Primary), UuidDecision::SourceUseBitmap, 41},
      {"crash, peer is", crashed(true, false, Role::Secondary, Role::Primary), UuidDecision::TargetUseBitmap, 41},
      {"crash, both Primary", crashed(true, false, Role::Primary, Role::Primary), UuidDecision::SplitBrainDisconnect,
       41},
      {"peer went on", sets({kA, 0, {kB, kC}}, {kD, kA | 1, {kB, kC}}), UuidDecision::TargetUseBitmap, 50},
      {"peer's SYNC_UUID was lost", sets({kB, 0, {kC, kD}}, {kA, next, {kB, kC}}), UuidDecision::TargetUseBitmap, 51},
      {"own in peer's history", sets({kA}, {kD, kE, {kC, kA}}), UuidDecision::TargetSetBitmap, 60},
      {"I went on", sets({kD, kA | 1, {kB, kC}}, {kA, 0, {kB, kC}}), UuidDecision::SourceUseBitmap, 70},
      {"my SYNC_UUID was lost", sets({kA, next, {kB, kC}}, {kB, 0, {kC, kD}}), UuidDecision::SourceUseBitmap, 71},
      {"peer in own history", sets({kD, kE, {kC, kA}}, {kA}), UuidDecision::SourceSetBitmap, 80},
      {"both went on", sets({kA, kC}, {kB, kC}), UuidDecision::SplitBrainAutoRecover, 90},
      {"common history", sets({kA, kC, {kE, 0}}, {kB, kD, {0x77, kE}}), UuidDecision::SplitBrainDisconnect, 100},
      {"strangers", sets({kA, 0, {1 << 8, 2 << 8}}, {kB, 0, {3 << 8, 4 << 8}}), UuidDecision::UnrelatedData, 0},
  };
}

TEST(UuidCompare, EachRuleOfTheTable) {
  std::set<int> seen;
  for (const Case& one : cases()) {
    SCOPED_TRACE(one.what);
    const UuidVerdict verdict = compare_uuids(one.input);
    EXPECT_STREQ(name_of(verdict.decision), name_of(one.decision));
    EXPECT_EQ(verdict.rule, one.rule);
    seen.insert(verdict.rule);
  }
  for (const UuidRule& rule : uuid_rules()) EXPECT_TRUE(seen.contains(rule.number)) << "no case for " << rule.number;
}

// 8.4 compares empty history slots like any others.
TEST(UuidCompare, EmptyHistoriesCountAsCommon) { EXPECT_EQ(compare_uuids(sets({kA, kC}, {kB, kD})).rule, 100); }

TEST(UuidCompare, ConflictsAreResolvedWhenBothCrashed) {
  UuidComparison input = crashed(true, true);
  input.resolve_conflicts = true;
  EXPECT_EQ(compare_uuids(input).decision, UuidDecision::TargetUseBitmap);
}

TEST(UuidCompare, Rule41NeedsTheFeature) {
  UuidComparison input = crashed(true, false, Role::Primary);
  input.feature_flags = feature::kTrim;
  EXPECT_EQ(compare_uuids(input).decision, UuidDecision::NeedsWriteSameFeature);
}

TEST(UuidCompare, RepairsNeedVersion91) {
  UuidComparison input = sets({kA, kB, {kC, kD}}, {kA, 0, {kB, kC}});
  input.agreed_version = 90;
  EXPECT_EQ(compare_uuids(input).decision, UuidDecision::NeedsProtocol91);
}

TEST(UuidCompare, RepairsMakeTheSetsWhatTheyShouldBe) {
  const auto missed = compare_uuids(sets({kA, kB, {kC, kD}}, {kA, 0, {kB, kC}}));
  EXPECT_EQ(missed.own_repaired, (UuidSet{kA, 0, {kB, kC}}));
  const auto peer_missed = compare_uuids(sets({kA, 0, {kB, kC}}, {kA, kB, {kC, kD}}));
  EXPECT_EQ(peer_missed.peer_repaired, (UuidSet{kA, 0, {kB, kC}}));
  const std::uint64_t next = kB + kUuidNewBitmapOffset;
  EXPECT_EQ(compare_uuids(sets({kB, 0, {kC, kD}}, {kA, next, {kB, kC}})).peer_repaired, (UuidSet{kA, kB, {kC, kC}}));
  EXPECT_EQ(compare_uuids(sets({kA, next, {kB, kC}}, {kB, 0, {kC, kD}})).own_repaired, (UuidSet{kA, kB, {kC, kC}}));
}

UuidComparison mirrored(const UuidComparison& in) {
  return {.own = in.peer,
          .peer = in.own,
          .own_crashed_primary = in.peer_crashed_primary,
          .peer_crashed_primary = in.own_crashed_primary,
          .own_role = in.peer_role,
          .peer_role = in.own_role,
          .resolve_conflicts = !in.resolve_conflicts,
          .agreed_version = in.agreed_version,
          .feature_flags = in.feature_flags};
}

UuidDecision opposite(UuidDecision decision) {
  switch (decision) {
    case UuidDecision::SourceUseBitmap:
      return UuidDecision::TargetUseBitmap;
    case UuidDecision::TargetUseBitmap:
      return UuidDecision::SourceUseBitmap;
    case UuidDecision::SourceSetBitmap:
      return UuidDecision::TargetSetBitmap;
    case UuidDecision::TargetSetBitmap:
      return UuidDecision::SourceSetBitmap;
    default:
      return decision;
  }
}

UuidSet random_set(Prng& prng) {
  const std::uint64_t pool[] = {0, 4, kA, kB, kC, kD, kA + kUuidNewBitmapOffset, kB + kUuidNewBitmapOffset};
  const auto pick = [&] { return pool[prng.below(std::size(pool))] | (prng.chance(1, 4) ? 1U : 0U); };
  return {pick(), prng.chance(1, 3) ? 0 : pick(), {pick(), pick()}};
}

/// Each side's current UUID is in the other's past, or both never had one: no history of two nodes makes that, and the
/// table (searched in one order by both) then lets both be target.
bool impossible(const UuidVerdict& one, const UuidVerdict& other) {
  const auto i_am_behind = [](int rule) { return rule == 20 || (rule >= 50 && rule <= 60); };
  return i_am_behind(one.rule) && i_am_behind(other.rule);
}

TEST(UuidCompare, BothSidesComeToMirroredVerdicts) {
  Prng prng(5);
  int compared = 0;
  for (int i = 0; i < 200000; ++i) {
    UuidComparison input = sets(random_set(prng), random_set(prng));
    input.own_crashed_primary = prng.chance(1, 3);
    input.peer_crashed_primary = prng.chance(1, 3);
    input.own_role = prng.chance(1, 2) ? Role::Primary : Role::Secondary;
    input.peer_role = prng.chance(1, 2) ? Role::Primary : Role::Secondary;
    input.resolve_conflicts = prng.chance(1, 2);
    const UuidVerdict mine = compare_uuids(input);
    const UuidVerdict theirs = compare_uuids(mirrored(input));
    if (impossible(mine, theirs)) continue;
    ++compared;
    ASSERT_STREQ(name_of(theirs.decision), name_of(opposite(mine.decision)))
        << "rule " << mine.rule << " against rule " << theirs.rule;
  }
  EXPECT_GT(compared, 150000);
}

}  // namespace
}  // namespace bascule::drbd
