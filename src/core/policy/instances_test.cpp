// Which instances of a clone, and which containers of a bundle, get a place, and which of them are promoted.
#include "core/policy/test_cluster.h"

namespace bascule::policy {
namespace {

using namespace testing;  // NOLINT: words of small clusters

Cluster clone_of(const std::string& child, const std::string& pairs) {
  Cluster cluster;
  cluster.resources = "<clone id=\"c\">" + meta("c", pairs) + child + "</clone>";
  return cluster;
}

std::string score_of(const std::string& resource, const std::string& score) {
  return "<nvpair id=\"ps-" + resource + "\" name=\"master-" + resource + "\" value=\"" + score + "\"/>";
}

TEST(Instances, OneTooManyIsStoppedEvenWhereNothingIsManagedForWantOfFencing) {
  Cluster cluster = clone_of(primitive("r"), pair("clone-max", "1"));
  cluster.properties = "";
  cluster.on_a = started("r");
  cluster.on_b = started("r");
  const Graph graph(cluster);
  EXPECT_TRUE(graph.has("r:1_stop_0@b"));
  EXPECT_FALSE(graph.has("r:0_stop_0@a"));
}

TEST(Instances, AnOrphanGetsNoPlace) {
  Cluster cluster = clone_of(primitive("r"), pair("clone-max", "1"));
  cluster.attributes_of_a = pair("maintenance", "true");
  cluster.on_a = started("r");
  cluster.on_b = started("r");
  const Graph graph(cluster);
  EXPECT_TRUE(graph.has("r:1_stop_0@b"));
  EXPECT_FALSE(graph.has("r:1_start_0@b"));
}

TEST(Instances, AContainerGoesWhereWhatIsWithTheBundleWantsToBe) {
  Cluster cluster;
  cluster.resources = R"(<bundle id="x"><docker image="i"/></bundle>)" + primitive("d");
  cluster.constraints = R"(<rsc_colocation id="k" score="100" rsc="d" with-rsc="x"/>)"
                        R"(<rsc_location id="l" rsc="d" node="b" score="INFINITY"/>)";
  EXPECT_TRUE(Graph(cluster).has("x-docker-0_start_0@b"));
}

TEST(Instances, AContainerThatMayNotStayIsServedLast) {
  Cluster cluster;
  cluster.resources = R"(<bundle id="x"><docker image="i" replicas="2"/></bundle>)";
  cluster.constraints = R"(<rsc_location id="l" rsc="x" node="a" score="-INFINITY"/>)";
  const std::string container = started("x-docker-1");
  cluster.on_a = container;
  const Graph graph(cluster);
  EXPECT_TRUE(graph.has("x-docker-0_start_0@b"));
  EXPECT_FALSE(graph.has("x-docker-1_start_0@b"));
}

TEST(Instances, WhatIsInAContainerNeedsItsRoomThere) {
  for (const bool hungry : {false, true}) {
    const std::string need = R"(<utilization id="u"><nvpair id="u1" name="cpu" value="3"/></utilization>)";
    Cluster cluster;
    cluster.properties += pair("placement-strategy", "balanced");
    cluster.resources = R"(<bundle id="x"><docker image="i"/><network control-port="9999"/>)" +
                        primitive("r", hungry ? need : "") + "</bundle>";
    EXPECT_EQ(Graph(cluster).has("x-docker-0_start_0@a"), !hungry);
  }
}

TEST(Instances, AProbeThatCannotBeMadeYetHoldsUpAUniqueClone) {
  for (const bool joining : {false, true}) {
    Cluster cluster = clone_of(primitive("r"), pair("globally-unique", "true"));
    cluster.properties = "";
    cluster.resources += R"(<primitive id="fence" class="stonith" type="fence_x"/>)";
    cluster.on_a = started("r:0");
    cluster.b_is_joining = joining;
    EXPECT_EQ(Graph(cluster).has("r:0_stop_0@a"), joining);
  }
}

TEST(Promotion, AMemberWithoutARoleWaitsForQuorumBesideOneThatHasARole) {
  const std::string changed =
      R"(<instance_attributes id="i"><nvpair id="i1" name="x" value="y"/></instance_attributes>)";
  for (const bool quorum : {false, true}) {
    Cluster cluster = clone_of("<group id=\"g\">" + primitive("r") + primitive("q", changed) + "</group>",
                               pair("promotable", "true"));
    cluster.properties += pair("no-quorum-policy", "freeze");
    cluster.have_quorum = quorum;
    cluster.on_a = recorded("r", "monitor", 0) + started("q");
    EXPECT_EQ(Graph(cluster).has("q:0_start_0@a"), quorum);
  }
}

TEST(Promotion, NotToBeUnpromotedBesideTheOtherCloneIsAReasonToBePromoted) {
  for (const std::string role : {"Unpromoted", "Promoted"}) {
    Cluster cluster;
    for (const std::string id : {"r", "q"})
      cluster.resources +=
          "<clone id=\"c" + id + "\">" + meta("c" + id, pair("promotable", "true")) + primitive(id) + "</clone>";
    cluster.constraints = "<rsc_colocation id=\"k\" score=\"-1000\" rsc=\"cq\" rsc-role=\"" + role +
                          "\" with-rsc=\"cr\" with-rsc-role=\"Unpromoted\"/>";
    const Graph graph(cluster);
    EXPECT_EQ(graph.has("q:0_promote_0@a") || graph.has("q:0_promote_0@b"), role == "Unpromoted");
    EXPECT_FALSE(graph.has("r:0_promote_0@a"));
  }
}

TEST(Promotion, AMemberWithANegativePriorityKeepsItsGroupFromIt) {
  for (const bool negative : {false, true}) {
    const std::string last = primitive("q", negative ? meta("q", pair("priority", "-1")) : "");
    Cluster cluster = clone_of("<group id=\"g\">" + primitive("r") + last + "</group>", pair("promotable", "true"));
    cluster.transient_of_a = score_of("r", "10");
    EXPECT_EQ(Graph(cluster).has("r:0_promote_0@a"), !negative);
  }
}

TEST(Promotion, AmongEqualsTheOneWithTheHigherPriorityOfItsOwn) {
  // On a 10 are said by the agent, which serves it first, and 9 by the place; on b 19 by the place for the role.
  Cluster cluster = clone_of(primitive("r"), pair("promotable", "true"));
  cluster.transient_of_a = score_of("r", "10");
  cluster.constraints = R"(<rsc_location id="l" rsc="c" node="a" score="9"/>)"
                        R"(<rsc_location id="m" rsc="c" node="b" role="Promoted" score="20"/>)";
  const Lines sent = Graph(cluster).sent();
  EXPECT_EQ(
      std::count_if(sent.begin(), sent.end(), [](const std::string& each) { return each.ends_with("promote_0@b"); }),
      1);
}

}  // namespace
}  // namespace bascule::policy
