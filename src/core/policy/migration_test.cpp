// Moving a resource without stopping it, and when that is not possible.
#include "core/policy/test_cluster.h"

namespace bascule::policy {
namespace {

using namespace testing;  // NOLINT: words of small clusters

std::string movable(const std::string& id) { return primitive(id, meta(id, pair("allow-migrate", "true"))); }

Cluster moving() {
  Cluster cluster;
  cluster.resources = movable("vm");
  cluster.constraints = R"(<rsc_location id="l" rsc="vm" node="b" score="INFINITY"/>)";
  cluster.on_a = started("vm");
  cluster.on_b = stopped("vm");
  return cluster;
}

TEST(Migration, GoesFromTheSourceToTheTargetAndEndsWithAStop) {
  const Graph graph(moving());
  EXPECT_EQ(graph.sent(), (Lines{"vm_migrate_from_0@b", "vm_migrate_to_0@a", "vm_start_0@b", "vm_stop_0@a"}));
  EXPECT_TRUE(graph.before("vm_migrate_to_0@a", "vm_migrate_from_0@b"));
  EXPECT_TRUE(graph.before("vm_migrate_from_0@b", "vm_stop_0@a"));
  EXPECT_TRUE(graph.before("vm_stop_0@a", "vm_start_0@b"));
}

TEST(Migration, WhatMayNotMigrateStopsAndStarts) {
  Cluster cluster = moving();
  cluster.resources = primitive("vm");
  EXPECT_EQ(Graph(cluster).sent(), (Lines{"vm_start_0@b", "vm_stop_0@a"}));
}

TEST(Migration, IsNotPossibleWhenWhatItNeedsMustRestart) {
  Cluster cluster = moving();
  cluster.resources = primitive("disk") + movable("vm");
  cluster.constraints += R"(<rsc_order id="o" first="disk" then="vm"/>)"
                         R"(<rsc_colocation id="c" rsc="disk" with-rsc="vm" score="INFINITY"/>)";
  cluster.on_a += started("disk");
  cluster.on_b += stopped("disk");
  const Graph graph(cluster);
  EXPECT_FALSE(graph.has("vm_migrate_to_0@a"));
  EXPECT_TRUE(graph.before("vm_stop_0@a", "disk_stop_0@a"));
  EXPECT_TRUE(graph.before("disk_start_0@b", "vm_start_0@b"));
  EXPECT_FALSE(graph.before("vm_migrate_from_0@b", "vm_start_0@b"));
}

TEST(Migration, WaitsForWhatItNeedsOnTheTarget) {
  Cluster cluster = moving();
  cluster.resources =
      "<clone id=\"c\">" + meta("c", pair("interleave", "true")) + primitive("disk") + "</clone>" + movable("vm");
  cluster.constraints += R"(<rsc_order id="o" first="c" then="vm"/>)";
  cluster.on_a += started("disk");
  cluster.on_b += stopped("disk");
  const Graph graph(cluster);
  EXPECT_TRUE(graph.before("disk:1_start_0@b", "vm_migrate_to_0@a"));
}

/// Two results of monitors on the target are too many for Pacemaker to see that either found nothing there.
TEST(Migration, DidNotArriveWhereAMonitorFoundNothing) {
  Cluster cluster = moving();
  const auto with = [](const std::string& attributes, std::string history) {
    return history.replace(history.find("<lrm_rsc_op"), 11, "<lrm_rsc_op " + attributes);
  };
  cluster.on_a = with(R"(last-rc-change="100" migrate_source="a" migrate_target="b")", recorded("vm", "migrate_to", 0));
  cluster.on_b = with(R"(last-rc-change="200")", stopped("vm"));
  EXPECT_FALSE(Graph(cluster).has("vm_migrate_from_0@b"));
  std::string recurring = cluster.on_b.substr(cluster.on_b.find("<lrm_rsc_op"));
  recurring.replace(recurring.find(R"(interval="0")"), 12, R"(interval="33000")");
  recurring.replace(recurring.find("monitor_0"), 9, "monitor_33000");
  recurring.replace(recurring.find("vm_last_0"), 9, "vm_monitor_33000");
  cluster.on_b.replace(cluster.on_b.rfind("</lrm_resource>"), std::string::npos, recurring);
  EXPECT_FALSE(Graph(cluster).has("vm_migrate_from_0@b"));
  cluster.with_faults = true;
  EXPECT_TRUE(Graph(cluster).has("vm_migrate_from_0@b"));
}

}  // namespace
}  // namespace bascule::policy
