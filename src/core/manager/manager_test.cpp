#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
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
  EXPECT_FALSE(world.host("alice").blockd().promoted_epoch.has_value());
}

/// What it says still arrives at the leader, so it counted as there, and kept what it could not serve any more.
TEST_F(ManagerTest, WhoDoesNotHearTheLeaderIsGivenUp) {
  settle();
  world.cut_one_way("carol", "alice");
  ASSERT_TRUE(serves_within("bob", seconds(30)));
  EXPECT_TRUE(world.told("node-deaf", "alice"));
  EXPECT_FALSE(world.serves("alice", "shop"));
  world.heal();
  ASSERT_TRUE(world.run_until([&] { return in_sync().size() == 2; }, seconds(10)));
  EXPECT_TRUE(status()["nodes"][0]["online"].get<bool>());
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
  EXPECT_FALSE(world.host("alice").blockd().promoted_epoch.has_value());
  EXPECT_FALSE(world.host("alice").agents["apache"].running);
  world.heal();
  ASSERT_TRUE(world.run_until([&] { return in_sync().size() == 2; }, seconds(10)));
  EXPECT_TRUE(world.serves("bob", "shop"));
}

/// Random fault sequences 21-14 and 31-39: the lease of the volume had been given back in the epoch that went on, so
/// blockd held what the loop device waited for.
TEST_F(ManagerTest, WhatWasStoppedBeforeItsOwnerWasKnownGoesOnWithTheLeaseOfItsVolume) {
  settle();
  world.cut("alice", "bob"), world.cut("alice", "carol"), world.cut("bob", "carol");
  world.manager_down("alice");
  world.manager_up("alice");
  ASSERT_TRUE(world.run_until([&] { return !world.host("alice").blockd().promoted_epoch.has_value(); }, seconds(10)));
  world.heal();
  ASSERT_TRUE(
      world.run_until([&] { return world.serves("alice", "shop") || world.serves("bob", "shop"); }, seconds(5)));
  auto& owner = world.host(world.serves("alice", "shop") ? "alice" : "bob");
  ASSERT_TRUE(world.run_until([&] { return owner.leases.contains("volume:data"); }, 2 * config::Timing{}.heartbeat));
  EXPECT_EQ(owner.leases.at("volume:data").first, owner.blockd().promoted_epoch);
  EXPECT_GT(owner.leases.at("volume:data").second, world.now());
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
  world.host("bob").blockd().up_to_date = true;  // he believes so: he cannot know better
  world.run(seconds(30));
  EXPECT_FALSE(world.host("bob").blockd().promoted_epoch.has_value());
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

TEST_F(ManagerTest, TheOtherCopyJoinsTheSetWhenTheOnlyMemberCannotStartTheService) {
  settle();
  world.power_off("bob");
  ASSERT_TRUE(world.run_until([&] { return in_sync() == std::set<std::string>{"alice"}; }, seconds(5)));
  auto& apache = world.host("alice").agents["apache"];
  apache.start_code = 1;
  apache.running = false;
  ASSERT_TRUE(world.run_until([&] { return status()["volumes"][0]["owner"].is_null(); }, seconds(20)));
  world.run(seconds(2));
  EXPECT_EQ(in_sync(), std::set<std::string>{"alice"}) << "nobody vouches for a copy that is away";
  world.power_on("bob");
  ASSERT_TRUE(serves_within("bob", seconds(20)));
  EXPECT_EQ(in_sync().size(), 2u);
}

TEST_F(ManagerTest, AVolumeHeldByHandIsPrimaryWithoutItsService) {
  settle();
  EXPECT_NE(world.change("alice", message::HoldVolume{"data", "bob"}), "");
  EXPECT_EQ(world.change("alice", message::SetTarget{"shop", false}), "");
  ASSERT_TRUE(world.run_until([&] { return status("alice")["volumes"][0]["owner"].is_null(); }, seconds(10)));
  EXPECT_EQ(world.change("alice", message::HoldVolume{"data", "alice"}), "");
  ASSERT_TRUE(world.run_until([&] { return world.host("alice").blockd().promoted_epoch.has_value(); }, seconds(10)));
  EXPECT_EQ(world.change("alice", message::HoldVolume{"data", ""}), "");
  ASSERT_TRUE(world.run_until([&] { return status("bob")["volumes"][0]["owner"].is_null(); }, seconds(10)));
  EXPECT_FALSE(world.host("alice").blockd().promoted_epoch.has_value());
  EXPECT_EQ(world.change("bob", message::SetTarget{"shop", true}), "");
  EXPECT_TRUE(serves_within("alice", seconds(10)) || serves_within("bob", seconds(10)));
}

TEST_F(ManagerTest, WhatAPersonMountedOnAVolumeThatIsPrimaryByHandStays) {
  settle();
  EXPECT_EQ(world.change("alice", message::SetTarget{"shop", false}), "");
  ASSERT_TRUE(world.run_until([&] { return status("alice")["volumes"][0]["owner"].is_null(); }, seconds(10)));
  EXPECT_EQ(world.change("alice", message::HoldVolume{"data", "alice"}), "");
  ASSERT_TRUE(world.run_until([&] { return world.host("alice").blockd().promoted_epoch.has_value(); }, seconds(10)));
  const auto before = std::count(world.unmounted().begin(), world.unmounted().end(), "data on alice");
  world.manager_down("alice");
  world.manager_up("alice");  // it looks for what an earlier life left behind
  world.run(seconds(5));
  EXPECT_EQ(std::count(world.unmounted().begin(), world.unmounted().end(), "data on alice"), before);
  EXPECT_TRUE(world.host("alice").blockd().promoted_epoch.has_value());
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

/// The shop with failures that fade after five seconds, and a first step that reacts as told.
class FailureTest : public testing::Test {
 protected:
  static config::ClusterConfig quick(config::OnFail on_fail) {
    auto config = shop_config(true);
    config.services[0].failure_timeout = seconds(5);
    config.services[0].steps.back().on_fail = on_fail;
    return config;
  }
  void begin(config::OnFail on_fail) {
    world = std::make_unique<World>(quick(on_fail));
    ASSERT_TRUE(world->run_until([&] { return world->serves("alice", "shop"); }, seconds(30)));
    world->run(seconds(3));
  }
  void break_once() {
    auto& agent = world->host("alice").agents[apache];
    agent.running = false;
    ASSERT_TRUE(world->run_until([&] { return !failures().empty(); }, seconds(10)));
  }
  nlohmann::json service() { return nlohmann::json::parse(world->status("bob"))["services"][0]; }
  nlohmann::json failures() { return service().value("failures", nlohmann::json::array()); }

  const std::string apache = shop_config(true).services[0].steps.back().name;
  std::unique_ptr<World> world;
};

TEST_F(FailureTest, FadeThroughTheLogWhateverBecomesOfTheLeader) {
  begin(config::OnFail::restart);
  break_once();
  EXPECT_EQ(failures()[0]["count"], 1);
  EXPECT_LE(failures()[0]["fades_in_ms"], 5000);
  EXPECT_GT(failures()[0]["fades_in_ms"], 4000);
  world->run(seconds(2));
  world->manager_down("carol");  // the leader: the next one knows the time as well
  world->run(seconds(2));
  EXPECT_EQ(failures().size(), 1u);
  ASSERT_TRUE(world->run_until([&] { return failures().empty(); }, seconds(3)));
  EXPECT_TRUE(world->told("failures-faded", "shop"));
  EXPECT_TRUE(world->serves("alice", "shop"));
}

TEST_F(FailureTest, ABlockedServiceIsLeftAsItIsUntilSomebodyClearsIt) {
  begin(config::OnFail::block);
  break_once();
  EXPECT_EQ(failures()[0]["fades_in_ms"], -1);
  world->run(seconds(20));
  EXPECT_EQ(service()["state"], "Blocked");
  EXPECT_FALSE(world->host("alice").agents[apache].running);
  EXPECT_EQ(service()["owner"], "alice");
  EXPECT_EQ(world->change("bob", message::ClearFailures{"shop", ""}), "");
  ASSERT_TRUE(world->run_until([&] { return world->serves("alice", "shop"); }, seconds(5)));
}

TEST_F(FailureTest, ABlockOutlivesTheManagerThatSawTheFailure) {
  begin(config::OnFail::block);
  break_once();
  world->manager_down("alice");
  world->manager_up("alice");
  world->run(seconds(2));
  EXPECT_EQ(service()["state"], "Blocked");
  EXPECT_FALSE(world->host("alice").agents[apache].running);
}

TEST_F(FailureTest, StopStandbyAndFenceEndOnThisNode) {
  for (const auto& [reaction, elsewhere] :
       {std::pair{config::OnFail::stop, false}, std::pair{config::OnFail::standby, true},
        std::pair{config::OnFail::fence, true}}) {
    begin(reaction);
    break_once();
    world->run(seconds(3));
    EXPECT_EQ(world->serves("bob", "shop"), elsewhere) << config::text(reaction);
    EXPECT_FALSE(world->serves("alice", "shop"));
    // The failure fades, and with it what it led to: without stickiness to fail over for, it stays where it runs.
    ASSERT_TRUE(world->run_until([&] { return world->serves(elsewhere ? "bob" : "alice", "shop"); }, seconds(10)));
  }
}

TEST_F(FailureTest, ABootOfTheNodeTakesItsFailuresAway) {
  begin(config::OnFail::block);
  const auto say = [&](const char* boot) {
    world->machine("alice", boot, 1'700'000'000'000);
    world->run(seconds(4));
  };
  say("b1");
  break_once();
  EXPECT_GT(failures()[0]["at_ms"], 1'699'999'999'999);
  say("b1");
  EXPECT_EQ(failures().size(), 1u);
  say("b2");
  EXPECT_TRUE(failures().empty());
}

class AttributeTest : public ManagerTest {
 protected:
  void set(const std::string& name, const std::string& value, Duration delay = {}) {
    world.attribute("alice", {"", name, value, delay});
  }
  nlohmann::json transient(const std::string& host, const std::string& node = "alice") {
    return nlohmann::json::parse(world.attributes(host))[node]["transient"];
  }
};

TEST_F(AttributeTest, AreKnownHereAtOnceAndEverywhereSoon) {
  settle();
  set("pingd", "100");
  EXPECT_EQ(transient("alice")["pingd"], "100");
  EXPECT_FALSE(transient("bob").contains("pingd"));
  ASSERT_TRUE(world.run_until([&] { return transient("bob").contains("pingd"); }, seconds(1)));
  world.attribute("alice", {"bob", "pingd", std::nullopt, {}});
  world.attribute("alice", {"", "pingd", std::nullopt, {}});
  EXPECT_FALSE(transient("alice").contains("pingd"));
  ASSERT_TRUE(world.run_until([&] { return !transient("bob").contains("pingd"); }, seconds(1)));
}

TEST_F(AttributeTest, AreDampenedFromTheFirstChangeAndBatched) {
  settle();
  const auto index = [&] { return world.applied_index("bob"); };
  const auto before = index();
  for (int value = 0; value < 40; ++value) {
    set("pingd", std::to_string(value), seconds(5));
    set("load", std::to_string(value), seconds(5));
    world.run(milliseconds(100));
  }
  EXPECT_FALSE(transient("bob").contains("pingd"));
  world.run(seconds(2));
  EXPECT_EQ(transient("bob")["pingd"], "39");
  EXPECT_EQ(transient("bob")["load"], "39");
  EXPECT_LE(index(), before + 2) << "one entry for all of it, or two";
  set("pingd", "39");
  world.run(seconds(1));
  EXPECT_LE(index(), before + 2) << "nothing changed";
}

TEST_F(AttributeTest, OutliveAMajorityThatIsAway) {
  settle();
  world.power_off("bob");
  world.power_off("carol");
  world.run(seconds(2));
  set("pingd", "7");
  world.run(seconds(15));
  EXPECT_EQ(transient("alice")["pingd"], "7");
  world.power_on("carol");
  ASSERT_TRUE(world.run_until([&] { return transient("carol").contains("pingd"); }, seconds(10)));
}

TEST_F(AttributeTest, PermanentOnesAreAnsweredWhenAgreedAndCounted) {
  settle();
  EXPECT_EQ(world.change("alice", message::UpdateAttributes{"", false, {{"site", "north"}}, {}}), "");
  EXPECT_EQ(nlohmann::json::parse(world.attributes("alice"))["alice"]["permanent"]["site"], "north");
  EXPECT_NE(world.change("alice", message::UpdateAttributes{"zoe", false, {{"site", "north"}}, {}}), "");
  EXPECT_EQ(world.change("alice", message::UpdateAttributes{message::cluster_attributes, false, {{"x", "1"}}, {}}), "");
  set("count", "value++");
  set("count", "value+=2");
  ASSERT_TRUE(world.run_until([&] { return transient("bob").value("count", "") == "3"; }, seconds(2)));
  EXPECT_EQ(status()["nodes"][0]["attributes"]["site"], "north");
}

}  // namespace
}  // namespace bascule::manager::test
