#include "core/reconfiguration/change_plan.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/reconfiguration/definition.h"
#include "wire/cluster_config/test_cluster.h"

namespace bascule::reconfiguration {
namespace {

using config::test::replaced;

const std::string shop = std::string(config::test::three_nodes) + R"([volume.data]
disk = { alice = "/srv/data.img", bob = "/srv/data.img" }

[service.shop]
volume = "data"
prefer = "alice"
address = "10.0.0.10/24"
run = { agent = "ocf:heartbeat:apache", port = "80", start_timeout = "60s" }
)";

class ChangePlanTest : public testing::Test {
 protected:
  ChangePlanTest() : config_(*config::parse(shop, "shop")) {
    state_.services["shop"].owner = "alice";
    state_.volumes["data"].owner = "alice";
    state_.volumes["data"].in_sync = {"alice", "bob"};
  }
  Result<ChangePlan> plan(const std::string& text) {
    return plan_change({config_, shop, state_, [](const std::string&) { return true; }}, text, "new");
  }
  /// Whether some sentence of the list has these words.
  static bool says(const std::vector<std::string>& sentences, const std::string& words) {
    return std::any_of(sentences.begin(), sentences.end(),
                       [&](const std::string& one) { return one.find(words) != std::string::npos; });
  }
  config::ClusterConfig config_;
  store::ClusterState state_;
};

TEST_F(ChangePlanTest, TheSameIsNoDifference) {
  const auto same = plan("# only a comment\n" + shop);
  ASSERT_TRUE(same) << same.error().text();
  EXPECT_TRUE(same->steps.empty());
  EXPECT_TRUE(same->refusals.empty());
  EXPECT_EQ(differences(shop, "# only a comment\n" + shop), std::vector<Difference>{});
}

TEST_F(ChangePlanTest, ATimeoutChangesWithoutAnInterruptionAndAParameterDoesNot) {
  const auto timeout = plan(replaced(shop, "60s", "90s"));
  ASSERT_TRUE(timeout);
  EXPECT_TRUE(timeout->interrupts.empty());
  EXPECT_TRUE(says(timeout->steps, "without an interruption"));
  const auto parameter = plan(replaced(shop, "port = \"80\"", "port = \"81\""));
  ASSERT_TRUE(parameter);
  EXPECT_EQ(parameter->interrupts, std::vector<std::string>{"shop"});
  EXPECT_TRUE(says(parameter->steps, "is stopped on alice as it was"));
}

TEST_F(ChangePlanTest, NotificationsBeginAndEndWithoutAnInterruption) {
  config::Service silent, told;
  silent.steps.emplace_back();
  told = silent;
  told.notify = true;
  told.steps.front().notify_timeout = seconds(90);
  EXPECT_FALSE(needs_restart(silent, told));
  EXPECT_FALSE(needs_restart(told, silent));
}

TEST_F(ChangePlanTest, RemovingAServiceStopsIt) {
  const auto removed = plan(shop.substr(0, shop.find("[service.shop]")));
  ASSERT_TRUE(removed);
  EXPECT_EQ(removed->interrupts, std::vector<std::string>{"shop"});
  EXPECT_TRUE(says(removed->steps, "service shop is stopped on alice and forgotten"));
}

TEST_F(ChangePlanTest, EachNodeKeepsItsIdAndANewOneGetsAnIdThatNobodyHad) {
  state_.highest_node_id = 7;
  const auto text = replaced(shop, "[node.bob]", "[node.dave]\naddress = \"10.0.0.4\"\nvotes = false\n[node.bob]");
  const auto added = plan(text);
  ASSERT_TRUE(added) << added.error().text();
  EXPECT_EQ(added->config.node("bob")->id, 2u) << "though it is third now";
  EXPECT_EQ(added->config.node("carol")->id, 3u);
  EXPECT_EQ(added->config.node("dave")->id, 8u);
  EXPECT_EQ(added->highest_node_id, 8u);
  EXPECT_TRUE(says(added->steps, "dave becomes a member without a vote"));
  const auto taken = plan(replaced(text, "votes = false", "votes = false\nid = 5"));
  ASSERT_FALSE(taken);
  EXPECT_NE(taken.error().text().find("no id is given twice"), std::string::npos) << taken.error().text();
  EXPECT_FALSE(plan(replaced(shop, "[node.bob]", "[node.bob]\nid = 9"))) << "an id that is there stays";
}

TEST_F(ChangePlanTest, WhatEveryManagerHasToAgreeOnDoesNotChange) {
  const auto timing = plan(replaced(shop, "name = \"test\"", "name = \"test\"\nlease_ms = 900"));
  ASSERT_TRUE(timing);
  EXPECT_TRUE(says(timing->refusals, "cluster.lease_ms cannot change"));
  const auto patience = plan(replaced(shop, "name = \"test\"", "name = \"test\"\nhold_grace_ms = 900"));
  ASSERT_TRUE(patience);
  EXPECT_TRUE(patience->refusals.empty());
}

TEST_F(ChangePlanTest, ANodeThatHasSomethingDoesNotGo) {
  const auto text = replaced(shop, "[node.alice]\naddress = \"10.0.0.1\"", "[node.dave]\naddress = \"10.0.0.4\"");
  const auto busy = plan(replaced(replaced(text, "prefer = \"alice\"\n", ""), "alice = \"/srv", "dave = \"/srv"));
  ASSERT_TRUE(busy) << busy.error().text();
  EXPECT_TRUE(says(busy->refusals, "alice still has service shop"));
  EXPECT_TRUE(says(busy->refusals, "bascule standby alice"));
  EXPECT_TRUE(says(busy->refusals, "alice has a complete copy of volume data"));
}

TEST_F(ChangePlanTest, WhatIsNoConfigurationIsAnErrorWithItsLine) {
  const auto bad = plan(replaced(shop, "prefer = \"alice\"", "prefer = \"mallory\""));
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().text().find("line"), std::string::npos) << bad.error().text();
}

TEST_F(ChangePlanTest, DifferencesAreByMeaning) {
  const auto found = differences(shop, replaced(shop, "prefer = \"alice\"", "prefer = 'bob'"));
  EXPECT_EQ(found, (std::vector<Difference>{{"service.shop.prefer", "alice", "bob"}}));
}

TEST_F(ChangePlanTest, FenceDevicesAreNamed) {
  const std::string board = "[fence.board]\nagent = \"fence_board\"\nnodes = [\"alice\", \"bob\"]\n";
  const auto added = plan(shop + board);
  ASSERT_TRUE(added) << added.error().text();
  EXPECT_TRUE(says(added->steps,
                   "fence device board is new and can switch off alice and bob; test it: bascule fence "
                   "test alice --device board"));
  const auto fenced = *config::parse(shop + board, "shop");
  const auto from_fenced = [&](const std::string& text) {
    return plan_change({fenced, shop + board, state_, [](const std::string&) { return true; }}, text, "new");
  };
  const auto other = from_fenced(shop + board + "parameters = { ip = \"10.0.0.9\" }\n");
  ASSERT_TRUE(other);
  EXPECT_TRUE(says(other->steps, "fence device board changes, and its last test says nothing any more"));
  const auto slower = from_fenced(shop + board + "timeout = \"90s\"\n");
  ASSERT_TRUE(slower);
  EXPECT_TRUE(says(slower->steps, "fence device board goes on by its new settings"));
  const auto removed = from_fenced(shop);
  ASSERT_TRUE(removed);
  EXPECT_TRUE(says(removed->steps, "fence device board is forgotten"));
}

TEST_F(ChangePlanTest, TheWitnessIsNotGivenUpWithoutAWordAboutIt) {
  const std::string carol = "[node.carol]\naddress = \"10.0.0.3\"\nrole = \"witness\"\n";
  const auto two = plan(replaced(shop, carol, ""));
  ASSERT_TRUE(two) << two.error().text();
  EXPECT_TRUE(says(two->steps, "No automatic takeover: two nodes with neither witness nor fencing"));
  EXPECT_TRUE(two->refusals.empty());
}

TEST_F(ChangePlanTest, OfTwoVotersOnlyOneThatIsAloneForgetsTheOther) {
  const std::string bob = "[node.bob]\naddress = \"10.0.0.2\"\n";
  const std::string two = "[cluster]\nname = \"pair\"\n[node.alice]\naddress = \"10.0.0.1\"\n" + bob;
  const auto config = config::parse(two, "two");
  ASSERT_TRUE(config) << config.error().text();
  state_ = {};
  state_.nodes["bob"].standby = true;
  const auto planned = [&](std::vector<raft::ServerId> voters) {
    return plan_change({*config, two, state_, [](const std::string& name) { return name == "alice"; }, voters},
                       replaced(two, bob, ""), "new");
  };
  const auto both = planned({1, 2});
  ASSERT_TRUE(both) << both.error().text();
  EXPECT_TRUE(says(both->refusals, "bascule fence confirm"));
  const auto alone = planned({1});
  ASSERT_TRUE(alone) << alone.error().text();
  EXPECT_EQ(alone->refusals, std::vector<std::string>{});
}

}  // namespace
}  // namespace bascule::reconfiguration
