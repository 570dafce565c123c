#include <gtest/gtest.h>

#include "core/ownership/test_world.h"

namespace bascule::ownership {
namespace {

using namespace testing_world;

std::string refusal(World& world, const Command& command) {
  const auto result = admissible(world.snapshot(), command);
  return result ? "" : result.error().text();
}

TEST(Admissible, AMoveNeedsAPlace) {
  World world;
  world.alice_runs_shop();
  EXPECT_EQ(refusal(world, MoveService{"shop", "bob"}), "");
  EXPECT_EQ(refusal(world, MoveService{"shop", ""}), "");
  world.bob_becomes_stale();
  EXPECT_EQ(refusal(world, MoveService{"shop", "bob"}),
            "shop cannot move to bob: the copy of data on bob is not in the in-sync set {alice} (see: bascule status)");
  world.dies("bob");
  EXPECT_EQ(refusal(world, MoveService{"shop", ""}), "shop cannot move: bob is not online (start bob again)");
}

TEST(Admissible, StandbyNeedsAnotherPlaceForWhatRuns) {
  World world;
  world.alice_runs_shop();
  EXPECT_EQ(refusal(world, SetStandby{"alice", true}), "");
  world.dies("bob");
  EXPECT_EQ(
      refusal(world, SetStandby{"alice", true}),
      "alice cannot go into standby: shop has no other place: bob is not online (to let it leave as soon as it can: "
      "bascule drain alice; to stop it instead: bascule stop "
      "shop)");
  EXPECT_EQ(refusal(world, SetStandby{"alice", false}), "");
}

TEST(Admissible, AVolumeByHandNeedsAStoppedServiceAndACurrentCopy) {
  World world;
  world.alice_runs_shop();
  EXPECT_EQ(refusal(world, HoldVolume{"data", "bob"}),
            "data cannot be primary on bob: data belongs to the service shop (bascule stop shop)");
  world.apply(SetTarget{"shop", false});
  world.owner_releases();
  EXPECT_EQ(refusal(world, HoldVolume{"data", "bob"}), "");
  world.apply(HoldVolume{"data", "bob"});
  EXPECT_EQ(refusal(world, SetTarget{"shop", true}),
            "shop cannot start: data is primary by hand (bascule volume secondary data)");
}

}  // namespace
}  // namespace bascule::ownership
