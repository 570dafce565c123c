// Which instances of a clone, and which containers of a bundle, get a place, and which of them are promoted.
#include <algorithm>
#include <vector>

#include "core/policy/detail/merge_sort.h"
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

TEST(Instances, AGroupThatMovesIsCountedWhereItGoes) {
  for (const bool with_faults : {false, true}) {
    Cluster cluster = clone_of("<group id=\"g\">" + primitive("r") + "</group>", "");
    cluster.constraints = R"(<rsc_location id="l" rsc="c" node="b" score="100"/>)";
    cluster.on_a = started("r");
    cluster.with_faults = with_faults;
    const Graph graph(cluster);
    EXPECT_TRUE(graph.has("r:0_start_0@b"));
    EXPECT_EQ(graph.has("r:1_start_0@a"), !with_faults);
    EXPECT_EQ(graph.has("r:1_start_0@b"), with_faults);
  }
}

/// Less than zero: the left one first. Who is first of two that differ by one, nobody can say; beyond that it is who is
/// ahead on a ring of seven.
int around_a_ring(int left, int right) {
  const int ahead = (right - left + 7) % 7;
  return ahead <= 1 || ahead == 6 ? 0 : ahead < 4 ? -1 : 1;
}

TEST(Instances, ASortByRulesThatGoRoundInCirclesStillHasEachInstanceOnceAndKeepsWhatIsDecided) {
  for (int first = 0; first < 7; ++first) {
    std::vector<int> ring;
    for (int i = 0; i < 7; ++i) ring.push_back((first + 3 * i) % 7);
    const std::vector<int> sorted = detail::merge_sorted(ring, around_a_ring);
    EXPECT_TRUE(std::is_permutation(sorted.begin(), sorted.end(), ring.begin(), ring.end()));
    const std::vector<int> pair = detail::merge_sorted(std::vector<int>{ring[0], ring[1]}, around_a_ring);
    EXPECT_LE(around_a_ring(pair[0], pair[1]), 0);
    std::vector<int> stable = ring;
    const auto by_half = [](int left, int right) { return left / 2 - right / 2; };
    std::stable_sort(stable.begin(), stable.end(), [&](int left, int right) { return by_half(left, right) < 0; });
    EXPECT_EQ(detail::merge_sorted(ring, by_half), stable);
  }
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

TEST(Instances, AReplicaWhoseConnectionFailedKeepsItsContainersPlace) {
  Cluster cluster;
  cluster.resources =
      R"(<bundle id="x"><docker image="i" replicas="2"/><network control-port="9999"/>)" + primitive("r") + "</bundle>";
  cluster.constraints = R"(<rsc_location id="l" rsc="x" node="b" score="-INFINITY"/>)";
  cluster.transient_of_a = R"(<nvpair id="f" name="fail-count-x-0#stop_0" value="INFINITY"/>)";
  const Graph graph(cluster);
  EXPECT_TRUE(graph.has("x-docker-0_start_0@a"));
  EXPECT_FALSE(graph.has("x-0_start_0@a"));
}

TEST(Instances, TheConnectionToAReplicaNeedsNoLeaveOfItsOwn) {
  Cluster cluster;
  cluster.properties += pair("symmetric-cluster", "false");
  cluster.resources =
      R"(<bundle id="x"><docker image="i"/><network control-port="9999"/>)" + primitive("r") + "</bundle>";
  cluster.constraints = R"(<rsc_location id="l" rsc="x" node="a" score="1000"/>)";
  EXPECT_TRUE(Graph(cluster).has("x-0_start_0@a"));
}

TEST(Instances, OfACloneThatAvoidsABundleEachAvoidsTheReplicaOnItsOwnNode) {
  Cluster cluster;
  cluster.resources = R"(<bundle id="x"><docker image="i" replicas="2"/></bundle><clone id="c">)" +
                      meta("c", pair("clone-max", "1")) + primitive("r") + "</clone>";
  cluster.constraints = R"(<rsc_colocation id="k" score="-100" rsc="c" with-rsc="x"/>)"
                        R"(<rsc_location id="la" rsc="c" node="a" score="10"/>)"
                        R"(<rsc_location id="lb" rsc="c" node="b" score="5"/>)";
  cluster.on_a = started("x-docker-1");
  cluster.on_b = started("x-docker-0");
  EXPECT_TRUE(Graph(cluster).has("r:0_start_0@b"));
}

TEST(Instances, WhatIsWithABundleThatIsFrozenOutStays) {
  Cluster cluster;
  cluster.have_quorum = false;
  cluster.properties += pair("no-quorum-policy", "freeze");
  cluster.resources = R"(<bundle id="x"><docker image="i" promoted-max="1"/><network control-port="9999"/>)" +
                      primitive("r") + "</bundle><clone id=\"c\">" + primitive("q") + "</clone>";
  cluster.constraints = R"(<rsc_colocation id="k" score="INFINITY" rsc="c" with-rsc="x"/>)";
  cluster.on_a = started("q");
  EXPECT_FALSE(Graph(cluster).has("q:0_stop_0@a"));
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

TEST(Promotion, ThePromotedInstanceIsTheFirstThatOthersStayAwayFrom) {
  // Nodes run out with the last instance, which then does not count.
  Cluster cluster;
  cluster.resources =
      "<clone id=\"c\">" + meta("c", pair("promotable", "true")) + primitive("r") + "</clone>" + primitive("q");
  cluster.constraints = R"(<rsc_colocation id="k" score="-100" rsc="q" with-rsc="c"/>)";
  for (const bool promoted_on_a : {false, true}) {
    (promoted_on_a ? cluster.on_a : cluster.on_b) = promoted("r");
    (promoted_on_a ? cluster.on_b : cluster.on_a) = started("r");
    EXPECT_TRUE(Graph(cluster).has(promoted_on_a ? "q_start_0@b" : "q_start_0@a"));
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

TEST(Instances, OfAnOrderedCloneStartByTheirNumbersWhoeverIsPromoted) {
  Cluster cluster = clone_of(primitive("r"), pair("promotable", "true") + pair("ordered", "true"));
  cluster.constraints = R"(<rsc_location id="l" rsc="c" node="a" score="INFINITY"/>)";
  cluster.attributes_of_a = score_of("r", "5");
  const Graph first_is_promoted(cluster);
  EXPECT_TRUE(first_is_promoted.comes_about("r:0_promote_0@a"));
  cluster.constraints = R"(<rsc_location id="l" rsc="c" node="b" score="INFINITY"/>)";
  const Graph second_is_promoted(cluster);
  EXPECT_TRUE(second_is_promoted.before("r:0_start_0@b", "r:1_start_0@a"));
  EXPECT_TRUE(second_is_promoted.comes_about("r:1_promote_0@a"));
}

// What crm_simulate shows of a clone that cannot be globally unique because of one of its members.
TEST(Instances, TheNewestKeepsItsNumberWhereOneMemberCannotTellInstancesApart) {
  Cluster cluster =
      clone_of(R"(<group id="g">)" + primitive("r") + R"(<primitive id="s" class="systemd" type="s"/></group>)",
               pair("globally-unique", "true"));
  auto document = cib::parse(cluster.xml(), "test");
  ASSERT_TRUE(document);
  const Plan seen = observe({std::make_shared<const cib::Cib>(std::move(document->cib)), 1'000'000});
  const detail::Board& board = seen.board();
  const auto unique = [&](const std::string& id) { return board.resource(board.find_resource(id)).unique; };
  EXPECT_FALSE(unique("c"));
  EXPECT_FALSE(unique("r:0"));
  EXPECT_TRUE(unique("r:1"));
  EXPECT_FALSE(unique("s:1"));
}

TEST(Instances, TheTenthIsServedAfterTheNinth) {
  Cluster cluster =
      clone_of(primitive("r"), pair("clone-max", "11") + pair("clone-node-max", "9") + pair("globally-unique", "true"));
  cluster.constraints = R"(<rsc_location id="l" rsc="c" node="b" score="-INFINITY"/>)";
  for (int i = 1; i < 11; ++i) cluster.on_a += started("r:" + std::to_string(i));
  const Graph graph(cluster);
  EXPECT_FALSE(graph.has("r:9_stop_0@a"));
  EXPECT_TRUE(graph.has("r:10_stop_0@a"));
}

TEST(Instances, OfAnOrderedCloneTheLastIsTheFirstToStopHoweverTheyWereServed) {
  Cluster cluster = clone_of(primitive("r"), pair("ordered", "true") + pair("promotable", "true"));
  cluster.properties += pair("stop-all-resources", "true");
  cluster.on_a = started("r");
  cluster.on_b = promoted("r");
  const Graph graph(cluster);
  EXPECT_TRUE(graph.before("r:1_stop_0@b", "r:0_stop_0@a"));
  EXPECT_FALSE(graph.before("r:0_stop_0@a", "r:1_stop_0@b"));
}

TEST(Promotion, AGroupWhoseUnmanagedMemberKeepsTheRoleKeepsItAsAWhole) {
  Cluster cluster = clone_of(
      "<group id=\"g\">" + primitive("r") + primitive("s", meta("s", pair("is-managed", "false"))) + "</group>",
      pair("promotable", "true") + pair("clone-max", "1"));
  cluster.on_a = promoted("r") + promoted("s");
  EXPECT_FALSE(Graph(cluster).has("r:0_demote_0@a"));
}

TEST(Instances, WhatTheNewestOfThemCannotDoAnywhereTheOthersMay) {
  Cluster cluster =
      clone_of(R"(<group id="g">)" + primitive("r") + R"(<primitive id="s" class="systemd" type="s"/></group>)",
               pair("globally-unique", "true"));
  std::string misconfigured = recorded("r", "start", 6);
  misconfigured.replace(misconfigured.find("1:1:6:u"), 7, "1:1:0:u");
  const auto banned = [&](const std::string& id) {
    auto document = cib::parse(cluster.xml(), "test");
    const Plan seen = observe({std::make_shared<const cib::Cib>(std::move(document->cib)), 1'000'000});
    return seen.board().resource(seen.board().find_resource(id)).scores[seen.board().find_node("a")] <= -kInfinity;
  };
  cluster.on_a = started("r");
  cluster.on_b = misconfigured;
  EXPECT_TRUE(banned("r:1"));
  EXPECT_FALSE(banned("c"));
  cluster.on_a = misconfigured;
  cluster.on_b = started("r");
  EXPECT_TRUE(banned("c"));
}

/// Pacemaker places it as nobody manages it, and takes that back when it looks for instances to promote.
TEST(Promotion, WhatNobodyManagesHasNoPlaceWithoutTheReplicaThatItMustBeWith) {
  const auto cluster_with = [](const std::string& promotable) {
    Cluster cluster = clone_of(primitive("r"), pair("is-managed", "false") + pair("promotable", promotable));
    cluster.resources += R"(<bundle id="box"><docker image="x" replicas="1"/></bundle>)";
    cluster.constraints = R"(<rsc_colocation id="k" score="INFINITY" rsc="c" with-rsc="box"/>)"
                          R"(<rsc_location id="l" rsc="box" node="b" score="100"/>)";
    cluster.on_a = started("r");
    return cluster;
  };
  EXPECT_EQ(Placement(cluster_with("true")).node_of("r:0"), "");
  EXPECT_EQ(Placement(cluster_with("false")).node_of("r:0"), "a");
}

}  // namespace
}  // namespace bascule::policy
