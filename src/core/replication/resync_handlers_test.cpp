#include "core/replication/testing/pair.h"

namespace bascule::replication {
namespace {

using enum drbd::ConnectionState;
using testing::Pair;
using Called = std::vector<std::pair<std::string, std::uint64_t>>;

/// Bob is the target; with a before-resync-target that somebody has to answer for.
Pair::Setup bob_takes_a_snapshot_first() {
  Pair::Setup setup;
  setup.newer_pages = {1, 2, 3};
  setup.configure = [](Config& config) { config.options.handlers["before-resync-target"] = "snapshot"; };
  return setup;
}

void run_until_bob_calls(Pair& pair) {
  pair.run_until([&pair] { return !pair.bob().handlers.empty(); });
}

TEST(ResyncHandlers, NothingIsAskedForBeforeTheFirstHasEnded) {
  Pair pair(bob_takes_a_snapshot_first());
  run_until_bob_calls(pair);
  const auto [name, number] = pair.bob().handlers.front();
  EXPECT_EQ(name, "before-resync-target");
  ASSERT_NE(number, 0U);
  pair.run_for(seconds(5));
  EXPECT_EQ(pair.bob().status().connection, SyncTarget);
  EXPECT_EQ(pair.bob().sent["P_RS_DATA_REQUEST"], 0U);
  pair.step(pair.bob(), input::HandlerDone{number, 0});
  pair.run_until_in_step();
  EXPECT_TRUE(pair.disks_equal());
  EXPECT_EQ(pair.bob().handlers, (Called{{"before-resync-target", number}, {"after-resync-target", 0}}));
  EXPECT_EQ(pair.alice().handlers, Called{});
}

TEST(ResyncHandlers, AnErrorOfTheFirstEndsTheConnection) {
  Pair::Setup setup = bob_takes_a_snapshot_first();
  setup.configure = [with_handler = setup.configure](Config& config) {
    with_handler(config);
    config.authority = Authority::Operator;
  };
  Pair pair(setup);
  run_until_bob_calls(pair);
  pair.step(pair.bob(), input::HandlerDone{pair.bob().handlers.front().second, 7});
  pair.run_for(seconds(5));
  EXPECT_EQ(pair.bob().status().connection, StandAlone);
  EXPECT_NE(pair.bob().status().why.find("before-resync-target ended with 7"), std::string::npos) << pair.describe();
  EXPECT_EQ(pair.bob().sent["P_RS_DATA_REQUEST"], 0U);
}

TEST(ResyncHandlers, AnAnswerOfAnEarlierSessionIsNotOfThisOne) {
  Pair pair(bob_takes_a_snapshot_first());
  run_until_bob_calls(pair);
  const std::uint64_t earlier = pair.bob().handlers.front().second;
  pair.cut();
  pair.run_until([&pair] { return pair.bob().handlers.size() == 2; });
  pair.step(pair.bob(), input::HandlerDone{earlier, 0});
  pair.run_for(seconds(5));
  EXPECT_EQ(pair.bob().sent["P_RS_DATA_REQUEST"], 0U);
  pair.step(pair.bob(), input::HandlerDone{pair.bob().handlers.back().second, 0});
  pair.run_until_in_step();
}

TEST(ResyncHandlers, WithoutOneNobodyWaits) {
  Pair::Setup setup;
  setup.newer_pages = {1, 2, 3};
  Pair pair(setup);
  pair.run_until_in_step();
  EXPECT_EQ(pair.bob().handlers, (Called{{"before-resync-target", 0}, {"after-resync-target", 0}}));
}

}  // namespace
}  // namespace bascule::replication
