#include "core/reconfiguration/members.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/prng.h"

namespace bascule::reconfiguration {
namespace {

using raft::Configuration;
using raft::ServerId;

config::ClusterConfig nodes_with(const std::vector<ServerId>& voters, const std::vector<ServerId>& others) {
  config::ClusterConfig config;
  for (const ServerId id : voters) config.nodes.push_back({"n" + std::to_string(id), config::NodeRole::data, "", id});
  for (const ServerId id : others) {
    config.nodes.push_back({"n" + std::to_string(id), config::NodeRole::data, "", id});
    config.nodes.back().has_vote = false;
  }
  return config;
}

MemberView all_well(ServerId) { return {true, true}; }

TEST(MemberSteps, ANewVoterLearnsFirst) {
  const auto wanted = nodes_with({1, 2, 3, 4, 5}, {});
  const auto first = next_member_step({{1, 2, 3}, {}}, wanted, 1, all_well);
  ASSERT_TRUE(first.propose);
  EXPECT_EQ(*first.propose, (Configuration{{1, 2, 3}, {4}}));
  const auto later = next_member_step({{1, 2, 3}, {4, 5}}, wanted, 1, all_well);
  EXPECT_EQ(*later.propose, (Configuration{{1, 2, 3, 4}, {5}}));
  const auto behind = [](ServerId id) { return MemberView{true, id != 4 && id != 5}; };
  const auto waits = next_member_step({{1, 2, 3}, {4, 5}}, wanted, 1, behind);
  EXPECT_FALSE(waits.propose);
  EXPECT_EQ(waits.waiting, "n5 is to vote: waits until it has caught up");
}

TEST(MemberSteps, ANodeWithoutAVoteStaysALearner) {
  const auto step = next_member_step({{1, 2, 3}, {4}}, nodes_with({1, 2, 3}, {4}), 1, all_well);
  EXPECT_FALSE(step.propose);
  EXPECT_EQ(step.waiting, "");
}

TEST(MemberSteps, TheLeaderHandsOverBeforeItGoes) {
  const auto step = next_member_step({{1, 2, 3}, {}}, nodes_with({2, 3}, {}), 1, all_well);
  EXPECT_FALSE(step.propose);
  EXPECT_EQ(step.hand_over_to, 2u);
}

TEST(MemberSteps, WhoSaidGoodbyeHasNoVoteUntilItIsBack) {
  const auto wanted = nodes_with({1, 2}, {});
  const auto there = next_member_step({{1, 2}, {}}, wanted, 1, all_well, {2});
  ASSERT_TRUE(there.propose);
  EXPECT_EQ(*there.propose, (Configuration{{1}, {2}}));
  EXPECT_EQ(next_member_step({{1, 2}, {}}, wanted, 2, all_well, {2}).hand_over_to, 1u) << "it leads";
  const auto away = next_member_step({{1}, {2}}, wanted, 1, all_well, {2});
  EXPECT_FALSE(away.propose);
  EXPECT_EQ(away.waiting, "");
  EXPECT_EQ(*next_member_step({{1}, {2}}, wanted, 1, all_well).propose, (Configuration{{1, 2}, {}}));
}

TEST(MemberSteps, OfTwoTheOneThatLeavesStaysALearnerFirst) {
  const auto wanted = nodes_with({1}, {});
  EXPECT_EQ(*next_member_step({{1, 2}, {}}, wanted, 1, all_well).propose, (Configuration{{1}, {2}}));
  EXPECT_EQ(*next_member_step({{1}, {2}}, wanted, 1, all_well).propose, (Configuration{{1}, {}}));
}

TEST(MemberSteps, NothingIsDoneThatWouldLeaveNoMajority) {
  const auto only_1 = [](ServerId id) { return MemberView{id == 1, id == 1}; };
  const auto step = next_member_step({{1, 2, 3}, {}}, nodes_with({1, 2}, {}), 1, only_1);
  EXPECT_FALSE(step.propose);
  EXPECT_NE(step.waiting, "");
}

TEST(MemberSteps, AChangeThatWouldLoseTheMajorityIsRefusedInWords) {
  const auto from = nodes_with({1, 2, 3, 4, 5}, {});
  const auto online = [](const std::string&) { return true; };
  EXPECT_EQ(reason_not_to_change_members(from, nodes_with({1, 2, 3}, {}), online), "");
  EXPECT_NE(reason_not_to_change_members(from, nodes_with({1}, {}), online), "");
  const auto one_down = [](const std::string& name) { return name != "n1"; };
  EXPECT_NE(reason_not_to_change_members(nodes_with({1, 2, 3}, {}), nodes_with({1, 2}, {4}), one_down), "");
  EXPECT_EQ(reason_not_to_change_members(from, from, [](const std::string&) { return false; }), "")
      << "who changes no member needs nobody";
}

/// From any members to any others, with some of them away at times: it arrives, one voter at a time, and a majority of
/// what is in force is always there.
TEST(MemberSteps, PropertyItArrives) {
  Prng prng(7);
  for (int world = 0; world < 3000; ++world) {
    Configuration members{{1, 2, 3}, {}};
    std::vector<ServerId> voters, others;
    for (ServerId id = 1; id <= 7; ++id) {
      if (prng.chance(1, 2))
        voters.push_back(id);
      else if (prng.chance(1, 3))
        others.push_back(id);
    }
    if (std::count_if(voters.begin(), voters.end(), [](ServerId id) { return id <= 3; }) < 2) continue;
    const auto wanted = nodes_with(voters, others);
    ServerId leader = 1;
    for (int turn = 0; turn < 100; ++turn) {
      std::set<ServerId> away;
      if (turn < 50 && prng.chance(1, 3)) away.insert(static_cast<ServerId>(prng.between(1, 7)));
      away.erase(leader);
      const auto view = [&](ServerId id) { return MemberView{!away.contains(id), !away.contains(id)}; };
      const auto step = next_member_step(members, wanted, leader, view);
      if (step.hand_over_to != 0) leader = step.hand_over_to;
      if (!step.propose) continue;
      std::vector<ServerId> changed;
      std::set_symmetric_difference(members.voters.begin(), members.voters.end(), step.propose->voters.begin(),
                                    step.propose->voters.end(), std::back_inserter(changed));
      ASSERT_LE(changed.size(), 1u);
      ASSERT_TRUE(raft::is_well_formed(*step.propose));
      members = *step.propose;
      const auto there =
          std::count_if(members.voters.begin(), members.voters.end(), [&](ServerId id) { return !away.contains(id); });
      ASSERT_GT(2 * static_cast<std::size_t>(there), members.voters.size());
    }
    ASSERT_EQ(members, (Configuration{voters, others}));
  }
}

}  // namespace
}  // namespace bascule::reconfiguration
