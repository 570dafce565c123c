#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/manager/manager_world.h"

namespace bascule::manager::test {
namespace {

config::FenceDevice fence_device(const std::string& node) {
  config::FenceDevice device;
  device.name = "pdu-" + node;
  device.agent = "fence_pdu";
  device.plugs = {{node, node}};
  return device;
}

config::ClusterConfig two_nodes(bool fenced) {
  auto config = shop_config(true);
  config.nodes.pop_back();
  config.timing.hold_grace = seconds(60);
  if (fenced) config.fences = {fence_device("alice"), fence_device("bob")};
  return config;
}

config::ClusterConfig fenced_majority() {
  auto config = shop_config(true);
  config.fences = {fence_device("alice"), fence_device("bob")};
  config.fence_lost_nodes = true;
  return config;
}

class FencingManagerTest : public testing::Test {
 protected:
  void begin(const config::ClusterConfig& config) {
    world = std::make_unique<World>(config);
    ASSERT_TRUE(within(seconds(30), [&] { return world->serves("alice", "shop"); }));
    ASSERT_TRUE(within(seconds(30), [&] { return in_sync("alice").size() == 2; }));
    world->run(seconds(3));
  }
  void TearDown() override {
    if (!world) return;
    EXPECT_TRUE(world->breaches().empty()) << world->breaches().front();
    if (!HasFailure()) return;
    for (const auto& event : world->story())
      std::printf("%8lld ms %-6s %-18s %s: %s\n", static_cast<long long>(event.at_ns / 1'000'000), event.node.c_str(),
                  event.kind.c_str(), event.subject.c_str(), event.text.c_str());
  }
  bool within(Duration patience, const std::function<bool()>& done) { return world->run_until(done, patience); }
  nlohmann::json status(const std::string& host) { return nlohmann::json::parse(world->status(host)); }
  std::set<std::string> in_sync(const std::string& host) {
    return status(host)["volumes"][0]["in_sync"].get<std::set<std::string>>();
  }
  /// And knows that the other one knows it.
  bool decides_no_more(const std::string& node) {
    const auto quorum = status(node)["quorum"];
    return quorum["votes"] == 1 && quorum["settled"].get<bool>();
  }
  std::string by_hand(const std::string& at, const std::string& node, const std::string& act) {
    return world->change(at, message::FenceByHand{node, act, ""});
  }

  std::unique_ptr<World> world;
};

TEST_F(FencingManagerTest, OfTwoNodesTheOtherGoesOnWhenTheDeadOneIsFencedAndTakesItInAgain) {
  begin(two_nodes(true));
  world->power_off("alice");
  ASSERT_TRUE(within(seconds(15), [&] { return world->serves("bob", "shop"); }));
  EXPECT_EQ(world->switched_off(), std::vector<std::string>{"alice by bob"});
  EXPECT_TRUE(world->told("alone", "bob"));
  EXPECT_TRUE(within(seconds(5), [&] { return !status("bob")["fencing"]["history"].empty(); }));
  EXPECT_EQ(in_sync("bob"), std::set<std::string>{"bob"});
  if (!world->host("alice").on) world->power_on("alice");
  ASSERT_TRUE(within(seconds(20), [&] { return in_sync("bob").size() == 2; }));
  world->run(seconds(5));
  EXPECT_TRUE(world->serves("bob", "shop"));
  EXPECT_EQ(world->switched_off().size(), 1u);
  // And back again: it has its vote.
  world->power_off("bob");
  ASSERT_TRUE(within(seconds(20), [&] { return world->serves("alice", "shop"); }));
}

TEST_F(FencingManagerTest, OfTwoNodesThatOnlyDoNotHearEachOtherExactlyOneSurvives) {
  begin(two_nodes(true));
  world->cut("alice", "bob");
  world->run(seconds(20));
  EXPECT_EQ(world->switched_off(), std::vector<std::string>{"bob by alice"}) << "who holds the service shoots first";
  EXPECT_TRUE(world->serves("alice", "shop"));
  world->heal();
  ASSERT_TRUE(within(seconds(20), [&] { return in_sync("alice").size() == 2; }));
}

TEST_F(FencingManagerTest, WhoFencedLatelyAndServesShootsFirstAllTheSame) {
  begin(two_nodes(true));
  world->power_off("alice");
  ASSERT_TRUE(within(seconds(15), [&] { return world->serves("bob", "shop"); }));
  ASSERT_TRUE(within(seconds(5), [&] { return world->host("alice").on && status("bob")["quorum"]["votes"] == 2; }));
  world->cut("alice", "bob");
  world->run(seconds(15));
  EXPECT_EQ(world->switched_off(), (std::vector<std::string>{"alice by bob", "alice by bob"}));
  EXPECT_TRUE(world->serves("bob", "shop"));
}

TEST_F(FencingManagerTest, OfTwoNodesWithoutFencingNobodyTakesOverAndTheFirstLineSaysSo) {
  begin(two_nodes(false));
  EXPECT_EQ(status("alice")["summary"].get<std::string>().find(
                "No automatic takeover: two nodes with neither witness nor fencing."),
            0u)
      << status("alice")["summary"];
  EXPECT_FALSE(status("alice")["healthy"].get<bool>());
  world->power_off("alice");
  world->run(seconds(60));
  EXPECT_FALSE(world->serves("bob", "shop"));
  EXPECT_EQ(by_hand("bob", "alice", "confirm"), "");
  ASSERT_TRUE(within(seconds(10), [&] { return world->serves("bob", "shop"); }));
}

TEST_F(FencingManagerTest, WhoWasAwayDoesNotStartAloneNorFenceButCanBeTold) {
  begin(two_nodes(true));
  world->power_off("bob");
  ASSERT_TRUE(within(seconds(15), [&] { return world->told("alone", "alice"); }));
  world->power_off("alice");
  if (!world->host("bob").on) world->power_on("bob");  // with what its disk knew before
  const auto shots = world->switched_off().size();
  world->run(seconds(60));
  EXPECT_FALSE(world->serves("bob", "shop"));
  EXPECT_EQ(world->switched_off().size(), shots) << "it may have missed something: it has no right to shoot";
  const auto refusal = by_hand("bob", "alice", "confirm");
  EXPECT_NE(refusal.find("start-alone"), std::string::npos) << refusal;
  EXPECT_EQ(by_hand("bob", "alice", "start-alone"), "");
  EXPECT_EQ(status("bob")["quorum"]["leader"], "bob");
}

/// With and without fence devices, whoever leads: none is needed.
TEST_F(FencingManagerTest, OfTwoNodesTheOneThatSaidGoodbyeIsNotMissed) {
  for (const auto& [leaves, fenced] : {std::pair("alice", true), {"alice", false}, {"bob", true}, {"bob", false}}) {
    begin(two_nodes(fenced));
    const std::string stays = leaves == std::string("alice") ? "bob" : "alice";
    EXPECT_NE(world->change(leaves, message::SayGoodbye{leaves}), "") << "it is not in standby";
    ASSERT_EQ(world->change(leaves, message::SetStandby{leaves, true}), "");
    ASSERT_TRUE(within(seconds(20), [&] { return world->serves(stays, "shop"); }));
    ASSERT_TRUE(within(seconds(20), [&] { return in_sync(stays).size() == 2; }));
    EXPECT_EQ(world->change(leaves, message::SayGoodbye{leaves}), "");
    ASSERT_TRUE(within(seconds(5), [&] { return decides_no_more(leaves); })) << leaves;
    world->power_off(leaves);
    world->run(seconds(60));
    EXPECT_TRUE(world->serves(stays, "shop"));
    EXPECT_TRUE(world->switched_off().empty()) << "it was shot although it had said goodbye";
    EXPECT_EQ(world->change(stays, message::SetTarget{"shop", true}), "") << "it decides alone";

    world->power_on(leaves);
    ASSERT_TRUE(within(seconds(20), [&] { return in_sync(stays).size() == 2; }));
    EXPECT_EQ(status(stays)["quorum"]["votes"], 1) << "it has not said yet that it is back";
    EXPECT_EQ(world->change(leaves, message::SetStandby{leaves, false}), "");
    ASSERT_TRUE(within(seconds(5), [&] { return status(leaves)["quorum"]["votes"] == 2; }));
    EXPECT_TRUE(world->breaches().empty());
  }
}

TEST_F(FencingManagerTest, WhoSaidGoodbyeStartsAloneOnlyWhenItIsTold) {
  begin(two_nodes(true));
  ASSERT_EQ(world->change("bob", message::SetStandby{"bob", true}), "");
  ASSERT_EQ(world->change("bob", message::SayGoodbye{"bob"}), "");
  ASSERT_TRUE(within(seconds(5), [&] { return decides_no_more("bob"); }));
  world->power_off("bob");
  world->run(seconds(5));
  world->power_off("alice");
  world->power_on("bob");
  world->run(seconds(60));
  EXPECT_TRUE(world->switched_off().empty()) << "alice has newer data: bob has no right to shoot";
  EXPECT_NE(by_hand("bob", "alice", "confirm"), "");
  EXPECT_EQ(by_hand("bob", "alice", "start-alone"), "");
  EXPECT_EQ(status("bob")["quorum"]["leader"], "bob");
}

TEST_F(FencingManagerTest, AFailedFencingIsNoTakeoverAndIsTriedAgain) {
  begin(two_nodes(true));
  world->fence_code = 1;
  world->power_off("alice");
  world->run(seconds(30));
  EXPECT_FALSE(world->serves("bob", "shop"));
  world->fence_code = 0;
  ASSERT_TRUE(within(seconds(30), [&] { return world->serves("bob", "shop"); }));
}

TEST_F(FencingManagerTest, NobodyIsConfirmedOffWhoIsHeard) {
  begin(two_nodes(true));
  const auto refusal = by_hand("alice", "bob", "confirm");
  EXPECT_NE(refusal.find("it is not off"), std::string::npos) << refusal;
}

TEST_F(FencingManagerTest, APlannedRestartOfAManagerIsNotShotAt) {
  begin(two_nodes(true));
  ASSERT_TRUE(world->prepare_restart("bob", seconds(1)));
  world->manager_down("bob");
  world->run(seconds(10));
  world->manager_up("bob");
  world->run(seconds(5));
  EXPECT_TRUE(world->switched_off().empty());
}

TEST_F(FencingManagerTest, WithAMajorityALostOwnerIsFencedBesideTheTakeover) {
  begin(fenced_majority());
  world->power_off("alice");
  const Instant died = world->now();
  ASSERT_TRUE(within(seconds(5), [&] { return world->serves("bob", "shop"); }));
  EXPECT_LT(to_ms(world->now() - died), 750) << "the takeover does not wait for the agents";
  ASSERT_TRUE(within(seconds(10), [&] { return !status("carol")["fencing"]["history"].empty(); }));
  EXPECT_EQ(world->switched_off(), std::vector<std::string>{"alice by bob"});
  world->run(seconds(30));
  EXPECT_EQ(world->switched_off().size(), 1u);
}

TEST_F(FencingManagerTest, AProvenFencingShortensALongLease) {
  begin(fenced_majority());
  ASSERT_TRUE(world->prepare_restart("alice", seconds(1)));
  world->power_off("alice");  // instead of coming back: its leases last for 30 s
  world->run(seconds(3));
  EXPECT_FALSE(world->serves("bob", "shop"));
  EXPECT_EQ(by_hand("bob", "alice", "fence"), "");
  EXPECT_TRUE(within(seconds(3), [&] { return world->serves("bob", "shop"); }));
}

TEST_F(FencingManagerTest, ATestIsRememberedAndAnUntestedDeviceIsAProblem) {
  begin(fenced_majority());
  EXPECT_NE(status("carol")["problems"].dump().find("pdu-alice was never tested"), std::string::npos);
  EXPECT_EQ(by_hand("bob", "alice", "test"), "");
  EXPECT_TRUE(within(seconds(3), [&] { return status("carol")["fencing"]["devices"][0]["passed"].get<bool>(); }));
  EXPECT_EQ(status("carol")["problems"].dump().find("pdu-alice"), std::string::npos);
  world->fence_code = 1;
  EXPECT_NE(by_hand("bob", "alice", "test").find("does not answer"), std::string::npos);
  EXPECT_TRUE(within(seconds(3), [&] {
    return status("carol")["problems"].dump().find("pdu-alice failed its last test") != std::string::npos;
  }));
  EXPECT_TRUE(world->switched_off().empty());
}

TEST_F(FencingManagerTest, ANodeThatMustBeSwitchedOnStartsNothingBefore) {
  auto config = fenced_majority();
  World unfencing(config, [](fencing::Abilities& abilities) { abilities.unfences = true; });
  unfencing.fence_code = 1;
  unfencing.run(seconds(10));
  EXPECT_FALSE(unfencing.serves("alice", "shop"));
  unfencing.fence_code = 0;
  EXPECT_TRUE(unfencing.run_until([&] { return unfencing.serves("alice", "shop"); }, seconds(15)));
}

TEST_F(FencingManagerTest, AFailureThatAsksForItHasTheNodeFencedOnce) {
  auto config = fenced_majority();
  config.services[0].steps.back().on_fail = config::OnFail::fence;
  begin(config);
  world->fence_code = 1;
  world->host("alice").agents["apache"].running = false;
  ASSERT_TRUE(within(seconds(10), [&] { return world->serves("bob", "shop"); })) << "the takeover does not wait";
  ASSERT_TRUE(within(seconds(30), [&] { return world->told("fencing-failed", "alice"); }));
  EXPECT_TRUE(world->switched_off().empty());
  world->fence_code = 0;
  ASSERT_TRUE(within(seconds(40), [&] { return !world->switched_off().empty(); })) << "it is tried again";
  EXPECT_EQ(world->switched_off(), std::vector<std::string>{"alice by bob"});
  ASSERT_TRUE(within(seconds(10), [&] { return world->told("node-fenced", "alice"); }));
  EXPECT_NE(status("bob")["fencing"]["history"].back()["reason"].get<std::string>().find("shop failed there"),
            std::string::npos);
  world->run(seconds(60));
  EXPECT_EQ(world->switched_off().size(), 1u) << "the failure is forgotten with it";
}

TEST_F(FencingManagerTest, AFailureThatAsksForFencingWithoutADeviceStopsAndSaysSo) {
  auto config = shop_config(true);
  config.services[0].steps.back().on_fail = config::OnFail::fence;
  begin(config);
  EXPECT_NE(status("bob")["problems"].dump().find("no [fence.NAME] can switch off alice and bob"), std::string::npos);
  world->host("alice").agents["apache"].running = false;
  ASSERT_TRUE(within(seconds(10), [&] { return world->serves("bob", "shop"); }));
  world->run(seconds(10));
  EXPECT_FALSE(world->told("fencing", "alice"));
}

TEST_F(FencingManagerTest, InMaintenanceNobodyIsFencedButByHand) {
  begin(two_nodes(true));
  ASSERT_EQ(world->change("bob", message::SetMaintenance{"node:alice", true, "erik", "new fan", 7, 0}), "");
  world->power_off("alice");
  world->run(seconds(40));
  EXPECT_TRUE(world->switched_off().empty());
  EXPECT_FALSE(world->serves("bob", "shop"));
  EXPECT_EQ(by_hand("bob", "alice", "fence"), "");
  EXPECT_EQ(world->switched_off(), std::vector<std::string>{"alice by bob"});
  EXPECT_TRUE(within(seconds(5), [&] { return world->told("alone", "bob"); }));
}

TEST_F(FencingManagerTest, AMaintenanceThatNobodyCanEndIsOverWhenItsTimeIs) {
  begin(two_nodes(true));
  ASSERT_EQ(world->change("bob", message::SetMaintenance{"cluster", true, "erik", "new fan", 7, 30'000}), "");
  world->power_off("alice");
  world->run(seconds(25));
  EXPECT_TRUE(world->switched_off().empty());
  ASSERT_TRUE(within(seconds(20), [&] { return world->serves("bob", "shop"); }));
}

TEST_F(FencingManagerTest, InMaintenanceALostOwnerIsNotFencedBesideAMajority) {
  auto config = fenced_majority();
  config.services[0].steps.back().on_fail = config::OnFail::fence;
  begin(config);
  ASSERT_EQ(world->change("bob", message::SetMaintenance{"node:alice", true, "erik", "new fan", 7, 0}), "");
  world->power_off("alice");
  world->run(seconds(30));
  EXPECT_TRUE(world->switched_off().empty());
}

// ---- with the configuration
// ------------------------------------------------------------------------------------------

class FencingConfigurationTest : public FencingManagerTest {
 protected:
  static std::string text(const std::string& witness, const std::string& fences) {
    return "[cluster]\nname = \"test\"\nhold_grace_ms = 60000\nwatchdog_deadline_ms = 80000\nfence_lost_nodes = true\n"
           "[node.alice]\naddress = \"10.0.0.1\"\nid = 1\n[node.bob]\naddress = \"10.0.0.2\"\nid = 2\n" +
           witness +
           "[volume.data]\nsize = \"1G\"\ndisk = { alice = \"/a\", bob = \"/b\" }\n"
           "[service.shop]\nvolume = \"data\"\nprefer = \"alice\"\n"
           "run = [ \"ocf:heartbeat:Filesystem\", { agent = \"ocf:heartbeat:IPaddr2\", ip = \"10.0.0.10\" }, "
           "\"ocf:heartbeat:apache\" ]\n" +
           fences;
  }
  void begin_with(const std::string& file) {
    world = std::make_unique<World>(file);
    ASSERT_TRUE(within(seconds(30), [&] { return world->serves("alice", "shop"); }));
    ASSERT_TRUE(within(seconds(30), [&] { return in_sync("alice").size() == 2; }));
    world->run(seconds(3));
  }
  std::string apply(const std::string& at, const std::string& file) {
    const std::uint64_t version = status(at)["configuration"]["version"];
    return world->change(at, message::SetConfig{version, false, file, "because", "ann", 1, 0});
  }
  /// Looks every 50 ms only: a status is no cheap thing.
  bool comes(const std::function<bool()>& done, int patience_s) {
    for (int look = 0; look < patience_s * 20 && !done(); ++look) world->run(milliseconds(50));
    return done();
  }
  bool votes_are(const std::string& host, int votes) { return status(host)["quorum"]["votes"] == votes; }

  const std::string carol = "[node.carol]\naddress = \"10.0.0.3\"\nrole = \"witness\"\nid = 3\n";
  const std::string board = "[fence.board]\nagent = \"fence_board\"\nnodes = [ \"alice\", \"bob\" ]\n";
};

TEST_F(FencingConfigurationTest, ADeviceThatIsConfiguredWhileTheManagersRunIsUsed) {
  begin_with(text(carol, ""));
  ASSERT_EQ(apply("bob", text(carol, board)), "");
  EXPECT_EQ(by_hand("bob", "alice", "test"), "");
  ASSERT_TRUE(within(seconds(3), [&] { return status("carol")["fencing"]["devices"][0]["passed"].get<bool>(); }));
  ASSERT_EQ(apply("bob", text(carol, board + "parameters = { ip = \"other\" }\n")), "");
  ASSERT_TRUE(within(seconds(3), [&] { return status("carol")["fencing"]["devices"][0]["text"] == "never tested"; }))
      << "a test of other parameters says nothing";
  world->power_off("alice");
  ASSERT_TRUE(within(seconds(10), [&] { return !world->switched_off().empty(); }));
  ASSERT_TRUE(within(seconds(5), [&] { return world->serves("bob", "shop"); }));
}

TEST_F(FencingConfigurationTest, TheWitnessGoesAndTheTwoThatAreLeftDecideByFencing) {
  begin_with(text(carol, board));
  ASSERT_EQ(apply("alice", text("", board)), "");
  ASSERT_TRUE(comes([&] { return votes_are("alice", 2) && votes_are("bob", 2); }, 20));
  world->power_off("carol");
  world->run(seconds(5));
  EXPECT_TRUE(world->serves("alice", "shop"));
  EXPECT_FALSE(world->told("service-stopped", "shop"));
  world->power_off("alice");
  ASSERT_TRUE(within(seconds(15), [&] { return world->serves("bob", "shop"); }));
  EXPECT_EQ(world->switched_off(), std::vector<std::string>{"alice by bob"});
  ASSERT_TRUE(comes([&] { return votes_are("bob", 2) && in_sync("bob").size() == 2; }, 30));
}

/// Without a volume: that needs two nodes.
std::string pair_text(bool with_alice, bool with_bob) {
  const std::string alice = "[node.alice]\naddress = \"10.0.0.1\"\nid = 1\n";
  const std::string bob = "[node.bob]\naddress = \"10.0.0.2\"\nid = 2\n";
  return "[cluster]\nname = \"test\"\n" + (with_alice ? alice : "") + (with_bob ? bob : "") +
         "[service.web]\nrun = \"ocf:heartbeat:apache\"\n";
}

TEST_F(FencingConfigurationTest, WhoWentOnAloneMayForgetTheOther) {
  world = std::make_unique<World>(pair_text(true, true));
  ASSERT_TRUE(within(seconds(30), [&] { return world->serves("alice", "web") || world->serves("bob", "web"); }));
  EXPECT_EQ(status("alice")["summary"].get<std::string>().find("No automatic takeover"), 0u);
  world->run(seconds(3));
  world->power_off("alice");
  world->run(seconds(5));
  ASSERT_EQ(by_hand("bob", "alice", "confirm"), "");
  ASSERT_TRUE(within(seconds(10), [&] { return world->serves("bob", "web"); }));
  ASSERT_EQ(world->change("bob", message::SetStandby{"alice", true}), "");
  EXPECT_EQ(apply("bob", pair_text(false, true)), "");
  world->run(seconds(5));
  EXPECT_TRUE(world->serves("bob", "web"));
  EXPECT_TRUE(votes_are("bob", 1));
}

TEST_F(FencingConfigurationTest, OfTwoThatAreThereNoneIsVotedOut) {
  world = std::make_unique<World>(pair_text(true, true));
  ASSERT_TRUE(within(seconds(30), [&] { return world->serves("alice", "web") || world->serves("bob", "web"); }));
  ASSERT_EQ(world->change("alice", message::SetStandby{"bob", true}), "");
  ASSERT_TRUE(within(seconds(10), [&] { return world->serves("alice", "web"); }));
  const auto refusal = apply("alice", pair_text(true, false));
  EXPECT_NE(refusal.find("bascule fence confirm"), std::string::npos) << refusal;
}

}  // namespace
}  // namespace bascule::manager::test
