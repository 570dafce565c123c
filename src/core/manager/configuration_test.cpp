// The agreed configuration and the members, on three to five managers in virtual time.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/prng.h"
#include "core/manager/manager_world.h"
#include "wire/cluster_config/edit.h"
#include "wire/cluster_config/test_cluster.h"

namespace bascule::manager::test {
namespace {

using config::test::replaced;

const std::string shop_text = std::string(config::test::three_nodes) + R"([volume.data]
size = "1G"
disk = { alice = "/a", bob = "/b" }
[service.shop]
volume = "data"
prefer = "alice"
run = [ "ocf:heartbeat:Filesystem", { agent = "ocf:heartbeat:IPaddr2", ip = "10.0.0.10" }, "ocf:heartbeat:apache" ]
)";

const std::string web = "[service.web]\nprefer = \"bob\"\nrun = \"ocf:heartbeat:nginx\"\n";

class ConfigurationWorld : public testing::Test {
 protected:
  ConfigurationWorld() : world(shop_text) {}

  void TearDown() override {
    EXPECT_TRUE(world.breaches().empty()) << world.breaches().front();
    if (!HasFailure()) return;
    for (const auto& event : world.story())
      std::printf("%8lld ms %-6s %-18s %s: %s\n", static_cast<long long>(event.at_ns / 1'000'000), event.node.c_str(),
                  event.kind.c_str(), event.subject.c_str(), event.text.c_str());
  }
  void settle() {
    ASSERT_TRUE(world.run_until([&] { return world.serves("alice", "shop"); }, seconds(30)));
    world.run(seconds(3));
  }
  nlohmann::json status(const std::string& host) { return nlohmann::json::parse(world.status(host)); }
  std::uint64_t version(const std::string& host) { return status(host)["configuration"]["version"]; }
  std::string apply(const std::string& host, const std::string& text) {
    return world.change(host, message::SetConfig{version(host), false, text, "because", "ann", 1, 0});
  }
  std::string text_of(const std::string& host) { return world.host(host).file_text; }
  bool votes_are(const std::string& host, int votes) { return status(host)["quorum"]["votes"] == votes; }
  /// Looks every 50 ms only: a status is no cheap thing.
  bool comes(const std::function<bool()>& done, int patience_s) {
    for (int look = 0; look < patience_s * 20 && !done(); ++look) world.run(milliseconds(50));
    return done();
  }
  /// A node is added to the configuration and comes with the file that the others agreed on.
  void add_node(const std::string& name, const std::string& address, bool votes) {
    const auto text = config::with_node(text_of("alice"), {name, config::NodeRole::data, address, 0, {address}, votes});
    ASSERT_TRUE(text);
    ASSERT_EQ(apply("alice", *text), "");
    world.add_host(name, text_of("alice"));
    world.power_on(name);
  }

  World world;
};

TEST_F(ConfigurationWorld, ANewServiceStartsAndTheOthersAreNotTouched) {
  settle();
  ASSERT_EQ(apply("alice", shop_text + web), "");
  ASSERT_TRUE(world.run_until([&] { return world.serves("bob", "web"); }, seconds(5)));
  EXPECT_TRUE(world.serves("alice", "shop"));
  EXPECT_FALSE(world.told("service-stopped", "shop"));
  for (const auto* host : {"alice", "bob", "carol"}) {
    EXPECT_EQ(version(host), 1u);
    EXPECT_NE(text_of(host).find("[node.carol]\nid = 3"), std::string::npos) << text_of(host);
  }
  EXPECT_EQ(status("alice")["services"][0]["epoch"], 1);
}

TEST_F(ConfigurationWorld, UndoGoesBackAndTheServiceIsStopped) {
  settle();
  ASSERT_EQ(apply("alice", shop_text + web), "");
  ASSERT_TRUE(world.run_until([&] { return world.serves("bob", "web"); }, seconds(5)));
  const auto history = nlohmann::json::parse(world.host("bob").manager->history_json(0));
  ASSERT_EQ(history["text"], shop_text) << "what the files said is version 0";
  ASSERT_EQ(apply("bob", history["text"]), "");
  ASSERT_TRUE(world.run_until([&] { return !world.host("bob").agents["nginx"].running; }, seconds(5)));
  ASSERT_TRUE(world.run_until([&] { return world.host("bob").runners.count("web") == 0; }, seconds(5)));
  EXPECT_EQ(version("carol"), 2u);
  EXPECT_EQ(status("alice")["services"].size(), 1u);
  EXPECT_TRUE(world.serves("alice", "shop"));
}

TEST_F(ConfigurationWorld, AServiceWithOtherStepsIsStoppedAsItWasAndStartedAsItIs) {
  settle();
  ASSERT_EQ(apply("carol", replaced(shop_text, "\"ocf:heartbeat:apache\"", "\"ocf:heartbeat:nginx\"")), "");
  ASSERT_TRUE(world.run_until(
      [&] { return world.host("alice").agents["nginx"].running && world.serves("alice", "shop"); }, seconds(10)));
  EXPECT_FALSE(world.host("alice").agents["apache"].running);
  EXPECT_EQ(status("alice")["services"][0]["epoch"], 2);
}

TEST_F(ConfigurationWorld, ATimeoutChangesWithoutTouchingTheService) {
  settle();
  ASSERT_EQ(apply("bob", replaced(shop_text, "prefer = \"alice\"", "prefer = \"alice\"\nstickiness = 7")), "");
  world.run(seconds(3));
  EXPECT_EQ(status("alice")["services"][0]["epoch"], 1);
  EXPECT_TRUE(world.serves("alice", "shop"));
}

/// The manager dies between the change and the stop, and the new one finds a service that its file does not know.
TEST_F(ConfigurationWorld, ARemovedServiceIsStoppedAlsoByAManagerThatStartsAfterwards) {
  settle();
  ASSERT_EQ(apply("alice", shop_text + web), "");
  ASSERT_TRUE(world.run_until([&] { return world.serves("bob", "web"); }, seconds(5)));
  world.manager_down("bob");
  ASSERT_EQ(apply("alice", shop_text), "");
  world.manager_up("bob");
  ASSERT_TRUE(world.run_until([&] { return !world.host("bob").agents["nginx"].running; }, seconds(20)));
  ASSERT_TRUE(world.run_until([&] { return text_of("bob") == text_of("alice"); }, seconds(1)));
}

TEST_F(ConfigurationWorld, AnOlderViewIsRefusedAndBadTextChangesNothing) {
  settle();
  ASSERT_EQ(apply("alice", shop_text + web), "");
  EXPECT_NE(world.change("bob", message::SetConfig{0, false, shop_text, "", "", 1, 0}), "");
  EXPECT_NE(apply("bob", "[cluster]\n"), "");
  EXPECT_NE(apply("bob", replaced(shop_text, "prefer = \"alice\"", "prefer = \"mallory\"")), "");
  EXPECT_EQ(version("bob"), 1u);
}

TEST_F(ConfigurationWorld, AManagerWithAnotherFileSaysSoAndFollowsWhatIsAgreed) {
  settle();
  ASSERT_EQ(apply("alice", shop_text + web), "");
  world.run(seconds(1));
  world.manager_down("carol");
  world.host("carol").file_text = replaced(shop_text, "prefer = \"alice\"", "prefer = \"bob\"");
  world.host("carol").file = *config::parse(world.host("carol").file_text, "carol");
  world.manager_up("carol");
  ASSERT_TRUE(world.run_until([&] { return text_of("carol") == text_of("alice"); }, seconds(5)));
  EXPECT_TRUE(world.told("configuration-differs", "carol"));
  EXPECT_TRUE(status("carol")["configuration"]["file_differed"].get<bool>());
}

TEST_F(ConfigurationWorld, NodesJoinAsLearnersAndGetTheirVotes) {
  settle();
  add_node("dave", "10.0.0.4", false);
  ASSERT_TRUE(comes([&] { return version("dave") == 1; }, 20)) << "it learns";
  EXPECT_TRUE(votes_are("alice", 3));
  add_node("erin", "10.0.0.5", false);
  ASSERT_TRUE(comes([&] { return version("bob") == 2; }, 20));
  ASSERT_EQ(apply("bob", replaced(replaced(text_of("bob"), "votes = false", ""), "votes = false", "")), "");
  ASSERT_TRUE(comes([&] { return votes_are("dave", 5) && votes_are("erin", 5); }, 20));
  EXPECT_FALSE(world.told("node-removed", "erin")) << "of configurations from before its time it says nothing";
  EXPECT_FALSE(world.told("configuration-differs", "erin"));
  world.power_off("alice");
  world.power_off("carol");
  ASSERT_TRUE(world.run_until([&] { return world.serves("bob", "shop"); }, seconds(20))) << "three of five decide";
}

/// Before its first start somebody edited the file that it joined with.
TEST_F(ConfigurationWorld, ANewcomerWithAnEditedFileFollowsWhatIsAgreedWhenItKnowsIt) {
  settle();
  ASSERT_EQ(apply("alice", shop_text + web), "");
  const auto text =
      config::with_node(text_of("alice"), {"dave", config::NodeRole::data, "10.0.0.4", 0, {"10.0.0.4"}, false});
  ASSERT_TRUE(text);
  ASSERT_EQ(apply("alice", *text), "");
  world.add_host("dave", text_of("alice") + "# by hand\n");
  world.power_on("dave");
  ASSERT_TRUE(comes([&] { return text_of("dave") == text_of("alice"); }, 20));
  EXPECT_TRUE(world.told("configuration-differs", "dave"));
  EXPECT_FALSE(world.told("node-removed", "dave"));
}

TEST_F(ConfigurationWorld, TheLeaderHandsOverAndIsReplaced) {
  settle();
  ASSERT_EQ(world.leader(), "carol");
  const auto text = config::with_node_replaced(text_of("alice"), "carol",
                                               {"dora", config::NodeRole::witness, "10.0.0.9", 4, {"10.0.0.9"}});
  ASSERT_TRUE(text);
  ASSERT_EQ(apply("alice", *text), "");
  world.add_host("dora", text_of("alice"));
  world.power_on("dora");
  ASSERT_TRUE(comes([&] { return votes_are("dora", 3) && world.leader() == "dora"; }, 60));
  world.power_off("carol");
  world.run(seconds(2));
  EXPECT_TRUE(world.serves("alice", "shop"));
  EXPECT_FALSE(world.told("service-stopped", "shop"));
}

/// BASCULE_CONFIGURATION_KILLS=5 for a short run.
int kills_wanted() {
  const char* wanted = std::getenv("BASCULE_CONFIGURATION_KILLS");
  return wanted == nullptr ? 200 : std::atoi(wanted);
}

/// Five changes to each kill of the leader, which comes at any moment of one of them. Each change bears a number; what
/// was acknowledged is in the history of versions exactly once, and what was refused is not.
TEST_F(ConfigurationWorld, NoAcknowledgedChangeIsLostOrAppliedTwice) {
  settle();
  Prng prng(99);
  std::set<int> acknowledged, unknown;
  std::map<int, std::uint64_t> version_of;
  std::string down;
  int number = 0;
  for (int kill = 0; kill < kills_wanted(); ++kill) {
    const int fatal = static_cast<int>(prng.below(5));
    for (int i = 0; i < 5;) {
      const std::string at = down == "alice" ? "bob" : "alice";
      const auto text = replaced(shop_text, "prefer = \"alice\"",
                                 "prefer = \"alice\"\nstickiness = " + std::to_string(100 + ++number));
      const auto before = version(at);
      const auto request =
          world.send_change(at, message::SetConfig{before, false, text, std::to_string(number), "", 1, 0});
      if (i == fatal && down.empty()) {
        world.run(microseconds(static_cast<std::int64_t>(prng.below(12'000))));
        down = world.leader();
        if (!down.empty() && down != at) world.manager_down(down);
        if (down == at) down.clear();
      }
      (void)world.run_until([&] { return world.answer_to(request).has_value(); }, seconds(20));
      const auto answer = world.answer_to(request);
      if (answer == "") {
        acknowledged.insert(number);
        ++i;
      } else if (!answer || answer->find("may still happen") != std::string::npos) {
        unknown.insert(number);
      }
      const auto history = nlohmann::json::parse(world.host(at).manager->history_json(std::nullopt));
      for (const auto& one : history["versions"])
        if (const auto reason = std::atoi(one["reason"].get<std::string>().c_str()); reason != 0) {
          const auto [known, fresh] = version_of.emplace(reason, one["version"].get<std::uint64_t>());
          ASSERT_EQ(known->second, one["version"].get<std::uint64_t>()) << reason << " was applied twice";
        }
    }
    if (!down.empty()) world.manager_up(down);
    down.clear();
    world.run(milliseconds(static_cast<std::int64_t>(prng.below(2000))));
  }
  for (const int one : acknowledged) ASSERT_EQ(version_of.count(one), 1u) << one << " was acknowledged and is lost";
  for (const auto& [one, at_version] : version_of)
    ASSERT_TRUE(acknowledged.count(one) + unknown.count(one) == 1) << one;
  EXPECT_EQ(acknowledged.size(), static_cast<std::size_t>(5 * kills_wanted()));
  EXPECT_EQ(version_of.size(), version("alice"));
}

}  // namespace
}  // namespace bascule::manager::test
