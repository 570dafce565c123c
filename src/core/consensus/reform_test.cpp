#include <gtest/gtest.h>

#include "core/consensus/bench_test.h"

// One of two voters goes on alone (README, "Two voters").

namespace bascule::consensus {
namespace {

Propose reform_command(std::uint64_t id) { return {id, Bytes(8, static_cast<Byte>(id))}; }

class Pair : public ::testing::Test {
 protected:
  explicit Pair(std::size_t spares = 0) : bench(2, spares) {
    bench.start_all();
    bench.elect(1);
    bench.step(1, reform_command(1));
    bench.deliver_all();
  }
  void read_at(ServerId id) {
    bench.step(id, ReadIndex{77});
    bench.deliver_all();
  }
  ProposalDone last_answer(ServerId id) { return bench.at(id).done.back(); }
  Reform without(ServerId lost, bool told = false) { return Reform{99, lost, bench.now(), told}; }

  Bench bench;
};

TEST_F(Pair, TheSurvivorLeadsANewGenerationAloneAndTakesTheOtherInAgain) {
  bench.crash(2);
  bench.wait(seconds(1));
  bench.step(1, without(2));
  EXPECT_EQ(bench.role(1), Role::Leader);
  EXPECT_EQ(raft::generation_of(bench.status(1).leadership.term), 1u);
  EXPECT_EQ(bench.status(1).configuration.voters, std::vector<ServerId>{1});
  EXPECT_EQ(last_answer(1).outcome, ProposalOutcome::Committed);
  bench.step(1, reform_command(2));
  EXPECT_EQ(last_answer(1).outcome, ProposalOutcome::Committed);

  bench.start(2);
  bench.run(seconds(1));
  EXPECT_EQ(bench.role(1), Role::Leader);
  EXPECT_EQ(bench.role(2), Role::Follower) << "with its log of before it cannot stand";
  bench.step(1, ProposeConfiguration{0, {{1}, {2}}});
  bench.run(milliseconds(200));
  bench.step(1, ProposeConfiguration{0, {{1, 2}, {}}});
  bench.run(milliseconds(200));
  EXPECT_EQ(bench.status(2).configuration.voters, (std::vector<ServerId>{1, 2}));
  EXPECT_EQ(bench.status(1).commit_index, bench.status(2).commit_index);
}

TEST_F(Pair, WhoGaveItsVoteAwayGoesOnAloneOnlyWhenItIsTold) {
  bench.step(1, ProposeConfiguration{0, {{1}, {2}}});
  bench.run(milliseconds(200));
  ASSERT_EQ(bench.status(2).configuration.voters, std::vector<ServerId>{1});
  bench.crash(1);
  bench.wait(seconds(1));
  EXPECT_FALSE(bench.status(2).may_reform);
  bench.step(2, without(1));
  EXPECT_EQ(last_answer(2).outcome, ProposalOutcome::Invalid) << "the other one has decided alone since";
  bench.step(2, without(1, true));
  EXPECT_EQ(bench.role(2), Role::Leader);
  EXPECT_EQ(bench.status(2).configuration.voters, std::vector<ServerId>{2});
  EXPECT_TRUE(bench.status(2).configuration.learners.empty());
  bench.step(2, reform_command(2));
  EXPECT_EQ(last_answer(2).outcome, ProposalOutcome::Committed);
}

TEST_F(Pair, WhoWasNotUpToDateSinceItsStartIsRefused) {
  bench.crash(2);
  bench.start(2);
  bench.crash(1);
  bench.wait(seconds(1));
  EXPECT_FALSE(bench.status(2).may_reform);
  bench.step(2, without(1));
  EXPECT_EQ(last_answer(2).outcome, ProposalOutcome::Invalid);
  EXPECT_NE(bench.role(2), Role::Leader);
  bench.step(2, without(1, true));
  EXPECT_EQ(bench.role(2), Role::Leader) << "a person takes it upon himself";
}

TEST_F(Pair, AFollowerIsUpToDateWhenALeaderHasAnsweredItsOwnQuestion) {
  EXPECT_FALSE(bench.status(2).may_reform) << "what it was sent may have been on its way for long";
  read_at(2);
  EXPECT_TRUE(bench.status(2).may_reform);
  bench.crash(1);
  bench.wait(seconds(1));
  bench.step(2, without(1));
  EXPECT_EQ(bench.role(2), Role::Leader);
}

TEST_F(Pair, AProofOfBeforeTheLastWordOfTheOtherIsNone) {
  const auto early = without(2);
  bench.run(seconds(1));
  bench.step(1, early);
  EXPECT_EQ(last_answer(1).outcome, ProposalOutcome::Invalid);
  EXPECT_NE(last_answer(1).why.find("heard again"), std::string::npos);
}

TEST_F(Pair, OnlyTheOtherOfTwoCanBeGoneWithout) {
  for (const ServerId nonsense : {1u, 3u}) {
    bench.step(1, without(nonsense));
    EXPECT_EQ(last_answer(1).outcome, ProposalOutcome::Invalid);
  }
  Bench three(3);
  three.start_all();
  three.elect(1);
  three.step(1, Reform{99, 2, three.now() + seconds(1), true});
  EXPECT_EQ(three.at(1).done.back().outcome, ProposalOutcome::Invalid);
}

TEST_F(Pair, APowerFailureInTheMiddleOfItIsCarriedOnWith) {
  bench.crash(2);
  bench.at(1).hold_disk = true;
  bench.wait(seconds(1));
  bench.step(1, without(2));
  EXPECT_NE(bench.role(1), Role::Leader) << "nothing counts before it is durable";
  const auto change = bench.at(1).writing.front().change;
  ASSERT_TRUE(change.hard_state);
  bench.crash(1);
  bench.at(1).disk.hard_state = *change.hard_state;  // the first of two records; the second is torn
  bench.at(1).hold_disk = false;
  bench.start(1);
  bench.run(seconds(1));
  EXPECT_EQ(bench.role(1), Role::Leader);
  EXPECT_EQ(bench.status(1).configuration.voters, std::vector<ServerId>{1});
}

TEST_F(Pair, WhoOnlyHeardOfANewGenerationDoesNotStand) {
  bench.crash(2);
  bench.wait(seconds(1));
  bench.step(1, without(2));
  bench.start(2);
  bench.run(seconds(1));
  bench.crash(1);
  bench.run(seconds(5));
  EXPECT_EQ(bench.role(2), Role::Follower);
}

TEST_F(Pair, TwoBecomeOneOnlyWhenBothKnowIt) {
  bench.isolate(2);
  bench.step(1, ProposeConfiguration{5, {{1}, {2}}});
  bench.run(milliseconds(100));
  bench.step(1, reform_command(2));
  bench.run(milliseconds(100));
  EXPECT_FALSE(bench.status(1).configuration_committed) << "2 could go on alone without knowing of it";
  EXPECT_LT(bench.status(1).commit_index, bench.status(1).last_index);
  bench.heal();
  bench.run(milliseconds(500));
  EXPECT_TRUE(bench.status(1).configuration_committed);
  EXPECT_EQ(bench.status(1).commit_index, bench.status(1).last_index);
  bench.crash(2);
  bench.wait(seconds(1));
  bench.step(1, reform_command(3));
  bench.run(milliseconds(100));
  EXPECT_EQ(last_answer(1).outcome, ProposalOutcome::Committed);
}

/// Seed 66 of the profile two-nodes: the newest voters had it, and one of the two that decided when it was proposed had
/// not.
TEST_F(Pair, WhatCameBeforeTheEndOfBeingTwoNeedsBothToo) {
  bench.isolate(2);
  bench.step(1, reform_command(2));
  const Index committed = bench.status(1).commit_index;
  bench.step(1, ProposeConfiguration{5, {{1}, {2}}});
  bench.run(milliseconds(100));
  EXPECT_EQ(bench.status(1).commit_index, committed);
}

TEST_F(Pair, OfTwoTheOneThatLeadsStaysAndTheOtherMustBeThere) {
  bench.step(1, ProposeConfiguration{5, {{2}, {1}}});
  EXPECT_EQ(last_answer(1).outcome, ProposalOutcome::Invalid);
  bench.crash(2);
  bench.run(milliseconds(400));
  bench.step(1, ProposeConfiguration{6, {{1}, {2}}});
  EXPECT_NE(last_answer(1).outcome, ProposalOutcome::Committed);
  EXPECT_EQ(bench.status(1).configuration.voters, (std::vector<ServerId>{1, 2}));
}

/// Nothing is sent to whoever is no member: it would never hear of it, and nothing would be committed any more.
TEST_F(Pair, OfTwoTheOneThatLeavesStaysALearnerFirst) {
  bench.step(1, ProposeConfiguration{5, {{1}, {}}});
  EXPECT_EQ(last_answer(1).outcome, ProposalOutcome::Invalid);
  bench.step(1, ProposeConfiguration{6, {{1}, {2}}});
  bench.run(milliseconds(100));
  bench.step(1, ProposeConfiguration{7, {{1}, {}}});
  bench.run(milliseconds(100));
  EXPECT_EQ(last_answer(1).outcome, ProposalOutcome::Committed);
}

TEST_F(Pair, WhoDecidesAloneDoesSoAfterARestartToo) {
  bench.step(1, ProposeConfiguration{5, {{1}, {2}}});
  bench.run(milliseconds(200));
  bench.crash(2);
  bench.crash(1);
  bench.start(1);
  bench.run(seconds(1));
  bench.step(1, reform_command(2));
  bench.run(milliseconds(100));
  EXPECT_EQ(last_answer(1).outcome, ProposalOutcome::Committed);
}

/// The other one died before it could answer.
TEST_F(Pair, WhoWasToDecideAloneIsStillOneOfTwoUntilTheOtherOneKnows) {
  bench.isolate(2);
  bench.step(1, ProposeConfiguration{5, {{1}, {2}}});
  bench.crash(2);
  bench.run(milliseconds(100));
  ASSERT_FALSE(bench.status(1).configuration_committed);
  EXPECT_EQ(bench.status(1).other_of_two, 2u);
  EXPECT_TRUE(bench.status(1).may_reform);
  bench.step(1, without(2));
  bench.step(1, reform_command(2));
  bench.run(milliseconds(100));
  EXPECT_EQ(last_answer(1).outcome, ProposalOutcome::Committed);
}

/// It has the entry, and cannot know whether its answer arrived before the other one died.
TEST_F(Pair, WhoIsToHaveNoVoteIsNotOneOfTwoAnyMore) {
  bench.step(1, ProposeConfiguration{5, {{1}, {2}}});
  bench.deliver_all();
  ASSERT_EQ(bench.status(2).configuration.voters, std::vector<ServerId>{1});
  EXPECT_EQ(bench.status(2).other_of_two, 0u);
  EXPECT_FALSE(bench.status(2).may_reform);
}

class PairAndSpare : public Pair {
 protected:
  PairAndSpare() : Pair(1) {
    bench.step(1, ProposeConfiguration{0, {{1, 2}, {3}}});
    bench.run(milliseconds(200));
  }
};

TEST_F(PairAndSpare, WhatCameBeforeTheThirdVoterNeedsBothOfTheTwo) {
  bench.isolate(2);
  bench.step(1, reform_command(2));
  const Index committed = bench.status(1).commit_index;
  bench.step(1, ProposeConfiguration{5, {{1, 2, 3}, {}}});
  bench.run(milliseconds(200));
  EXPECT_EQ(bench.status(3).last_index, bench.status(1).last_index) << "the learner has it";
  EXPECT_EQ(bench.status(1).commit_index, committed) << "2 could go on alone without it";
}

TEST_F(PairAndSpare, AThirdVoterCountsOnlyWhenBothOfTheTwoKnowIt) {
  bench.isolate(2);
  bench.step(1, ProposeConfiguration{5, {{1, 2, 3}, {}}});
  bench.run(milliseconds(200));
  EXPECT_FALSE(bench.status(1).configuration_committed) << "2 could go on alone without knowing of 3";
  bench.heal();
  bench.run(milliseconds(500));
  EXPECT_TRUE(bench.status(1).configuration_committed);
}

TEST_F(PairAndSpare, NewMembersAreSentOnlyWhenTheLeaderHasThemOnItsDisk) {
  bench.at(1).hold_disk = true;
  bench.step(1, ProposeConfiguration{5, {{1, 2, 3}, {}}});
  bench.deliver_all();
  EXPECT_EQ(bench.status(2).configuration.voters.size(), 2u);
  bench.at(1).hold_disk = false;
  bench.finish_writes(1);
  bench.deliver_all();
  EXPECT_EQ(bench.status(2).configuration.voters.size(), 3u);
}

}  // namespace
}  // namespace bascule::consensus
