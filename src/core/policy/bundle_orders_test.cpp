// What waits for what in bundles: containers, the connections into them, and what runs inside.
#include "core/policy/test_cluster.h"

namespace bascule::policy {
namespace {

using namespace testing;  // NOLINT: words of small clusters

std::string bundle(const std::string& docker, const std::string& inside = "") {
  return "<bundle id=\"box\"><docker image=\"x\" replicas=\"2\" " + docker + "/><network control-port=\"3121\"/>" +
         primitive("db", inside) + "</bundle>";
}

TEST(BundleOrders, ContainerConnectionAndContentStartInThisOrder) {
  Cluster cluster;
  cluster.resources = bundle("");
  const Graph graph(cluster);
  EXPECT_TRUE(graph.before("box-docker-0_start_0@a", "box-0_start_0@a"));
  EXPECT_TRUE(graph.before("box-0_start_0@a", "db:0_start_0@box-0"));
  EXPECT_TRUE(graph.before("box-docker-1_start_0@b", "db:1_start_0@box-1"));
  EXPECT_FALSE(graph.before("box-docker-1_start_0@b", "db:0_start_0@box-0"));
}

TEST(BundleOrders, NothingInsideStartsBeforeItsContainerIsProbed) {
  Cluster cluster;
  cluster.resources = bundle("");
  const Graph graph(cluster);
  EXPECT_TRUE(graph.before("box-docker-0_monitor_0@a", "db:0_start_0@box-0"));
}

TEST(BundleOrders, InstancesHearOfEachOtherIfTheirPrimitiveSaysSo) {
  Cluster cluster;
  cluster.resources = bundle("", meta("db", pair("notify", "true")));
  const Graph graph(cluster);
  EXPECT_TRUE(graph.before("db:1_start_0@box-1", "db:0_post_notify_start_0@box-0"));
  cluster.resources = bundle("");
  EXPECT_FALSE(Graph(cluster).has("db:0_post_notify_start_0@box-0"));
}

TEST(BundleOrders, WhatFollowsABundleWaitsForWhatIsInside) {
  Cluster cluster;
  cluster.resources = bundle("") + primitive("web");
  cluster.constraints = R"(<rsc_order id="o" first="box" then="web"/>)"
                        R"(<rsc_location id="l" rsc="web" node="a" score="10"/>)";
  const Graph graph(cluster);
  EXPECT_TRUE(graph.before("db:0_start_0@box-0", "web_start_0@a"));
  EXPECT_TRUE(graph.before("db:1_start_0@box-1", "web_start_0@a"));
}

TEST(BundleOrders, WhatIsSaidOfABundlesRolesCountsForWhatIsInside) {
  Cluster cluster;
  cluster.resources = bundle("promoted-max=\"1\"");
  cluster.constraints = R"(<rsc_location id="l" rsc="box" role="Promoted" node="box-1" score="100"/>)";
  const Graph graph(cluster);
  EXPECT_TRUE(graph.before("db:1_start_0@box-1", "db:1_promote_0@box-1"));
  EXPECT_FALSE(graph.has("db:0_promote_0@box-0"));
}

TEST(BundleOrders, InstancesOfAnOrderedCloneStartOneAfterAnother) {
  Cluster cluster;
  cluster.resources = "<clone id=\"c\">" + meta("c", pair("ordered", "true")) + primitive("ping") + "</clone>";
  cluster.on_a = stopped("ping");
  cluster.on_b = stopped("ping");
  const Graph graph(cluster);
  EXPECT_TRUE(graph.before("ping:0_start_0@a", "ping:1_start_0@b") ||
              graph.before("ping:0_start_0@b", "ping:1_start_0@a"));
}

// So it does not wait for the fencing of another replica either.
TEST(BundleOrders, AConnectionKnowsNothingOfTheGuestNodesOfOtherReplicas) {
  Cluster cluster;
  cluster.resources = bundle("");
  const Placement placement(cluster);
  EXPECT_EQ(placement.score("box-1", "box-0"), detail::kNotAllowed);
}

}  // namespace
}  // namespace bascule::policy
