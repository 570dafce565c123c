// What waits for the probes that tell whether something runs.
#include "core/policy/test_cluster.h"

namespace bascule::policy {
namespace {

using namespace testing;  // NOLINT: words of small clusters

TEST(ProbeOrders, AResourceStartsAfterAllItsProbes) {
  Cluster cluster;
  cluster.resources = primitive("web");
  const Graph graph(cluster);
  EXPECT_TRUE(graph.before("web_monitor_0@a", "web_start_0@a"));
  EXPECT_TRUE(graph.before("web_monitor_0@b", "web_start_0@a"));
}

TEST(ProbeOrders, AMemberDoesNotWaitForTheProbesOfLaterOnes) {
  Cluster cluster;
  cluster.resources = "<group id=\"g\">" + primitive("disk") + primitive("web") + "</group>";
  const Graph graph(cluster);
  EXPECT_TRUE(graph.before("disk_monitor_0@b", "web_start_0@a"));
  EXPECT_FALSE(graph.before("web_monitor_0@b", "disk_start_0@a"));
}

TEST(ProbeOrders, NoInstanceOfACloneStartsBeforeAllAreProbed) {
  Cluster cluster;
  cluster.resources = "<clone id=\"c\">" + primitive("ping") + "</clone>";
  const Graph graph(cluster);
  EXPECT_TRUE(graph.before("ping:0_monitor_0@a", "ping:1_start_0@b") ||
              graph.before("ping:1_monitor_0@a", "ping:0_start_0@b"));
}

TEST(ProbeOrders, WhatRestartsWithAnotherIsNotStoppedBeforeThatIsProbed) {
  Cluster cluster;
  cluster.resources = primitive("disk") + primitive("web");
  cluster.constraints = R"(<rsc_order id="o" first="disk" then="web"/>)"
                        R"(<rsc_location id="l" rsc="web" node="b" score="INFINITY"/>)";
  cluster.on_a = stopped("disk") + started("web");
  cluster.on_b = stopped("web");
  const Graph graph(cluster);
  EXPECT_TRUE(graph.has("disk_monitor_0@b"));
  EXPECT_TRUE(graph.before("disk_monitor_0@b", "web_stop_0@a"));
}

TEST(ProbeOrders, WhatFollowsAStopFollowsTheProbesToo) {
  Cluster cluster;
  cluster.resources = primitive("one") + primitive("other");
  cluster.constraints = R"(<rsc_colocation id="c" rsc="one" with-rsc="other" score="-INFINITY"/>)"
                        R"(<rsc_location id="l" rsc="other" node="b" score="10"/>)";
  const Graph graph(cluster);
  EXPECT_TRUE(graph.before("one_monitor_0@b", "other_start_0@b"));
  EXPECT_FALSE(graph.before("one_monitor_0@a", "other_start_0@b"));
}

TEST(ProbeOrders, ANodeThatIsToFindOutByItselfIsNotProbed) {
  Cluster cluster;
  cluster.resources = primitive("web");
  cluster.attributes_of_a = pair("probe_complete", "false");
  const Graph graph(cluster);
  EXPECT_TRUE(graph.has("probe_again-a@a"));
  EXPECT_FALSE(graph.has("web_monitor_0@a"));
  EXPECT_TRUE(graph.has("web_monitor_0@b"));
}

TEST(ProbeOrders, WhatWasFoundOnANodeStandsForTheInstancesThere) {
  Cluster cluster;
  cluster.resources = "<clone id=\"c\"><group id=\"g\">" + primitive("x") + primitive("y") + "</group>" +
                      meta("c", pair("clone-max", "1")) + "</clone>";
  cluster.on_a = started("y");
  EXPECT_TRUE(Graph(cluster).has("y:0_monitor_0@b"));
  // It is an instance too many that is known there, and such are not looked for.
  cluster.on_b = stopped("x");
  EXPECT_FALSE(Graph(cluster).has("y:0_monitor_0@b"));
}

}  // namespace
}  // namespace bascule::policy
