#include <gtest/gtest.h>

#include "core/ownership/test_world.h"

namespace bascule::ownership {
namespace {

using namespace testing_world;

World new_world() {
  World world;
  world.copy("alice").just_created = world.copy("bob").just_created = true;
  world.copy("alice").disk = world.copy("bob").disk = "Inconsistent";
  return world;
}

TEST(VolumeRules, AVolumeBeginsWhenEveryCopyIsNew) {
  World world = new_world();
  EXPECT_EQ(world.decide(), Texts{"let volume data begin with the copy of alice"});
  EXPECT_EQ(world.volume().in_sync, std::set<std::string>{"alice"});
}

TEST(VolumeRules, TheChosenFirstCopyIsGrantedAlthoughItsDiskIsInconsistent) {
  World world = new_world();
  world.decide();
  EXPECT_EQ(world.decide(), Texts{"grant shop to alice (epoch 1): first start"});
  world.owner_releases();
  EXPECT_EQ(world.decided().size(), 1u) << "released before anybody wrote";
}

TEST(VolumeRules, ANewDiskInThePlaceOfTheOnlyCurrentOneIsNotPromoted) {
  World world = new_world();
  world.decide(), world.decide();
  world.owner_releases();
  world.copy("bob").just_created = false;
  EXPECT_EQ(world.decided(), Texts{});
  EXPECT_EQ(world.about_shop().why,
            "the disk of data on alice is Inconsistent; the copy of data on bob is not in the in-sync set {alice}");
  world.dies("bob");
  EXPECT_EQ(world.decided(), Texts{}) << "who is away could have data";
}

TEST(VolumeRules, TheFirstCopyIsThatOfThePreferredNodeUnlessItIsInStandby) {
  World world = new_world();
  world.shop().preferred_node = "bob";
  EXPECT_EQ(world.decided(), Texts{"let volume data begin with the copy of bob"});
  world.apply(SetStandby{"bob", true});
  EXPECT_EQ(world.decided(), Texts{"let volume data begin with the copy of alice"});
}

TEST(VolumeRules, AnAbsentCopyCouldHoldData) {
  World world = new_world();
  world.dies("bob");
  EXPECT_EQ(world.decided(), Texts{});
  EXPECT_EQ(world.about_data().why, "waiting for bob");
  EXPECT_EQ(world.about_shop().why, "data has no data yet: waiting for bob");
}

TEST(VolumeRules, ACopyWithoutItsDiskCouldHoldData) {
  World world = new_world();
  world.copy("bob").attached = false, world.copy("bob").why = "/b: no such file";
  EXPECT_EQ(world.decided(), Texts{});
  EXPECT_EQ(world.about_data().why, "the disk on bob is not attached: /b: no such file");
}

TEST(VolumeRules, DataThatTheLogDoesNotKnowIsNotOverwritten) {
  World world = new_world();
  world.copy("bob").just_created = false;
  EXPECT_EQ(world.decided(), Texts{});
  EXPECT_EQ(world.about_data().why, "the disk of bob holds data of which the cluster's log knows nothing");
}

TEST(VolumeRules, HeldByHandOnlyOnACurrentCopyThatIsHere) {
  World world;
  world.shop().autostart = false;
  world.apply(InitialiseVolume{"data", "alice"});
  world.apply(HoldVolume{"data", "bob"});
  EXPECT_EQ(world.decided(), Texts{});
  EXPECT_EQ(world.about_data().why,
            "data cannot be primary on bob: the copy of data on bob is not in the in-sync set {alice}");
  world.apply(HoldVolume{"data", "alice"});
  EXPECT_EQ(world.decide(), Texts{"grant data to alice (epoch 1): by hand"});
  EXPECT_EQ(world.decided(), Texts{});
}

TEST(VolumeRules, WhatIsHeldByHandMovesOnlyByHand) {
  World world;
  world.shop().autostart = false;
  world.apply(InitialiseVolume{"data", "alice"});
  world.apply(HoldVolume{"data", "alice"});
  world.decide();
  world.apply(GrowInSync{"data", 1, world.volume().in_sync_version, "bob"});
  world.dies_with_running_lease("alice");
  EXPECT_EQ(world.decided(), Texts{});
  EXPECT_EQ(world.about_data().why, "alice holds it by hand and is not online");
  world.apply(HoldVolume{"data", "bob"});
  EXPECT_EQ(world.decided(), Texts{});
  EXPECT_EQ(world.plan().plan_again, Instant(seconds(11)));
  world.dies("alice");
  EXPECT_EQ(world.plan().decisions.at(0).takes_over_from, "alice");
  EXPECT_EQ(world.decide(), Texts{"grant data to bob (epoch 2): by hand"});
}

TEST(VolumeRules, AnotherHolderWaitsUntilTheFirstLetsGo) {
  World world;
  world.shop().autostart = false;
  world.apply(InitialiseVolume{"data", "alice"});
  world.apply(HoldVolume{"data", "alice"});
  world.decide();
  world.apply(GrowInSync{"data", 1, world.volume().in_sync_version, "bob"});
  world.apply(HoldVolume{"data", "bob"});
  EXPECT_EQ(world.decided(), Texts{});
  world.apply(ReleaseOwnership{"", "data", 0, 1});
  EXPECT_EQ(world.decided(), Texts{"grant data to bob (epoch 2): by hand"});
}

TEST(VolumeRules, AnIncompleteCopyIsExplained) {
  World world;
  world.alice_runs_shop();
  EXPECT_EQ(world.about_data().why, "");
  world.bob_becomes_stale();
  world.copy("alice").resync_total_bytes = 1000, world.copy("alice").resync_done_bytes = 440;
  EXPECT_EQ(world.about_data().why, "the copy of bob is not complete, resync at 40 %");
  world.dies("bob");
  EXPECT_EQ(world.about_data().why, "bob is not online, the copy of bob is not complete");
  EXPECT_EQ(world.about_data().hint, "start bob again");
}

}  // namespace
}  // namespace bascule::ownership
