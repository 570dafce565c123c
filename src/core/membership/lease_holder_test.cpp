#include "core/membership/lease_holder.h"

#include <gtest/gtest.h>

#include "core/membership/at_ms.h"

namespace bascule::membership {
namespace {

using message::GrantedLease;
using message::LeaseGrant;

store::ClusterState owning(std::uint64_t epoch, std::uint64_t index) {
  store::ClusterState state;
  state.applied_index = index;
  state.volumes["data"].owner = "alice";
  state.volumes["data"].epoch = epoch;
  state.volumes["logs"].owner = "bob";
  return state;
}

class LeaseHolderTest : public testing::Test {
 protected:
  LeaseGrant grant_of(Instant asked_at, std::uint64_t epoch = 1, std::uint64_t index = 10) {
    return {.term = 3,
            .incarnation = 7,
            .asked_at_ns = to_ns(asked_at),
            .duration_ms = 450,
            .applied_index = index,
            .leases = {{"volume:data", epoch}}};
  }
  LeaseHolder holder_{"alice", 7, config::Timing{.heartbeat = milliseconds(50), .lease = milliseconds(450)}};
};

TEST_F(LeaseHolderTest, BelievesLongLeasesOnlyBeforeARestart) {
  auto grant = grant_of(at(1000));
  grant.duration_ms = 30'000;
  (void)holder_.ask(at(1000));
  EXPECT_EQ(holder_.grant(grant, at(1001)).extended.at(0).end, at(1450));
  holder_.prepare_restart();
  (void)holder_.ask(at(1100));
  grant.asked_at_ns = to_ns(at(1100));
  EXPECT_EQ(holder_.grant(grant, at(1101)).extended.at(0).end, at(31'100));
  (void)holder_.ask(at(1200));
  grant.asked_at_ns = to_ns(at(1200));
  grant.duration_ms = 1'000'000;
  EXPECT_EQ(holder_.grant(grant, at(1201)).extended.at(0).end, at(31'200)) << "never longer than is configured";
}

store::ClusterState owner_of_data(std::uint64_t epoch) {
  store::ClusterState state;
  state.volumes["data"].owner = "alice";
  state.volumes["data"].epoch = epoch;
  return state;
}

TEST_F(LeaseHolderTest, WhoOwnsNothingAsksOnceInASecond) {
  const auto first = holder_.tick(at(1000));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->asked_at_ns, to_ns(at(1000)));
  EXPECT_EQ(first->incarnation, 7u);
  EXPECT_FALSE(holder_.tick(at(1999)));
  EXPECT_TRUE(holder_.tick(at(2000)));
  EXPECT_EQ(holder_.ask(at(2010)).asked_at_ns, to_ns(at(2010)));
  holder_.ask_anew();
  EXPECT_TRUE(holder_.tick(at(2020))) << "another leader";
}

TEST_F(LeaseHolderTest, AsksWithEverySecondHeartbeatWhileAnswersCome) {
  (void)holder_.tick(at(1000));
  holder_.observe(owner_of_data(1));
  EXPECT_TRUE(holder_.tick(at(1001))) << "it has just become ours";
  (void)holder_.grant(grant_of(at(1001)), at(1002));
  EXPECT_FALSE(holder_.tick(at(1051)));
  EXPECT_TRUE(holder_.tick(at(1100)));
  (void)holder_.grant(grant_of(at(1100)), at(1150));
  EXPECT_FALSE(holder_.tick(at(1150)));
  holder_.observe(owner_of_data(2));
  EXPECT_TRUE(holder_.tick(at(1160))) << "ours in another epoch";
}

TEST_F(LeaseHolderTest, AsksWithEachHeartbeatWhereNoAnswerComes) {
  holder_.observe(owner_of_data(1));
  EXPECT_TRUE(holder_.tick(at(1000)));
  (void)holder_.grant(grant_of(at(1000)), at(1001));
  EXPECT_FALSE(holder_.tick(at(1050)));
  EXPECT_TRUE(holder_.tick(at(1100)));
  EXPECT_TRUE(holder_.tick(at(1150))) << "the answer should have come with this heartbeat";
  EXPECT_TRUE(holder_.tick(at(1200)));
  (void)holder_.grant(grant_of(at(1200)), at(1201));
  EXPECT_FALSE(holder_.tick(at(1250)));
}

TEST_F(LeaseHolderTest, AsksWithEachHeartbeatWhereLeasesAreShort) {
  LeaseHolder holder{"alice", 7, config::Timing{.heartbeat = milliseconds(50), .lease = milliseconds(299)}};
  holder.observe(owner_of_data(1));
  for (std::int64_t now_ms = 1000; now_ms < 1500; now_ms += 50) {
    EXPECT_TRUE(holder.tick(at(now_ms)));
    (void)holder.grant(grant_of(at(now_ms)), at(now_ms + 1));
  }
}

TEST_F(LeaseHolderTest, TheLeaseCountsFromTheQuestion) {
  (void)holder_.ask(at(1000));
  const auto outcome = holder_.grant(grant_of(at(1000)), at(1300));
  ASSERT_EQ(outcome.extended.size(), 1u);
  EXPECT_EQ(outcome.extended[0], (HeldLease{"volume:data", 1, at(1450)}));
  EXPECT_EQ(holder_.end_of("volume:data", 1), at(1450));
  EXPECT_FALSE(holder_.end_of("volume:data", 2));
}

TEST_F(LeaseHolderTest, AnEndNeverBecomesEarlier) {
  (void)holder_.ask(at(1000)), (void)holder_.ask(at(1050));
  (void)holder_.grant(grant_of(at(1050)), at(1060));
  EXPECT_TRUE(holder_.grant(grant_of(at(1000)), at(1070)).extended.empty());
  EXPECT_EQ(holder_.end_of("volume:data", 1), at(1500));
  auto shorter = grant_of(at(1050));
  shorter.duration_ms = 1;
  EXPECT_TRUE(holder_.grant(shorter, at(1080)).extended.empty());
  EXPECT_EQ(holder_.end_of("volume:data", 1), at(1500));
}

TEST_F(LeaseHolderTest, GrantsThatAnswerNoRequestOfOursAreIgnored) {
  (void)holder_.ask(at(1000));
  EXPECT_EQ(holder_.grant(grant_of(at(999)), at(1010)).ignored, "it answers no request of ours");
  auto earlier_start = grant_of(at(1000));
  earlier_start.incarnation = 6;
  EXPECT_EQ(holder_.grant(earlier_start, at(1010)).ignored, "it answers an earlier start of this node");
  auto nothing = grant_of(at(1000));
  nothing.duration_ms = -1;
  EXPECT_EQ(holder_.grant(nothing, at(1010)).ignored, "it lasts no time");
  EXPECT_TRUE(holder_.leases().empty());
}

TEST_F(LeaseHolderTest, AnEarlierTermIsIgnored) {
  (void)holder_.ask(at(1000)), (void)holder_.ask(at(1050));
  EXPECT_EQ(holder_.grant(grant_of(at(1000)), at(1010)).ignored, "");
  auto earlier = grant_of(at(1050));
  earlier.term = 2;
  EXPECT_EQ(holder_.grant(earlier, at(1060)).ignored, "it is of an earlier term");
}

TEST_F(LeaseHolderTest, ADurationLongerThanConfiguredIsCut) {
  (void)holder_.ask(at(1000));
  auto generous = grant_of(at(1000));
  generous.duration_ms = INT64_MAX;
  (void)holder_.grant(generous, at(1010));
  EXPECT_EQ(holder_.end_of("volume:data", 1), at(1450));
}

TEST_F(LeaseHolderTest, ANewEpochReplacesAndAnOlderOneIsIgnored) {
  (void)holder_.ask(at(1000)), (void)holder_.ask(at(1050));
  (void)holder_.grant(grant_of(at(1000), 2), at(1010));
  EXPECT_TRUE(holder_.grant(grant_of(at(1050), 1), at(1060)).extended.empty());
  EXPECT_EQ(holder_.end_of("volume:data", 2), at(1450));
}

TEST_F(LeaseHolderTest, WhatTheLeaderDoesNotListIsRevokedOnce) {
  holder_.observe(owning(1, 10));
  (void)holder_.ask(at(1000)), (void)holder_.ask(at(1050)), (void)holder_.ask(at(1100));
  EXPECT_TRUE(holder_.grant(grant_of(at(1000), 1, 10), at(1010)).revoked.empty());
  auto gone = grant_of(at(1050), 1, 11);
  gone.leases.clear();
  const auto outcome = holder_.grant(gone, at(1060));
  ASSERT_EQ(outcome.revoked.size(), 1u);
  EXPECT_EQ(outcome.revoked[0].name, "volume:data");
  EXPECT_EQ(outcome.revoked[0].epoch, 1u);
  gone.asked_at_ns = to_ns(at(1100));
  EXPECT_TRUE(holder_.grant(gone, at(1110)).revoked.empty());
}

TEST_F(LeaseHolderTest, ALeaderThatHasAppliedLessRevokesNothing) {
  holder_.observe(owning(1, 10));
  (void)holder_.ask(at(1000));
  auto behind = grant_of(at(1000), 1, 9);
  behind.leases.clear();
  EXPECT_TRUE(holder_.grant(behind, at(1010)).revoked.empty());
}

TEST_F(LeaseHolderTest, AnOldAnswerThatArrivesLateRevokesNothing) {
  (void)holder_.ask(at(1000)), (void)holder_.ask(at(1050));
  (void)holder_.grant(grant_of(at(1050), 1, 12), at(1060));
  holder_.observe(owning(1, 10));
  auto late = grant_of(at(1000), 1, 12);
  late.leases.clear();
  EXPECT_TRUE(holder_.grant(late, at(1070)).revoked.empty());
}

TEST_F(LeaseHolderTest, AReleasedEpochIsNotExtendedAgain) {
  (void)holder_.ask(at(1000)), (void)holder_.ask(at(1050));
  (void)holder_.grant(grant_of(at(1000), 1), at(1010));
  holder_.release("volume:data", 1);
  EXPECT_TRUE(holder_.leases().empty());
  EXPECT_TRUE(holder_.grant(grant_of(at(1050), 1), at(1060)).extended.empty());
  EXPECT_EQ(holder_.grant(grant_of(at(1050), 2), at(1060)).extended.size(), 1u);
}

TEST_F(LeaseHolderTest, AReleasedEpochThatIsTakenUpAgainIsExtended) {
  (void)holder_.ask(at(1000)), (void)holder_.ask(at(1050));
  (void)holder_.grant(grant_of(at(1000), 1), at(1010));
  holder_.release("volume:data", 1);
  holder_.take_up("volume:data", 1);
  EXPECT_EQ(holder_.grant(grant_of(at(1050), 1), at(1060)).extended.size(), 1u);
}

}  // namespace
}  // namespace bascule::membership
