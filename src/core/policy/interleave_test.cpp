// Clones and groups that wait for each other: as wholes, or instance by instance.
#include "core/policy/test_cluster.h"

namespace bascule::policy {
namespace {

using namespace testing;  // NOLINT: words of small clusters

Cluster two_clones(const std::string& interleave, const std::string& kind = "Mandatory") {
  Cluster cluster;
  cluster.resources = "<clone id=\"c\">" + meta("c", pair("interleave", interleave)) + primitive("disk") + "</clone>" +
                      "<clone id=\"d\">" + meta("d", pair("interleave", interleave)) + primitive("web") + "</clone>";
  cluster.constraints = R"(<rsc_order id="o" first="c" then="d" kind=")" + kind + "\"/>";
  cluster.on_a = stopped("disk") + stopped("web");
  cluster.on_b = cluster.on_a;
  return cluster;
}

int starts_of(const Graph& graph, const std::string& resource, const std::string& node) {
  const Lines sent = graph.sent();
  return static_cast<int>(std::count_if(sent.begin(), sent.end(), [&](const std::string& each) {
    return each.starts_with(resource + ":") && each.ends_with("_start_0@" + node);
  }));
}

TEST(Interleave, AnInstanceNeedsItsCounterpart) {
  Cluster cluster = two_clones("true");
  cluster.constraints += R"(<rsc_location id="l" rsc="c" node="b" score="-INFINITY"/>)";
  const Graph graph(cluster);
  EXPECT_EQ(starts_of(graph, "web", "a"), 1);
  EXPECT_EQ(starts_of(graph, "web", "b"), 0);
}

TEST(Interleave, WhatStopsForWantOfACounterpartNeedsNoMonitorCancelledBefore) {
  for (const bool alone : {false, true}) {
    Cluster cluster = two_clones("true");
    if (alone) cluster.constraints += R"(<rsc_location id="l" rsc="c" node="b" score="-INFINITY"/>)";
    std::string web = recorded("web", "monitor", 0);
    for (const char* each : {"web_monitor_0", "interval=\"0\""}) {
      const std::string now = each[0] == 'w' ? "web_monitor_10000" : "interval=\"10000\"";
      web.replace(web.find(each), std::string(each).size(), now);
    }
    cluster.on_b = stopped("disk") + web;
    const Graph graph(cluster);
    EXPECT_EQ(graph.has("web:0_monitor_10000@b", "cancel"), !alone);
    EXPECT_TRUE(graph.has("web:0_stop_0@b", "stop"));
  }
}

TEST(Interleave, WithoutItAnyInstanceIsEnough) {
  Cluster cluster = two_clones("false");
  cluster.constraints += R"(<rsc_location id="l" rsc="c" node="b" score="-INFINITY"/>)";
  const Graph graph(cluster);
  EXPECT_EQ(starts_of(graph, "web", "a"), 1);
  EXPECT_EQ(starts_of(graph, "web", "b"), 1);
}

TEST(Interleave, WithoutItForAllInstances) {
  const Graph graph(two_clones("false"));
  int pairs = 0;
  for (const std::string& first : graph.sent())
    for (const std::string& then : graph.sent()) {
      if (!first.starts_with("disk:") || !then.starts_with("web:")) continue;
      ++pairs;
      EXPECT_TRUE(graph.before(first, then)) << first << " " << then;
    }
  EXPECT_EQ(pairs, 4);
}

TEST(Interleave, AnOptionalOrderGoesInstanceByInstanceToo) {
  const Graph graph(two_clones("true", "Optional"));
  EXPECT_TRUE(graph.before("disk:0_start_0@a", "web:0_start_0@a") ||
              graph.before("disk:1_start_0@a", "web:1_start_0@a"));
}

TEST(Interleave, MembersOfAGroupThatIsNotOrderedStartTogether) {
  Cluster cluster;
  cluster.resources =
      "<group id=\"g\">" + meta("g", pair("ordered", "false")) + primitive("disk") + primitive("web") + "</group>";
  cluster.on_a = stopped("disk") + stopped("web");
  cluster.on_b = cluster.on_a;
  const Graph graph(cluster);
  EXPECT_TRUE(graph.has("disk_start_0@a") && graph.has("web_start_0@a"));
  EXPECT_FALSE(graph.before("disk_start_0@a", "web_start_0@a"));
}

TEST(Interleave, WhatMayNotBeWithAnUnpromotedInstanceLeavesBeforeADemotion) {
  Cluster cluster;
  cluster.resources =
      "<clone id=\"c\">" + meta("c", pair("promotable", "true")) + primitive("db") + "</clone>" + primitive("web");
  cluster.constraints =
      R"(<rsc_colocation id="k" rsc="web" with-rsc="c" with-rsc-role="Unpromoted" score="-INFINITY"/>)"
      R"(<rsc_location id="l" rsc="c" role="Promoted" node="a" score="-INFINITY"/>)";
  cluster.attributes_of_a = pair("master-db", "5");
  cluster.on_a = promoted("db") + started("web");
  cluster.on_b = started("db") + stopped("web");
  EXPECT_TRUE(Graph(cluster).before("web_stop_0@a", "db:0_demote_0@a"));
}

TEST(Interleave, OneLeavesANodeBeforeAnotherThatMayNotBeThereStarts) {
  Cluster cluster;
  cluster.resources = primitive("web") + primitive("mail");
  cluster.constraints = R"(<rsc_colocation id="k" rsc="web" with-rsc="mail" score="-INFINITY"/>)"
                        R"(<rsc_location id="l" rsc="mail" node="a" score="INFINITY"/>)"
                        R"(<rsc_location id="m" rsc="web" node="b" score="10"/>)";
  cluster.on_a = started("web") + stopped("mail");
  cluster.on_b = stopped("web") + stopped("mail");
  const Graph graph(cluster);
  EXPECT_TRUE(graph.before("web_stop_0@a", "mail_start_0@a"));
}

}  // namespace
}  // namespace bascule::policy
