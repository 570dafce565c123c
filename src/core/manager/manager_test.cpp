#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/manager/manager_world.h"

namespace bascule::manager::test {
namespace {

class ManagerTest : public testing::Test {
 protected:
  ManagerTest() : world(shop_config(true)) {}

  void TearDown() override {
    EXPECT_TRUE(world.breaches().empty()) << world.breaches().front();
    // A deadline that stays in the past would keep a processor busy: three managers have about 60 in a second.
    const auto seconds_run = static_cast<std::uint64_t>(to_ms(world.now().time_since_epoch()) / 1000 + 1);
    EXPECT_LT(world.ticks(), 300 * seconds_run);
    if (!HasFailure()) return;
    for (const auto& event : world.story())
      std::printf("%8lld ms %-6s %-18s %s: %s\n", static_cast<long long>(event.at_ns / 1'000'000), event.node.c_str(),
                  event.kind.c_str(), event.subject.c_str(), event.text.c_str());
  }
  void settle() {
    ASSERT_TRUE(world.run_until([&] { return world.serves("alice", "shop"); }, seconds(30)));
    ASSERT_TRUE(world.run_until([&] { return in_sync().size() == 2; }, seconds(30)));
    world.run(seconds(3));  // the witness takes the lead
  }
  nlohmann::json status(const std::string& host = "carol") { return nlohmann::json::parse(world.status(host)); }
  std::set<std::string> in_sync() { return status()["volumes"][0]["in_sync"].get<std::set<std::string>>(); }
  bool serves_within(const std::string& host, Duration patience) {
    return world.run_until([&] { return world.serves(host, "shop"); }, patience);
  }

  World world;
};

TEST_F(ManagerTest, InitialisesTheVolumeAndStartsTheServiceOnThePreferredNode) {
  settle();
  EXPECT_TRUE(world.told("volume-initialised", "data"));
  EXPECT_TRUE(status()["healthy"].get<bool>()) << status().dump(1);
  EXPECT_EQ(status()["quorum"]["leader"], "carol");
  EXPECT_EQ(status()["services"][0]["state"], "Started");
}

TEST_F(ManagerTest, TakesOverFromADeadNodeWithinAMoment) {
  settle();
  world.power_off("alice");
  const Instant died = world.now();
  ASSERT_TRUE(serves_within("bob", seconds(5)));
  EXPECT_LT(to_ms(world.now() - died), 750);  // lease 450 + margin 40 + decisions, promotion, three agents of 20 ms
  EXPECT_EQ(in_sync(), std::set<std::string>{"bob"});
  world.power_on("alice");
  ASSERT_TRUE(world.run_until([&] { return in_sync().size() == 2; }, seconds(10)));
  EXPECT_TRUE(world.serves("bob", "shop"));
  EXPECT_FALSE(world.host("alice").blockd.promoted_epoch.has_value());
}

TEST_F(ManagerTest, ARestartOnPurposeLosesNoLease) {
  settle();
  ASSERT_TRUE(world.prepare_restart("alice", seconds(1)));
  EXPECT_TRUE(world.told("manager-restart", "alice"));
  world.manager_down("alice");
  world.run(seconds(10));
  EXPECT_TRUE(world.serves("alice", "shop"));
  EXPECT_EQ(in_sync().size(), 2u) << "the replication goes on without the manager";
  world.manager_up("alice");
  for (int turn = 0; turn < 100; ++turn) {
    world.run(milliseconds(50));
    ASSERT_TRUE(world.serves("alice", "shop"));
  }
  world.run(seconds(60));
  EXPECT_EQ(status()["services"][0]["epoch"], 1);
  world.power_off("alice");
  ASSERT_TRUE(serves_within("bob", milliseconds(800))) << "its leases are as short as before again";
}

TEST_F(ManagerTest, AManagerThatDoesNotComeBackFromItsRestartIsTakenOverFromWhenItsLeaseHasEnded) {
  settle();
  ASSERT_TRUE(world.prepare_restart("alice", seconds(1)));
  const Instant prepared = world.now();
  world.power_off("alice");
  ASSERT_TRUE(serves_within("bob", seconds(40)));
  EXPECT_GT(to_ms(world.now() - prepared), 29'000);
}

TEST_F(ManagerTest, ALeaderHandsOverBeforeItIsRestarted) {
  settle();
  ASSERT_TRUE(world.prepare_restart("carol", seconds(1)));
  EXPECT_NE(status("alice")["quorum"]["leader"], "carol");
}

TEST_F(ManagerTest, WithoutAMajorityARestartIsNotReady) {
  settle();
  world.power_off("bob");
  world.power_off("carol");
  EXPECT_FALSE(world.prepare_restart("alice", seconds(2)));
}

TEST_F(ManagerTest, AnIsolatedOwnerStopsByItselfAndComesBackAsASecondary) {
  settle();
  world.cut("alice", "bob");
  world.cut("alice", "carol");
  ASSERT_TRUE(serves_within("bob", seconds(5)));
  world.run(seconds(30));
  EXPECT_FALSE(world.host("alice").blockd.promoted_epoch.has_value());
  EXPECT_FALSE(world.host("alice").agents["apache"].running);
  world.heal();
  ASSERT_TRUE(world.run_until([&] { return in_sync().size() == 2; }, seconds(10)));
  EXPECT_TRUE(world.serves("bob", "shop"));
}

TEST_F(ManagerTest, TheServiceStaysWhenTheWitnessDies) {
  settle();
  world.power_off("carol");
  world.run(seconds(10));
  EXPECT_TRUE(world.serves("alice", "shop"));
  EXPECT_FALSE(world.told("service-stopped", "shop"));
  EXPECT_FALSE(world.told("service-killed", "shop"));
}

TEST_F(ManagerTest, TheServiceStaysWhenTheSecondaryDies) {
  settle();
  world.power_off("bob");
  ASSERT_TRUE(world.run_until([&] { return in_sync() == std::set<std::string>{"alice"}; }, seconds(2)));
  world.run(seconds(5));
  EXPECT_TRUE(world.serves("alice", "shop"));
  world.power_on("bob");
  ASSERT_TRUE(world.run_until([&] { return in_sync().size() == 2; }, seconds(10)));
}

TEST_F(ManagerTest, AStaleCopyIsNeverPromoted) {
  settle();
  world.cut("alice", "bob");
  ASSERT_TRUE(world.run_until([&] { return in_sync() == std::set<std::string>{"alice"}; }, seconds(3)));
  world.power_off("alice");
  world.host("bob").blockd.up_to_date = true;  // he believes so: he cannot know better
  world.run(seconds(30));
  EXPECT_FALSE(world.host("bob").blockd.promoted_epoch.has_value());
  EXPECT_FALSE(world.serves("bob", "shop"));
  const auto json = status("bob");
  EXPECT_FALSE(json["healthy"].get<bool>());
  EXPECT_NE(json["problems"].dump().find("alice"), std::string::npos) << json.dump(1);
  world.heal();
  world.power_on("alice");
  EXPECT_TRUE(serves_within("alice", seconds(10)));
}

TEST_F(ManagerTest, MovesOnRequestWithoutLosingTheOldCopy) {
  settle();
  EXPECT_EQ(world.change("bob", message::MoveService{"shop", "bob"}), "");
  ASSERT_TRUE(serves_within("bob", seconds(10)));
  ASSERT_TRUE(world.run_until([&] { return in_sync().size() == 2; }, seconds(10)));
  EXPECT_EQ(world.change("alice", message::MoveService{"shop", ""}), "");
  ASSERT_TRUE(serves_within("alice", seconds(10)));
}

TEST_F(ManagerTest, StandbyEmptiesANodeAndOnlineDoesNotPullItBack) {
  settle();
  EXPECT_EQ(world.change("carol", message::SetStandby{"alice", true}), "");
  ASSERT_TRUE(serves_within("bob", seconds(10)));
  EXPECT_EQ(world.change("carol", message::SetStandby{"alice", false}), "");
  world.run(seconds(5));
  EXPECT_TRUE(world.serves("bob", "shop"));
}

TEST_F(ManagerTest, ComesBackAfterABlackoutInAnyOrder) {
  settle();
  for (const auto& order : {std::vector<std::string>{"bob", "carol", "alice"}, {"carol", "alice", "bob"}}) {
    for (const char* name : {"alice", "bob", "carol"}) world.power_off(name);
    world.run(seconds(5));
    for (const auto& name : order) {
      world.power_on(name);
      world.run(seconds(3));
    }
    ASSERT_TRUE(world.run_until(
        [&] { return (world.serves("alice", "shop") || world.serves("bob", "shop")) && in_sync().size() == 2; },
        seconds(20)));
  }
}

TEST_F(ManagerTest, AFailedStepIsStartedAgainInPlace) {
  settle();
  world.host("alice").agents["apache"].running = false;
  ASSERT_TRUE(world.run_until([&] { return world.told("step-failed", "shop"); }, seconds(10)));
  ASSERT_TRUE(serves_within("alice", seconds(10)));
}

TEST_F(ManagerTest, AServiceThatCannotStartHereStartsElsewhere) {
  settle();
  world.host("bob").agents["apache"].start_code = 1;
  EXPECT_EQ(world.change("alice", message::MoveService{"shop", "bob"}), "");
  ASSERT_TRUE(world.run_until([&] { return world.told("step-failed", "shop"); }, seconds(10)));
  EXPECT_TRUE(serves_within("alice", seconds(20)));
  EXPECT_FALSE(world.serves("bob", "shop"));
}

TEST_F(ManagerTest, AVolumeHeldByHandIsPrimaryWithoutItsService) {
  settle();
  EXPECT_NE(world.change("alice", message::HoldVolume{"data", "bob"}), "");
  EXPECT_EQ(world.change("alice", message::SetTarget{"shop", false}), "");
  ASSERT_TRUE(world.run_until([&] { return status("alice")["volumes"][0]["owner"].is_null(); }, seconds(10)));
  EXPECT_EQ(world.change("alice", message::HoldVolume{"data", "alice"}), "");
  ASSERT_TRUE(world.run_until([&] { return world.host("alice").blockd.promoted_epoch.has_value(); }, seconds(10)));
  EXPECT_EQ(world.change("alice", message::HoldVolume{"data", ""}), "");
  ASSERT_TRUE(world.run_until([&] { return status("bob")["volumes"][0]["owner"].is_null(); }, seconds(10)));
  EXPECT_FALSE(world.host("alice").blockd.promoted_epoch.has_value());
  EXPECT_EQ(world.change("bob", message::SetTarget{"shop", true}), "");
  EXPECT_TRUE(serves_within("alice", seconds(10)) || serves_within("bob", seconds(10)));
}

TEST_F(ManagerTest, AChangeOfAnUnknownServiceIsRefusedWithTheKnownNames) {
  settle();
  const auto why = world.change("alice", message::SetTarget{"shpo", true});
  EXPECT_NE(why.find("shop"), std::string::npos) << why;
}

TEST_F(ManagerTest, WithoutAMajorityAChangeIsNotPromised) {
  settle();
  world.power_off("bob");
  world.power_off("carol");
  EXPECT_NE(world.change("alice", message::SetStandby{"bob", true}), "");
  EXPECT_FALSE(world.serves("alice", "shop"));
}

}  // namespace
}  // namespace bascule::manager::test
