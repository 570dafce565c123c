#include <gtest/gtest.h>

#include "core/ownership/test_world.h"

namespace bascule::ownership {
namespace {

using namespace testing_world;

TEST(Summary, AllIsWell) {
  World world;
  world.alice_runs_shop();
  const Plan plan = world.plan();
  EXPECT_EQ(plan.summary, "The service runs. Data on 2 of 2 nodes. If alice fails now, bob takes over.");
  EXPECT_TRUE(plan.healthy);
  EXPECT_TRUE(plan.problems.empty());
}

TEST(Summary, WithoutTheWitnessTheNextFailureIsOneTooMany) {
  World world;
  world.alice_runs_shop();
  world.dies("carol");
  const Plan plan = world.plan();
  EXPECT_EQ(plan.summary,
            "The service runs. Data on 2 of 2 nodes. If alice fails now, everything stops: those who are left are no "
            "majority (carol is away).");
  EXPECT_FALSE(plan.healthy);
  EXPECT_EQ(plan.problems.at(0), "carol is not online");
}

TEST(Summary, WithAStaleCopyNobodyTakesOver) {
  World world;
  world.alice_runs_shop();
  world.bob_becomes_stale();
  const Plan plan = world.plan();
  EXPECT_EQ(plan.summary,
            "The service runs. Data on 1 of 2 nodes. If alice fails now, shop stops: data: the copy of bob is older "
            "than that of alice: bob is not in the in-sync set {alice}.");
  EXPECT_FALSE(plan.healthy);
}

TEST(Summary, TheStaleStoryComesFirstWithWhatToDo) {
  World world;
  world.alice_runs_shop();
  world.bob_becomes_stale();
  world.dies("alice");
  const Plan plan = world.plan();
  EXPECT_EQ(plan.summary,
            "The service does not run. Data on 0 of 2 nodes. shop does not run: alice is not online; data: the copy of "
            "bob is "
            "older than that of alice: bob is not in the in-sync set {alice} (start alice again, shop comes back with "
            "it; nothing was lost).");
  EXPECT_EQ(plan.problems.size(), 3u) << "the service, the volume, the node";
}

TEST(Summary, WithoutALeaderThatIsTheFirstProblem) {
  World world;
  world.alice_runs_shop();
  world.leader_known = false;
  EXPECT_EQ(world.plan().problems.at(0), "carol sees no leader: there is no majority, so nothing can be decided");
}

TEST(Summary, StoppedByHandIsNoProblem) {
  World world;
  world.alice_runs_shop();
  world.apply(SetTarget{"shop", false});
  world.decide();
  world.owner_releases();
  const Plan plan = world.plan();
  EXPECT_EQ(plan.summary, "No service is to run. Data on 2 of 2 nodes.");
  EXPECT_TRUE(plan.healthy);
}

TEST(Summary, StandbyIsAProblemWithItsWayOut) {
  World world;
  world.alice_runs_shop();
  world.apply(SetStandby{"bob", true});
  const Plan plan = world.plan();
  EXPECT_EQ(plan.problems.at(0), "bob is in standby (bascule online bob)");
  EXPECT_EQ(plan.problems.at(1), "If alice fails now, shop stops: bob is in standby");
}

}  // namespace
}  // namespace bascule::ownership
