// Nodes that a device must switch on before resources start there.
#include "core/policy/test_cluster.h"

namespace bascule::policy {
namespace {

using namespace testing;  // NOLINT: words of small clusters

const std::string kDevice = R"(<primitive id="fence" class="stonith" type="fence_x">)" +
                            meta("fence", pair("provides", "unfencing")) + "</primitive>";

std::string of_device(std::string history, const std::string& digest) {
  const std::string known = "f2317cad3d54cec5d7d7aa7d0bf35cf8";
  const std::string agent = R"(class="ocf" provider="pacemaker" type="Stateful")";
  if (history.find(known) != std::string::npos) history.replace(history.find(known), known.size(), digest);
  return history.replace(history.find(agent), agent.size(), R"(class="stonith" type="fence_x")");
}

TEST(Unfencing, WhatStopsBeforeItsNodeIsSwitchedOnDoesNotMigrate) {
  Cluster cluster;
  cluster.properties = "";
  cluster.resources = kDevice + primitive("vm", meta("vm", pair("allow-migrate", "true")));
  cluster.constraints = R"(<rsc_location id="l" rsc="vm" node="b" score="INFINITY"/>)";
  cluster.on_a = started("vm");
  cluster.on_b = stopped("vm");
  const Graph graph(cluster);
  EXPECT_TRUE(graph.before("vm_stop_0@a", "stonith-a-on@a"));
  EXPECT_FALSE(graph.has("vm_migrate_to_0@a"));
  EXPECT_TRUE(graph.has("vm_start_0@b", "start"));
}

TEST(Unfencing, ADeviceThatIsUsedInAnotherWaySwitchesItsNodeOnAgain) {
  Cluster cluster;
  cluster.properties = "";
  cluster.resources = kDevice;
  cluster.attributes_of_a = pair("#node-unfenced", "1");
  cluster.on_b = of_device(stopped("fence"), "f2317cad3d54cec5d7d7aa7d0bf35cf8");
  cluster.on_a = of_device(started("fence"), "f2317cad3d54cec5d7d7aa7d0bf35cf8");
  EXPECT_FALSE(Graph(cluster).has("stonith-a-on@a"));
  cluster.on_a = of_device(started("fence"), "00000000000000000000000000000000");
  EXPECT_TRUE(Graph(cluster).has("stonith-a-on@a"));
}

/// It stops to be unfenced, and then it needs what it comes after.
TEST(Unfencing, ARestartNeedsWhatComesFirstEvenIfOnlyTheStartIsOrdered) {
  Cluster cluster;
  cluster.properties = "";
  cluster.resources = kDevice + primitive("web") + primitive("data", meta("data", pair("target-role", "Stopped")));
  cluster.constraints = R"(<rsc_order id="o" symmetrical="false" first="data" then="web"/>)";
  cluster.on_a = started("web") + stopped("data");
  cluster.on_b = stopped("web") + stopped("data");
  const Graph graph(cluster);
  EXPECT_TRUE(graph.has("web_stop_0@a"));
  EXPECT_FALSE(graph.has("web_start_0@a"));
}

}  // namespace
}  // namespace bascule::policy
