#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "runtime/sim/consensus/cluster.h"

namespace bascule::sim {
namespace {

using consensus::Canary;

TEST(ConsensusSimulation, TheSameSeedGivesTheSameRun) {
  for (const auto& profile : profiles()) {
    const Outcome once = run_seed(profile, 42), again = run_seed(profile, 42, {.trace = true});
    EXPECT_EQ(once.event_hash, again.event_hash) << profile.name;
    EXPECT_NE(once.event_hash, run_seed(profile, 43).event_hash) << profile.name;
    EXPECT_FALSE(again.last_events.empty());
  }
}

class CleanProfile : public ::testing::TestWithParam<Profile> {};

TEST_P(CleanProfile, KeepsEveryPromise) {
  constexpr std::uint64_t seeds = 200;
  std::size_t fencings = 0, alone = 0, taken = 0;
  std::size_t crashes = 0, elections = 0, commits = 0, snapshots = 0, member_changes = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const Outcome outcome = run_seed(GetParam(), seed);
    ASSERT_FALSE(outcome.violation) << "seed " << seed << ": " << *outcome.violation;
    crashes += outcome.crashes, elections += outcome.elections, commits += outcome.commits;
    snapshots += outcome.snapshots_restored, member_changes += outcome.member_changes;
    fencings += outcome.fencings, alone += outcome.turns_alone, taken += outcome.votes_taken;
  }
  // The trouble must really have been there, and the cluster must have worked in spite of it.
  EXPECT_GT(crashes / seeds, 30u);
  EXPECT_GT(elections / seeds, 10u);
  EXPECT_GT(commits / seeds, 100u);
  EXPECT_EQ(snapshots / seeds > 10, GetParam().snapshots);
  EXPECT_EQ(member_changes / seeds > 10, GetParam().members);
  EXPECT_EQ(fencings / seeds > 5, GetParam().two_nodes);
  EXPECT_EQ(alone / seeds > 5, GetParam().two_nodes);
  EXPECT_EQ(taken / seeds > 1, GetParam().two_nodes);
}

/// Seeds that once ended badly.
TEST(ConsensusSimulation, WhatWasFoundStaysMended) {
  const Outcome outcome = run_seed(*profile_named("disk"), 10592);  // a log was cut on a disk that did not write
  EXPECT_FALSE(outcome.violation) << *outcome.violation;
}

std::string name_of(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '+' || c == '-'; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Profiles, CleanProfile, ::testing::ValuesIn(profiles()),
                         [](const auto& each) { return name_of(std::string(each.param.name)); });

}  // namespace
}  // namespace bascule::sim
