#include "core/membership/lease_granter.h"

#include <gtest/gtest.h>

namespace bascule::membership {
namespace {

Instant at(std::int64_t ms) { return Instant(milliseconds(ms)); }

class LeaseGranterTest : public testing::Test {
 protected:
  LeaseGranterTest() {
    state_.applied_index = 5;
    state_.services["shop"].owner = "alice";
    state_.services["shop"].epoch = 9;
    state_.volumes["data"].owner = "alice";
    state_.volumes["data"].epoch = 4;
  }
  std::optional<message::LeaseGrant> answer(Instant now, Instant until = never, bool current = true,
                                            const std::string& node = "alice") {
    return granter_.answer({node, 7, 123}, now, state_, current, until, now);
  }
  store::ClusterState state_;
  const config::Timing timing_{.heartbeat = milliseconds(75), .lease = milliseconds(450)};
  LeaseGranter granter_{timing_};
};

TEST_F(LeaseGranterTest, AnswersWithWhatTheStateSays) {
  granter_.lead(3, at(1000));
  const auto grant = answer(at(1100));
  ASSERT_TRUE(grant);
  EXPECT_EQ(grant->term, 3u);
  EXPECT_EQ(grant->incarnation, 7u);
  EXPECT_EQ(grant->asked_at_ns, 123);
  EXPECT_EQ(grant->duration_ms, 450);
  EXPECT_EQ(grant->applied_index, 5u);
  ASSERT_EQ(grant->leases.size(), 2u);
  EXPECT_EQ(grant->leases[0].name, "service:shop");
  EXPECT_EQ(grant->leases[0].epoch, 9u);
  EXPECT_EQ(grant->leases[1].name, "volume:data");
  EXPECT_EQ(grant->leases[1].epoch, 4u);
  EXPECT_TRUE(answer(at(1100), never, true, "bob")->leases.empty());
}

TEST_F(LeaseGranterTest, IsSilentWithoutLeadershipLeaseOrCurrentState) {
  EXPECT_FALSE(answer(at(1000)));
  granter_.lead(3, at(1000));
  EXPECT_FALSE(answer(at(1100), at(1100)));
  EXPECT_FALSE(answer(at(1100), never, false));
  EXPECT_TRUE(answer(at(1100), at(1101)));
  granter_.follow();
  EXPECT_FALSE(answer(at(1200)));
}

TEST_F(LeaseGranterTest, AProvenFencingEndsEveryLeaseAtOnceUntilTheNodeIsAnsweredAgain) {
  state_.nodes["alice"].restart_lease_ms = 30'000;
  granter_.lead(3, at(1000));
  EXPECT_TRUE(answer(at(1100)));
  granter_.begin_fencing("alice");
  EXPECT_FALSE(answer(at(1200))) << "nothing is leased after the shot";
  EXPECT_FALSE(granter_.lease_certainly_over("alice", state_, at(9000)));
  granter_.end_fencing("alice", true);
  EXPECT_TRUE(granter_.lease_certainly_over("alice", state_, at(9000)));
  EXPECT_TRUE(answer(at(9100))) << "it is back";
  EXPECT_FALSE(granter_.lease_certainly_over("alice", state_, at(9200)));
}

TEST_F(LeaseGranterTest, AFencingThatFailedOrOfAnotherTermProvesNothing) {
  granter_.lead(3, at(1000));
  granter_.begin_fencing("alice");
  granter_.end_fencing("alice", false);
  EXPECT_FALSE(granter_.lease_certainly_over("alice", state_, at(1100)));
  granter_.begin_fencing("alice");
  granter_.end_fencing("alice", true);
  granter_.lead(4, at(1200));
  EXPECT_FALSE(granter_.lease_certainly_over("alice", state_, at(1300))) << "another leader may have answered it";
}

TEST_F(LeaseGranterTest, WaitsLeaseAndMarginSinceTheElectionForEarlierLeaders) {
  EXPECT_FALSE(granter_.lease_certainly_over("alice", state_, never));
  EXPECT_EQ(granter_.lease_over_at("alice", state_), never);
  granter_.lead(3, at(1000));
  EXPECT_EQ(granter_.lease_over_at("alice", state_), at(1490));
  EXPECT_FALSE(granter_.lease_certainly_over("alice", state_, at(1490) - Duration(1)));
  EXPECT_TRUE(granter_.lease_certainly_over("alice", state_, at(1490)));
}

TEST_F(LeaseGranterTest, WaitsSinceTheLastAnswer) {
  granter_.lead(3, at(1000));
  (void)answer(at(2000));
  EXPECT_EQ(granter_.lease_over_at("alice", state_), at(2490));
  EXPECT_EQ(granter_.lease_over_at("bob", state_), at(1490));
  (void)answer(at(2100), at(2100));
  EXPECT_EQ(granter_.lease_over_at("alice", state_), at(2490)) << "no answer, no lease";
}

TEST_F(LeaseGranterTest, ANodeWhoseManagerIsRestartedKeepsItsLeasesLongerAndATakeoverWaitsAsLong) {
  granter_.lead(3, at(1000));
  EXPECT_EQ(answer(at(1000))->duration_ms, 450);
  state_.nodes["alice"].restart_lease_ms = 30'000;
  EXPECT_EQ(answer(at(2000))->duration_ms, 30'000);
  EXPECT_EQ(granter_.lease_over_at("alice", state_), at(32'061)) << "drift of half a minute";
  EXPECT_EQ(granter_.lease_over_at("bob", state_), at(1490));
  EXPECT_FALSE(granter_.begin_takeover("alice", state_, at(32'060)));
  LeaseGranter next{timing_};
  next.lead(4, at(5000));
  EXPECT_EQ(next.lease_over_at("alice", state_), at(35'061)) << "a later leader does not know when it was given";
  state_.nodes["alice"].restart_lease_ms = 0;
  EXPECT_EQ(granter_.lease_over_at("alice", state_), at(2490));
}

TEST_F(LeaseGranterTest, ALeaseCountsFromTheReceptionOfTheQuestion) {
  granter_.lead(3, at(1000));
  EXPECT_TRUE(granter_.answer({"alice", 7, 123}, at(2000), state_, true, never, at(2070)));
  EXPECT_EQ(granter_.lease_over_at("alice", state_), at(2490));
  EXPECT_TRUE(granter_.answer({"alice", 7, 100}, at(1990), state_, true, never, at(2080)));
  EXPECT_EQ(granter_.lease_over_at("alice", state_), at(2490)) << "an older question came late";
}

TEST_F(LeaseGranterTest, AnAnswerThatSaysNothingNewMayWait) {
  const auto asked = [](std::int64_t ms, std::uint64_t incarnation = 7) {
    return message::LeaseRequest{"alice", incarnation, to_ns(at(ms))};
  };
  granter_.lead(3, at(1000));
  EXPECT_FALSE(granter_.may_wait(asked(5000), state_)) << "the first one of this leader";
  (void)granter_.answer(asked(5000), at(1000), state_, true, never, at(1000));
  EXPECT_TRUE(granter_.may_wait(asked(5150), state_));
  EXPECT_FALSE(granter_.may_wait(asked(5188), state_)) << "a question or its answer was lost: there is less time";
  EXPECT_FALSE(granter_.may_wait(asked(5150, 8), state_)) << "the manager was restarted";
  EXPECT_FALSE(LeaseGranter(timing_).may_wait(asked(5150), state_));
  ++state_.services["shop"].epoch;
  EXPECT_FALSE(granter_.may_wait(asked(5150), state_)) << "another lease";
  --state_.services["shop"].epoch;
  state_.nodes["alice"].restart_lease_ms = 30'000;
  EXPECT_FALSE(granter_.may_wait(asked(5150), state_)) << "a longer lease";
}

TEST_F(LeaseGranterTest, NoAnswerWaitsWhereLeasesAreShort) {
  const config::Timing brief{.heartbeat = milliseconds(75), .lease = milliseconds(449)};
  LeaseGranter granter(brief);
  granter.lead(3, at(1000));
  const message::LeaseRequest request{"alice", 7, to_ns(at(5000))};
  (void)granter.answer(request, at(1000), state_, true, never, at(1000));
  EXPECT_FALSE(granter.may_wait(request, state_));
}

TEST_F(LeaseGranterTest, AnotherTermStartsAnew) {
  granter_.lead(3, at(1000));
  (void)answer(at(2000));
  granter_.lead(3, at(5000));
  EXPECT_EQ(granter_.lease_over_at("alice", state_), at(2490)) << "the same leadership, told twice";
  granter_.lead(4, at(5000));
  EXPECT_EQ(granter_.lease_over_at("alice", state_), at(5490));
}

TEST_F(LeaseGranterTest, ATakeoverBeginsOnlyAfterTheLeaseAndSilencesUs) {
  granter_.lead(3, at(1000));
  EXPECT_FALSE(granter_.begin_takeover("alice", state_, at(1400)));
  EXPECT_TRUE(answer(at(1450)));
  EXPECT_FALSE(granter_.begin_takeover("alice", state_, at(1500)));
  EXPECT_TRUE(granter_.begin_takeover("alice", state_, at(1940)));
  EXPECT_FALSE(answer(at(1941)));
  EXPECT_TRUE(answer(at(1941), never, true, "bob"));
  granter_.end_takeover("alice");
  EXPECT_TRUE(answer(at(1942)));
}

TEST_F(LeaseGranterTest, ATakeoverEndsWithTheTerm) {
  granter_.lead(3, at(1000));
  EXPECT_TRUE(granter_.begin_takeover("alice", state_, at(1500)));
  granter_.lead(4, at(2000));
  EXPECT_TRUE(answer(at(2001)));
}

TEST_F(LeaseGranterTest, AMarginTooSmallForDriftIsRaised) {
  config::Timing timing;
  timing.lease = seconds(500);
  timing.lease_margin = milliseconds(0);
  LeaseGranter granter(timing);
  granter.lead(1, at(0));
  EXPECT_EQ(granter.lease_over_at("alice", state_), at(501001));
}

}  // namespace
}  // namespace bascule::membership
