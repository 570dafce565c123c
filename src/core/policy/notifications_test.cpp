// Who hears of what when instances of a clone start, stop, are promoted and demoted.
#include "core/policy/test_cluster.h"

namespace bascule::policy {
namespace {

using namespace testing;  // NOLINT: words of small clusters

std::string clone(const std::string& more = "") {
  return "<clone id=\"c\">" + meta("c", pair("notify", "true") + more) + primitive("ping") + "</clone>";
}

TEST(Notifications, WhoRunsHearsBeforeAndAfterAnotherStarts) {
  Cluster cluster;
  cluster.resources = clone();
  cluster.on_a = started("ping");
  cluster.on_b = stopped("ping");
  const Graph graph(cluster);
  EXPECT_TRUE(graph.before("ping:0_pre_notify_start_0@a", "ping:1_start_0@b"));
  EXPECT_TRUE(graph.before("ping:1_start_0@b", "ping:0_post_notify_start_0@a"));
  EXPECT_TRUE(graph.before("ping:1_start_0@b", "ping:1_post_notify_start_0@b"));
  EXPECT_FALSE(graph.has("ping:1_pre_notify_start_0@b"));
}

TEST(Notifications, NobodyHearsWithoutNotify) {
  Cluster cluster;
  cluster.resources = "<clone id=\"c\">" + primitive("ping") + "</clone>";
  cluster.on_a = started("ping");
  cluster.on_b = stopped("ping");
  for (const std::string& each : Graph(cluster).sent()) EXPECT_EQ(each.find("notify"), std::string::npos) << each;
}

TEST(Notifications, WhoStopsHearsOnlyBefore) {
  Cluster cluster;
  cluster.resources = clone();
  cluster.constraints = R"(<rsc_location id="l" rsc="c" node="b" score="-INFINITY"/>)";
  cluster.on_a = started("ping");
  cluster.on_b = started("ping");
  const Graph graph(cluster);
  EXPECT_TRUE(graph.before("ping:1_pre_notify_stop_0@b", "ping:1_stop_0@b"));
  EXPECT_TRUE(graph.before("ping:0_pre_notify_stop_0@a", "ping:1_stop_0@b"));
  EXPECT_TRUE(graph.before("ping:1_stop_0@b", "ping:0_post_notify_stop_0@a"));
  EXPECT_FALSE(graph.has("ping:1_post_notify_stop_0@b"));
}

TEST(Notifications, APromotionBeginsWhenAllHaveHeardOfTheStarts) {
  Cluster cluster;
  cluster.resources = clone(pair("promotable", "true"));
  cluster.on_a = stopped("ping");
  cluster.on_b = stopped("ping");
  cluster.attributes_of_a = pair("master-ping", "10");
  const Graph graph(cluster);
  EXPECT_TRUE(graph.before("ping:1_post_notify_start_0@b", "ping:0_promote_0@a") ||
              graph.before("ping:0_post_notify_start_0@b", "ping:1_promote_0@a"));
}

TEST(Notifications, WhatFollowsACloneWaitsUntilAllHaveHeard) {
  Cluster cluster;
  cluster.resources = clone() + primitive("web");
  cluster.constraints = R"(<rsc_order id="o" first="c" then="web"/>)"
                        R"(<rsc_location id="l" rsc="web" node="a" score="10"/>)";
  cluster.on_a = started("ping") + stopped("web");
  cluster.on_b = stopped("ping") + stopped("web");
  EXPECT_TRUE(Graph(cluster).before("ping:0_post_notify_start_0@a", "web_start_0@a"));
}

TEST(Notifications, AStopThatFollowsFromFencingIsHeardOfAfterTheFencing) {
  Cluster cluster;
  cluster.properties = "";
  cluster.resources = clone() + R"(<primitive id="fence" class="stonith" type="fence_x"/>)";
  cluster.constraints = R"(<rsc_location id="l" rsc="fence" node="a" score="-INFINITY" resource-discovery="never"/>)";
  cluster.on_a = started("ping");
  cluster.on_b = started("ping");
  cluster.b_is_up = false;
  const Graph graph(cluster);
  EXPECT_TRUE(graph.before("stonith-b-reboot@b", "ping:0_post_notify_stop_0@a"));
  EXPECT_TRUE(graph.before("ping:1_post_notify_stonith_0", "ping:0_post_notify_stop_0@a"));
}

// Of several stops the newest says whether the instance goes with its node; here it does not, and the notification that
// is meant for the node which is about to be fenced holds everything up.
TEST(Notifications, AnInstanceThatIsActiveTwiceIsJudgedByItsNewestStop) {
  Cluster cluster;
  cluster.properties = pair("stonith-enabled", "true");
  cluster.resources = clone(pair("globally-unique", "true") + pair("target-role", "Stopped")) + primitive("web") +
                      R"(<primitive id="fence" class="stonith" type="fence_x"/>)";
  std::string failed = recorded("web", "stop", 1);
  failed.replace(failed.find("1:1:1:u"), 7, "1:1:0:u");
  cluster.on_a = started("ping:0") + failed;
  cluster.on_b = started("ping:0");
  const Graph first_is_fenced(cluster);
  EXPECT_TRUE(first_is_fenced.has("stonith-a-reboot@a"));
  EXPECT_FALSE(first_is_fenced.comes_about("ping:0_stop_0@b"));
  cluster.on_a = started("ping:0");
  cluster.on_b = started("ping:0") + failed;
  const Graph last_is_fenced(cluster);
  EXPECT_TRUE(last_is_fenced.has("stonith-b-reboot@b"));
  EXPECT_TRUE(last_is_fenced.comes_about("ping:0_stop_0@a"));
}

TEST(Notifications, WhoCannotStartOnAGuestNodeThatDoesNotComeUpHearsOfNothing) {
  Cluster cluster;
  cluster.resources = primitive("x", meta("x", pair("target-role", "Stopped"))) +
                      primitive("v", meta("v", pair("remote-node", "g"))) + clone();
  cluster.constraints = R"(<rsc_order id="o" first="x" then="v"/>)";
  cluster.on_a = started("ping");
  cluster.on_b = stopped("ping");
  bool told = false;
  for (const std::string& each : Graph(cluster).sent()) {
    told = told || each.ends_with("_post_notify_start_0@b");
    EXPECT_FALSE(each.find("notify") != std::string::npos && each.ends_with("@g")) << each;
  }
  EXPECT_TRUE(told);
}

}  // namespace
}  // namespace bascule::policy
