#include <gtest/gtest.h>

#include "core/consensus/bench_test.h"

// Named after the sections of Ongaro's dissertation.

namespace bascule::consensus {
namespace {

Propose command(std::uint64_t id) { return {id, Bytes{static_cast<Byte>(id)}}; }

/// Three servers, 1 leads term 2, entry 2 is its no-op and committed.
struct Three : Bench {
  Three() : Bench(3) {
    start_all();
    elect(1);
  }
};

/// The last answer to a vote request among the mail.
bool last_vote_granted(const std::deque<Bench::Envelope>& mail) {
  std::optional<bool> granted;
  for (const auto& each : mail)
    if (const auto* response = std::get_if<raft::VoteResponse>(&each.message)) granted = response->granted;
  BASCULE_ASSERT(granted.has_value());
  return *granted;
}

// 3.3, 3.4: leader election

TEST(Paper3_4, TheFirstMembersElectOneLeaderByThemselves) {
  Bench bench(3);
  bench.start_all();
  bench.run(seconds(2));
  int leaders = 0;
  for (ServerId id : {1, 2, 3}) leaders += bench.role(id) == Role::Leader;
  EXPECT_EQ(leaders, 1);
}

TEST(Paper3_4, OneVotePerTermAlsoAcrossARestart) {
  Bench bench(3);
  bench.start_all();
  bench.wait(seconds(1));
  bench.step(2, MessageReceived{1, raft::VoteRequest{5, false, 1, 1, 0}});
  EXPECT_EQ(bench.status(2).vote, 1u);
  bench.crash(2);
  bench.start(2);
  bench.wait(seconds(1));
  bench.lose_mail();
  bench.step(2, MessageReceived{3, raft::VoteRequest{5, false, 1, 1, 0}});
  EXPECT_FALSE(last_vote_granted(bench.mail()));
  bench.step(2, MessageReceived{1, raft::VoteRequest{5, false, 1, 1, 0}});
  EXPECT_TRUE(last_vote_granted(bench.mail())) << "the same one may ask again";
}

TEST(Paper3_8, AVoteIsNotSentBeforeItIsDurable) {
  Bench bench(3);
  bench.start_all();
  bench.wait(seconds(1));
  bench.at(2).hold_disk = true;
  bench.step(2, MessageReceived{1, raft::VoteRequest{5, false, 1, 1, 0}});
  EXPECT_TRUE(bench.mail().empty());
  bench.finish_writes(2);
  ASSERT_EQ(bench.mail().size(), 1u);
  EXPECT_TRUE(std::get<raft::VoteResponse>(bench.mail().front().message).granted);
}

TEST(Paper3_6_1, AShorterLogGetsNoVote) {
  Three bench;
  bench.isolate(3);
  bench.step(1, command(7));
  bench.deliver_all();
  bench.heal();
  bench.crash(1);
  bench.wait(seconds(1));
  bench.make_stand(3);
  bench.deliver_all();
  EXPECT_NE(bench.role(3), Role::Leader);
  bench.run(seconds(2));
  EXPECT_EQ(bench.role(2), Role::Leader);
  EXPECT_EQ(bench.at(3).applied, bench.at(2).applied);
}

// 3.5: log replication

TEST(Paper3_5, ACommandIsCommittedByAMajorityAndAppliedEverywhere) {
  Three bench;
  bench.isolate(3);
  bench.step(1, command(7));
  bench.deliver_all();
  ASSERT_EQ(bench.at(1).done.size(), 1u);
  EXPECT_EQ(bench.at(1).done[0].outcome, ProposalOutcome::Committed);
  bench.heal();
  bench.run(milliseconds(200));
  for (ServerId id : {1, 2, 3}) EXPECT_EQ(bench.at(id).applied, std::vector<Index>{3});
}

TEST(Paper3_5, AFollowerThatDivergedTakesTheLeadersLog) {
  Three bench;
  bench.isolate(1);
  for (std::uint64_t id : {10, 11, 12}) bench.step(1, command(id));
  bench.elect(2);
  bench.step(2, command(20));
  bench.deliver_all();
  bench.heal();
  bench.run(milliseconds(400));
  EXPECT_EQ(bench.role(1), Role::Follower);
  EXPECT_EQ(bench.at(1).disk.entries, bench.at(2).disk.entries);
  for (const auto& done : bench.at(1).done) EXPECT_EQ(done.outcome, ProposalOutcome::Unknown);
  EXPECT_EQ(bench.at(1).done.size(), 3u);
}

TEST(Paper3_5, AnAnswerClaimsOnlyWhatTheRequestVerified) {
  Three bench;
  bench.isolate(1);
  for (std::uint64_t id : {10, 11, 12}) bench.step(1, command(id));  // 3, 4, 5 of term 2, nowhere else
  bench.heal();
  bench.lose_mail();
  bench.step(1, MessageReceived{2, raft::AppendRequest{3, 1, 2, 2, 2, {}}});
  const auto answer = std::get<raft::AppendResponse>(bench.mail().back().message);
  EXPECT_TRUE(answer.success);
  EXPECT_EQ(answer.index, 2u);
  EXPECT_EQ(bench.status(1).last_index, 5u) << "a heartbeat proves nothing about the rest, and removes nothing";
}

TEST(Paper3_6_2, EntriesOfEarlierTermsAreNotCommittedByCounting) {
  // Figure 3.7 of the dissertation (figure 8 of the paper), up to (c).
  Bench bench(3);
  bench.start_all();
  bench.elect(1);
  bench.isolate(1);
  bench.step(1, command(10));  // index 3, term 2, only on 1
  bench.heal();
  bench.lose_mail();
  bench.crash(1);
  bench.start(1);
  bench.wait(seconds(1));
  bench.at(1).hold_disk = false;
  bench.make_stand(1);
  for (int i = 0; !bench.mail().empty() && bench.role(1) != Role::Leader; ++i) bench.deliver_next();
  ASSERT_EQ(bench.role(1), Role::Leader);
  bench.lose_mail();  // the new term's no-op reaches nobody
  const Term term = bench.status(1).leadership.term;
  for (ServerId id : {2, 3}) bench.step(1, MessageReceived{id, raft::AppendResponse{term, 1, true, 3, 0, 0}});
  EXPECT_LT(bench.status(1).commit_index, 3u) << "a majority has entry 3, but it is of an earlier term";
  for (ServerId id : {2, 3}) bench.step(1, MessageReceived{id, raft::AppendResponse{term, 1, true, 4, 0, 0}});
  EXPECT_EQ(bench.status(1).commit_index, 4u);
}

TEST(AsynchronousDisk, HeartbeatsAreAnsweredWhileAnEntryIsBeingWritten) {
  Three bench;
  bench.at(2).hold_disk = bench.at(3).hold_disk = true;
  bench.step(1, command(7));
  bench.run(seconds(1));
  EXPECT_EQ(bench.role(1), Role::Leader);
  EXPECT_EQ(bench.status(1).commit_index, 2u);
  EXPECT_GT(*bench.status(1).leadership.lease_until, bench.now());
  bench.finish_writes(2);
  bench.deliver_all();
  EXPECT_EQ(bench.status(1).commit_index, 3u);
}

TEST(AsynchronousDisk, AFailedWriteEndsTheServer) {
  Three bench;
  bench.at(1).hold_disk = true;
  bench.step(1, command(7));
  bench.step(1, PersistFailed{"no space"});
  EXPECT_TRUE(bench.at(1).stopped);
  EXPECT_EQ(bench.role(1), Role::Stopped);
  EXPECT_EQ(bench.at(1).done.at(0).outcome, ProposalOutcome::Unknown);
  bench.lose_mail();
  bench.step(1, Tick{});
  EXPECT_TRUE(bench.mail().empty());
}

// 3.10: transfer

TEST(Paper3_10, LeadershipIsHandedOverAtOnce) {
  Three bench;
  bench.step(1, TransferLeadership{3});
  EXPECT_FALSE(bench.status(1).leadership.lease_until) << "no lease from the moment that the successor is told";
  bench.step(1, command(8));
  EXPECT_EQ(bench.at(1).done.back().outcome, ProposalOutcome::Transferring);
  bench.deliver_all();
  EXPECT_EQ(bench.role(3), Role::Leader);
  EXPECT_EQ(bench.role(1), Role::Follower);
}

TEST(Paper3_10, ATransferThatFailsIsGivenUpAndTheLeaseComesBack) {
  Three bench;
  bench.crash(3);
  bench.step(1, TransferLeadership{3});
  bench.run(milliseconds(700));
  EXPECT_EQ(bench.role(1), Role::Leader);
  EXPECT_EQ(bench.status(1).transferring_to, 0u);
  EXPECT_GT(*bench.status(1).leadership.lease_until, bench.now());
}

TEST(Paper3_10, AnOrderToStandThatComesLateIsVoid) {
  Three bench;
  bench.step(1, TransferLeadership{3});
  const auto order = bench.mail().front();
  ASSERT_TRUE(std::holds_alternative<raft::TimeoutNow>(order.message));
  bench.lose_mail();
  bench.run(milliseconds(700));  // given up; 3 has answered later rounds, and the lease stands on them
  ASSERT_GT(*bench.status(1).leadership.lease_until, bench.now());
  bench.step(3, MessageReceived{1, order.message});
  EXPECT_EQ(bench.role(3), Role::Follower);
}

TEST(Preference, TheWitnessLeadsAndItStaysSo) {
  Bench bench(3);
  for (ServerId id : {1, 2, 3}) bench.at(id).config.leader_preference = {3};
  bench.start_all();
  bench.elect(1);
  bench.run(seconds(3));
  EXPECT_EQ(bench.role(3), Role::Leader);
  const Term term = bench.status(3).leadership.term;
  bench.run(seconds(60));
  EXPECT_EQ(bench.status(3).leadership.term, term) << "no further election";
}

// 4.2: members

Configuration voters(std::vector<ServerId> voters, std::vector<ServerId> learners = {}) { return {voters, learners}; }

TEST(Paper4_2, ALearnerCatchesUpAndBecomesAVoter) {
  Bench bench(3, 1);
  bench.start_all();
  bench.elect(1);
  bench.step(1, ProposeConfiguration{1, voters({1, 2, 3, 4})});
  EXPECT_EQ(bench.at(1).done.back().why, "a new voter must be a learner first");
  bench.step(1, ProposeConfiguration{2, voters({1, 2, 3}, {4})});
  bench.run(milliseconds(300));
  EXPECT_EQ(bench.status(4).configuration, voters({1, 2, 3}, {4}));
  bench.step(1, ProposeConfiguration{3, voters({1, 2, 3, 4})});
  bench.run(milliseconds(300));
  EXPECT_EQ(bench.at(1).done.back().outcome, ProposalOutcome::Committed);
  EXPECT_EQ(bench.status(4).configuration, voters({1, 2, 3, 4}));
}

TEST(Paper4_1, OneVoterAtATime) {
  Three bench;
  bench.step(1, ProposeConfiguration{1, voters({1})});
  EXPECT_EQ(bench.at(1).done.back().why, "more than one voter would change");
  bench.isolate(1);
  bench.step(1, ProposeConfiguration{2, voters({1, 2})});
  bench.step(1, ProposeConfiguration{3, voters({1})});
  EXPECT_EQ(bench.at(1).done.back().why, "another change of members is under way");
}

TEST(Paper4_1, AConfigurationThatIsTruncatedIsRolledBackAlsoAcrossARestart) {
  Three bench;
  bench.isolate(1);
  bench.step(1, ProposeConfiguration{1, voters({1, 2})});
  EXPECT_EQ(bench.status(1).configuration, voters({1, 2})) << "in force when appended";
  bench.crash(1);
  bench.start(1);
  EXPECT_EQ(bench.status(1).configuration, voters({1, 2})) << "also after a restart";
  bench.elect(2);
  bench.heal();
  bench.run(milliseconds(500));
  EXPECT_EQ(bench.status(1).configuration, voters({1, 2, 3}));
  bench.crash(1);
  bench.start(1);
  EXPECT_EQ(bench.status(1).configuration, voters({1, 2, 3}));
}

TEST(Paper4_2_2, ALeaderThatRemovesItselfLeadsUntilThatIsCommitted) {
  Three bench;
  bench.step(1, ProposeConfiguration{1, voters({2, 3})});
  EXPECT_EQ(bench.role(1), Role::Leader);
  bench.deliver_all();
  EXPECT_EQ(bench.role(1), Role::Follower);
  bench.run(seconds(2));
  EXPECT_TRUE(bench.role(2) == Role::Leader || bench.role(3) == Role::Leader);
  EXPECT_EQ(bench.role(1), Role::Follower);
}

// 4.2.3, 6.4.1: disruption, check-quorum, lease

TEST(Paper4_2_3, AServerThatWasAwayDoesNotDisturb) {
  Three bench;
  bench.isolate(3);
  bench.run(seconds(5));
  const Term term = bench.status(1).leadership.term;
  EXPECT_EQ(bench.status(3).leadership.term, term) << "pre-vote: no term is used up";
  bench.heal();
  bench.run(seconds(1));
  EXPECT_EQ(bench.role(1), Role::Leader);
  EXPECT_EQ(bench.status(1).leadership.term, term);
}

TEST(Paper4_2_3, NoVoteWithinTheMinimumOfHearingFromALeader) {
  Three bench;
  bench.lose_mail();
  bench.wait(milliseconds(149));
  bench.step(2, MessageReceived{3, raft::VoteRequest{9, false, 99, 8, 0}});
  EXPECT_TRUE(bench.mail().empty());
  EXPECT_EQ(bench.status(2).leadership.term, 2u) << "not even the term";
  bench.wait(milliseconds(1));
  bench.step(2, MessageReceived{3, raft::VoteRequest{9, false, 99, 8, 0}});
  EXPECT_EQ(bench.status(2).leadership.term, 9u);
}

TEST(Paper4_2_3, NorWithinTheMinimumOfARestart) {
  Three bench;
  bench.crash(2);
  bench.wait(seconds(10));
  bench.start(2);
  bench.lose_mail();
  bench.wait(milliseconds(149));
  bench.step(2, MessageReceived{3, raft::VoteRequest{9, false, 99, 8, 0}});
  EXPECT_TRUE(bench.mail().empty());
}

TEST(Paper6_2, ALeaderWithoutAMajorityStepsDown) {
  Three bench;
  bench.isolate(1);
  bench.run(milliseconds(400));
  EXPECT_EQ(bench.role(1), Role::Follower);
}

TEST(Lease, CountsFromTheSendingOfTheRound) {
  Three bench;
  bench.run(milliseconds(200));
  bench.lose_mail();
  bench.make_stand(1);  // the next heartbeat
  const Instant sent = bench.now();
  bench.wait(milliseconds(40));
  bench.deliver_all();
  EXPECT_EQ(*bench.status(1).leadership.lease_until, sent + milliseconds(135)) << "150 ms less a tenth";
}

// 6.4: reads

TEST(Paper6_4, AReadWaitsForAMajorityButWritesNothing) {
  Three bench;
  const Index last = bench.status(1).last_index;
  bench.step(1, ReadIndex{5});
  EXPECT_TRUE(bench.at(1).reads_ready.empty());
  bench.deliver_all();
  EXPECT_EQ(bench.at(1).reads_ready, std::vector<std::uint64_t>{5});
  EXPECT_EQ(bench.status(1).last_index, last);
}

TEST(Paper6_4, AFollowerAsksTheLeader) {
  Three bench;
  bench.step(2, ReadIndex{6});
  bench.deliver_all();
  EXPECT_EQ(bench.at(2).reads_ready, std::vector<std::uint64_t>{6});
}

TEST(Paper6_4, ADeposedLeaderAnswersNoRead) {
  Three bench;
  bench.isolate(1);
  bench.step(1, ReadIndex{5});
  bench.run(seconds(1));
  EXPECT_TRUE(bench.at(1).reads_ready.empty());
  EXPECT_EQ(bench.at(1).reads_failed, std::vector<std::uint64_t>{5});
}

// 5: snapshots

TEST(Paper5_3, AFollowerThatIsTooFarBehindGetsTheSnapshotInPieces) {
  Bench bench(3);
  for (ServerId id : {1, 2, 3}) {
    bench.at(id).config.snapshot_chunk_bytes = 10;
    bench.at(id).config.snapshot_tail_entries = 0;
  }
  bench.start_all();
  bench.elect(1);
  bench.crash(3);
  for (std::uint64_t id = 10; id < 20; ++id) bench.step(1, command(id));
  bench.deliver_all();
  const std::string state(95, 'x');
  bench.step(1, SnapshotTaken{12, std::make_shared<const Bytes>(state.begin(), state.end())});
  EXPECT_EQ(bench.status(1).base_index, 12u);
  bench.start(3);
  bench.run(seconds(1));
  EXPECT_EQ(bench.at(3).restored, state);
  EXPECT_EQ(bench.status(3).snapshot_index, 12u);
  EXPECT_EQ(bench.status(3).configuration, bench.members()) << "the members come with it";
  bench.step(1, command(30));
  bench.run(milliseconds(200));
  EXPECT_EQ(bench.at(3).applied, std::vector<Index>{13});
  bench.crash(3);
  bench.start(3);
  EXPECT_EQ(bench.status(3).commit_index, 12u);
  EXPECT_EQ(bench.status(3).last_index, 13u);
}

// Limits

TEST(Limits, TooMuchAndTooLargeIsRefused) {
  Three bench;
  bench.isolate(1);
  bench.step(1, Propose{1, Bytes(raft::payload_bytes_max + 1)});
  EXPECT_EQ(bench.at(1).done.back().outcome, ProposalOutcome::Invalid);
  for (std::uint64_t id = 2; id < 2000; ++id) bench.step(1, command(id));
  EXPECT_EQ(bench.at(1).done.back().outcome, ProposalOutcome::Busy);
  EXPECT_LE(bench.status(1).last_index, bench.at(1).config.uncommitted_entries_max + 2);
  bench.step(2, command(1));
  EXPECT_EQ(bench.at(2).done.back().outcome, ProposalOutcome::NotLeader);
}

TEST(Limits, ASingleServerLeadsAlone) {
  Bench bench(1);
  bench.start_all();
  bench.run(seconds(1));
  ASSERT_EQ(bench.role(1), Role::Leader);
  EXPECT_GT(*bench.status(1).leadership.lease_until, bench.now());
  bench.step(1, command(4));
  bench.step(1, ReadIndex{9});
  EXPECT_EQ(bench.at(1).applied, std::vector<Index>{3});
  EXPECT_EQ(bench.at(1).reads_ready, std::vector<std::uint64_t>{9});
}

}  // namespace
}  // namespace bascule::consensus
