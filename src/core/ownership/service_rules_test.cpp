#include <gtest/gtest.h>

#include <algorithm>

#include "core/ownership/test_world.h"

namespace bascule::ownership {
namespace {

using namespace testing_world;

TEST(ServiceRules, StartsOnThePreferredNode) {
  World world;
  world.apply(InitialiseVolume{"data", "alice"});
  EXPECT_EQ(world.decide(), Texts{"grant shop to alice (epoch 1): first start"});
  EXPECT_EQ(world.volume().owner, "alice");
  EXPECT_EQ(world.decided(), Texts{});
  EXPECT_EQ(world.about_shop().why, "alice has not begun yet");
}

TEST(ServiceRules, NothingIsDecidedByWhoMayNot) {
  World world;
  world.apply(InitialiseVolume{"data", "alice"});
  world.may_decide = false;
  EXPECT_EQ(world.decided(), Texts{});
  EXPECT_EQ(world.about_shop().why, "shop is to start on alice");
}

TEST(ServiceRules, ARunningServiceIsLeftAlone) {
  World world;
  world.alice_runs_shop();
  EXPECT_EQ(world.decided(), Texts{});
  EXPECT_EQ(world.about_shop().why, "");
}

TEST(ServiceRules, TheOwnersOwnWordsExplainWhyItDoesNotRun) {
  World world;
  world.alice_runs_shop();
  world.told("alice").state = "Starting";
  EXPECT_EQ(world.about_shop().why, "Starting on alice");
  world.told("alice").why = "apache is starting";
  EXPECT_EQ(world.about_shop().why, "apache is starting");
}

TEST(ServiceRules, TakesOverWhenTheLeaseHasCertainlyEnded) {
  World world;
  world.alice_runs_shop();
  world.dies_with_running_lease("alice");
  EXPECT_EQ(world.decided(), Texts{});
  EXPECT_EQ(world.about_shop().why, "alice is not online; bob takes over when its lease has certainly ended");
  EXPECT_EQ(world.plan().plan_again, Instant(seconds(11)));
  world.dies("alice");
  EXPECT_EQ(world.plan().decisions.at(0).takes_over_from, "alice");
  EXPECT_EQ(world.decide(), Texts{"grant shop to bob (epoch 2): the lease of alice has ended"});
  EXPECT_EQ(world.volume().in_sync, std::set<std::string>{"bob"});
  EXPECT_EQ(world.decided(), Texts{});
}

TEST(ServiceRules, AnOwnerThatReturnsWithItsEpochGoesOn) {
  World world;
  world.alice_runs_shop();
  world.dies_with_running_lease("alice");
  world.comes("alice");
  EXPECT_EQ(world.decided(), Texts{});
}

TEST(ServiceRules, AStaleCopyIsNeverPromoted) {
  World world;
  world.alice_runs_shop();
  world.bob_becomes_stale();
  world.dies("alice");
  EXPECT_EQ(world.decided(), Texts{});
  EXPECT_EQ(world.about_shop().why,
            "alice is not online; data: the copy of bob is older than that of alice: bob is not in the in-sync set "
            "{alice}");
  EXPECT_EQ(world.about_shop().hint, "start alice again, shop comes back with it; nothing was lost");
  world.comes("alice");
  EXPECT_EQ(world.decided(), Texts{});
  EXPECT_EQ(world.about_shop().why, "") << "alice goes on in its epoch";
}

TEST(ServiceRules, BlackoutWithBobFirstAndBothCurrent) {
  World world;
  world.alice_runs_shop();
  world.dies("alice");
  world.reports["bob"].services.clear();
  world.copy("bob").disk = "Consistent";
  EXPECT_EQ(world.decide(), Texts{"grant shop to bob (epoch 2): the lease of alice has ended"});
  world.comes("alice");
  EXPECT_EQ(world.decided(), Texts{}) << "alice comes back as a secondary";
}

TEST(ServiceRules, BlackoutWithOnlyTheStaleNodeBack) {
  World world;
  world.alice_runs_shop();
  world.bob_becomes_stale();
  world.owner_releases();
  world.dies("alice");
  EXPECT_EQ(world.decided(), Texts{});
  EXPECT_EQ(world.about_shop().why,
            "data: the copy of bob is older than that of alice: bob is not in the in-sync set {alice}");
}

TEST(ServiceRules, WithEveryCopyAwayItSaysSo) {
  World world;
  world.alice_runs_shop();
  world.dies("alice"), world.dies("bob");
  EXPECT_EQ(world.about_shop().why, "alice is not online; no node with a copy of data is online");
  EXPECT_EQ(world.about_shop().hint, "start alice or bob again, shop comes back with it; nothing was lost");
}

TEST(ServiceRules, ADiskThatIsNotReadyIsNoPlace) {
  World world;
  world.alice_runs_shop();
  world.dies("alice");
  world.copy("bob").disk = "Inconsistent";
  EXPECT_EQ(world.decided(), Texts{});
  EXPECT_EQ(world.about_shop().why, "alice is not online; the disk of data on bob is Inconsistent");
  world.copy("bob").attached = false;
  EXPECT_EQ(world.about_shop().why, "alice is not online; the disk of data on bob is not attached");
}

TEST(ServiceRules, StoppedByHandIsStoppedAndStaysSo) {
  World world;
  world.alice_runs_shop();
  world.apply(SetTarget{"shop", false});
  EXPECT_EQ(world.decide(), Texts{"stop shop (epoch 1): stopped by hand"});
  EXPECT_EQ(world.decided(), Texts{});
  EXPECT_EQ(world.about_shop().why, "alice is stopping it: stopped by hand");
  world.owner_releases();
  EXPECT_EQ(world.decided(), Texts{});
  EXPECT_EQ(world.about_shop().hint, "bascule start shop");
  world.apply(SetTarget{"shop", true});
  EXPECT_EQ(world.decided().size(), 1u);
}

TEST(ServiceRules, WithoutAutostartItWaitsForTheFirstStart) {
  World world;
  world.shop().autostart = false;
  world.apply(InitialiseVolume{"data", "alice"});
  EXPECT_EQ(world.decided(), Texts{});
  EXPECT_EQ(world.about_shop().why, "autostart is off");
  world.apply(SetTarget{"shop", true});
  EXPECT_EQ(world.decided(), Texts{"grant shop to alice (epoch 1): first start"});
}

TEST(ServiceRules, AFailedServiceIsStoppedAndGoesElsewhere) {
  World world;
  world.alice_runs_shop();
  world.apply(RecordFailure{"shop", "alice", 1, true, "apache start: rc 1"});
  world.told("alice").state = "Failed", world.told("alice").why = "apache start: rc 1";
  EXPECT_EQ(world.decide(), Texts{"stop shop (epoch 1): shop failed on alice: apache start: rc 1"});
  world.owner_releases();
  EXPECT_EQ(world.decide(), Texts{"grant shop to bob (epoch 2): it has no owner, bob is ready"});
}

TEST(ServiceRules, WhenItFailedEverywhereItSaysWhatToDo) {
  World world;
  world.alice_runs_shop();
  world.apply(RecordFailure{"shop", "alice", 1, true, "apache start: rc 1"});
  world.owner_releases();
  world.apply(SetStandby{"bob", true});
  EXPECT_EQ(world.decided(), Texts{});
  EXPECT_EQ(world.about_shop().why, "shop failed to start on alice: apache start: rc 1; bob is in standby");
  EXPECT_EQ(world.about_shop().hint, "remove the cause, then: bascule clear shop");
  world.apply(ClearFailures{"shop", ""});
  EXPECT_EQ(world.decided(), Texts{"grant shop to alice (epoch 2): it has no owner, alice is ready"});
}

TEST(ServiceRules, TooManyFailuresMoveItOnlyIfThereIsAPlace) {
  World world;
  world.alice_runs_shop();
  for (int i = 0; i < 2; ++i) world.apply(RecordFailure{"shop", "alice", 1, false, "apache monitor: rc 7"});
  EXPECT_EQ(world.decided(), Texts{});
  world.apply(RecordFailure{"shop", "alice", 1, false, "apache monitor: rc 7"});
  EXPECT_EQ(world.decided(), Texts{"stop shop (epoch 1): shop failed on alice, it goes to bob"});
  world.dies("bob");
  EXPECT_EQ(world.decided(), Texts{});
}

RecordFailure failure_on(const std::string& node, const std::string& reaction) {
  RecordFailure failure{"shop", node, 1, false, "apache monitor: rc 1"};
  failure.reaction = reaction;
  return failure;
}

TEST(ServiceRules, WhereItFailedTooOftenIsBetterThanNowhere) {
  World world;
  world.alice_runs_shop();
  for (int i = 0; i < 3; ++i) world.apply(RecordFailure{"shop", "alice", 1, false, "data is no longer primary here"});
  world.bob_becomes_stale();
  world.owner_releases();
  EXPECT_EQ(world.decide(),
            Texts{"grant shop to alice (epoch 2): it has failed often on alice, but no other node can have it"});
  World other;
  other.alice_runs_shop();
  for (int i = 0; i < 3; ++i) other.apply(RecordFailure{"shop", "alice", 1, false, "data is no longer primary here"});
  other.owner_releases();
  EXPECT_EQ(other.decide(), Texts{"grant shop to bob (epoch 2): it has no owner, bob is ready"});
}

TEST(ServiceRules, OnFailStopStartsItNowhereUntilItIsCleared) {
  World world;
  world.alice_runs_shop();
  world.apply(failure_on("alice", "stop"));
  const std::string why = "stopped after a failure on alice: apache monitor: rc 1";
  EXPECT_EQ(world.decide(), Texts{"stop shop (epoch 1): " + why});
  world.owner_releases();
  EXPECT_EQ(world.decided(), Texts{});
  EXPECT_EQ(world.about_shop().why, why);
  EXPECT_EQ(world.about_shop().hint, "remove the cause, then: bascule clear shop");
  world.apply(ClearFailures{"shop", ""});
  EXPECT_EQ(world.decided(), Texts{"grant shop to alice (epoch 2): it has no owner, alice is ready"});
}

TEST(ServiceRules, OnFailBlockLeavesItWhereItIsWhileItsNodeIsThere) {
  World world;
  world.alice_runs_shop();
  world.apply(failure_on("alice", "block"));
  world.told("alice").state = "Blocked";
  world.apply(MoveService{"shop", "bob"});
  world.apply(SetStandby{"alice", true});
  EXPECT_EQ(world.decided(), Texts{});
  EXPECT_EQ(world.about_shop().why, "it is left as it is on alice after a failure: apache monitor: rc 1");
  world.apply(SetTarget{"shop", false});
  EXPECT_EQ(world.decided(), Texts{"stop shop (epoch 1): stopped by hand"});
  world.apply(SetTarget{"shop", true});
  world.dies("alice");
  EXPECT_EQ(world.decided().size(), 1u) << "a node that is gone blocks nothing";
}

TEST(ServiceRules, OnFailStandbyEmptiesTheNode) {
  World world;
  world.alice_runs_shop();
  world.apply(failure_on("alice", "standby"));
  EXPECT_EQ(world.decide().size(), 1u);
  world.owner_releases();
  EXPECT_EQ(world.decided(), Texts{"grant shop to bob (epoch 2): it has no owner, bob is ready"});
  const auto problems = world.plan().problems;
  const auto told = std::find(problems.begin(), problems.end(),
                              "alice is in standby because of a failure there: apache monitor: rc 1 (remove the cause, "
                              "then: bascule clear shop)");
  EXPECT_NE(told, problems.end());
}

TEST(ServiceRules, WhatRunsWithAWarningIsAProblem) {
  World world;
  world.alice_runs_shop();
  world.told("alice").steps = {{"apache", "Started", 5, -1, "apache monitor: rc 190 (running, degraded)"}};
  const auto plan = world.plan();
  EXPECT_FALSE(plan.healthy);
  EXPECT_EQ(plan.problems.front(), "shop runs, but: apache monitor: rc 190 (running, degraded)");
}

TEST(ServiceRules, MovesByHandAndStaysThere) {
  World world;
  world.shop().stickiness = 0;
  world.alice_runs_shop();
  world.apply(MoveService{"shop", "bob"});
  EXPECT_EQ(world.decide(), Texts{"stop shop (epoch 1): moved by hand to bob"});
  EXPECT_EQ(world.decided(), Texts{});
  world.owner_releases();
  EXPECT_EQ(world.decide(), Texts{"grant shop to bob (epoch 2): it has no owner, bob is ready"});
  world.reports_started("bob");
  EXPECT_EQ(world.decided(), Texts{}) << "no failback against the administrator";
}

TEST(ServiceRules, MovesAway) {
  World world;
  world.alice_runs_shop();
  world.apply(MoveService{"shop", ""});
  EXPECT_EQ(world.decide(), Texts{"stop shop (epoch 1): moved by hand from alice to bob"});
  world.owner_releases();
  EXPECT_EQ(world.decide(), Texts{"grant shop to bob (epoch 2): it has no owner, bob is ready"});
}

TEST(ServiceRules, AMoveThatLostItsPlaceComesBack) {
  World world;
  world.alice_runs_shop();
  world.apply(MoveService{"shop", ""});
  world.decide();
  world.owner_releases();
  world.dies("bob");
  EXPECT_EQ(world.decide(), Texts{"grant shop to alice (epoch 2): it has no owner, alice is ready"});
}

TEST(ServiceRules, AMoveToAStaleCopyWaitsAndSaysWhy) {
  World world;
  world.alice_runs_shop();
  world.bob_becomes_stale();
  world.apply(MoveService{"shop", "bob"});
  EXPECT_EQ(world.decided(), Texts{});
  EXPECT_EQ(world.about_shop().why,
            "shop cannot move to bob: the copy of data on bob is not in the in-sync set {alice}");
  world.apply(GrowInSync{"data", 1, world.volume().in_sync_version, "bob"});
  EXPECT_EQ(world.decided(), Texts{"stop shop (epoch 1): moved by hand to bob"});
}

TEST(ServiceRules, StandbyMovesTheServiceOnlyIfThereIsAPlace) {
  World world;
  world.alice_runs_shop();
  world.apply(SetStandby{"alice", true});
  EXPECT_EQ(world.decided(), Texts{"stop shop (epoch 1): alice is in standby, bob takes over"});
  world.bob_becomes_stale();
  EXPECT_EQ(world.decided(), Texts{});
  EXPECT_NE(world.about_shop().why.find("shop stays on alice although it is in standby"), std::string::npos);
}

TEST(ServiceRules, StickinessDecidesAboutFailback) {
  World world;
  world.alice_runs_shop();
  world.dies("alice");
  world.decide();
  world.comes("alice");
  world.reports_started("bob");
  world.apply(GrowInSync{"data", 2, world.volume().in_sync_version, "alice"});
  EXPECT_EQ(world.decided(), Texts{});
  world.shop().stickiness = 0;
  EXPECT_EQ(world.decide(), Texts{"stop shop (epoch 2): shop prefers alice, which is ready"});
  world.owner_releases();
  EXPECT_EQ(world.decide(), Texts{"grant shop to alice (epoch 3): it has no owner, alice is ready"});
}

TEST(ServiceRules, TheLastOwnerIsNextWithoutAPreference) {
  World world;
  world.alice_runs_shop();
  world.shop().preferred_node.reset();
  world.dies("alice");
  world.decide();
  world.comes("alice");
  world.apply(GrowInSync{"data", 2, world.volume().in_sync_version, "alice"});
  world.owner_releases();
  EXPECT_EQ(world.decided(), Texts{"grant shop to bob (epoch 3): it has no owner, bob is ready"});
}

TEST(ServiceRules, AServiceWithoutAVolumeNeedsOnlyANode) {
  World world;
  world.shop().volume.reset();
  world.config.volumes.clear();
  world.shop().preferred_node = "bob";
  EXPECT_EQ(world.decide(), Texts{"grant shop to bob (epoch 1): first start"});
  world.dies("bob");
  EXPECT_EQ(world.decide(), Texts{"grant shop to alice (epoch 2): the lease of bob has ended"});
}

TEST(ServiceRules, AVolumeHeldByHandKeepsTheServiceOut) {
  World world;
  world.apply(InitialiseVolume{"data", "alice"});
  world.apply(HoldVolume{"data", "alice"});
  EXPECT_EQ(world.decide(), Texts{"grant data to alice (epoch 1): by hand"});
  EXPECT_EQ(world.about_shop().why, "data is primary by hand on alice");
  EXPECT_EQ(world.about_shop().hint, "bascule volume secondary data");
  world.apply(HoldVolume{"data", ""});
  EXPECT_EQ(world.decided(), Texts{}) << "not before it is released";
  world.apply(ReleaseOwnership{"", "data", 0, 1});
  EXPECT_EQ(world.decided(), Texts{"grant shop to alice (epoch 1): first start"});
}

}  // namespace
}  // namespace bascule::ownership
