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

TEST_F(Pair, TwoDoNotBecomeOneByAVote) {
  bench.step(1, ProposeConfiguration{5, {{1}, {2}}});
  EXPECT_EQ(last_answer(1).outcome, ProposalOutcome::Invalid);
}

class PairAndSpare : public Pair {
 protected:
  PairAndSpare() : Pair(1) {
    bench.step(1, ProposeConfiguration{0, {{1, 2}, {3}}});
    bench.run(milliseconds(200));
  }
};

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
