// Scores: what colocated resources prefer, as it reaches those that they are with; health, rules, discovery. What lost
// tickets and room do to what is not managed.
#include <gtest/gtest.h>

#include <string>

#include "core/policy/score.h"
#include "core/policy/test_cluster.h"

namespace bascule::policy::testing {
namespace {

std::string with(const std::string& dependent, const std::string& primary, const std::string& score) {
  return "<rsc_colocation id='" + dependent + "-" + primary + score + "' rsc='" + dependent + "' with-rsc='" + primary +
         "' score='" + score + "'/>";
}
std::string at_b(const std::string& resource, const std::string& score) {
  return "<rsc_location id='l-" + resource + "' rsc='" + resource + "' node='b' score='" + score + "'/>";
}

/// Where things go, and what was thought of the nodes.
TEST(Colocation, AChainCountsAsMuchAsItsLastLink) {
  Cluster cluster;
  cluster.resources = primitive("p") + primitive("d") + primitive("e");
  cluster.constraints = with("d", "p", "100") + with("e", "d", "3000") + at_b("e", "INFINITY");
  EXPECT_EQ(Placement(cluster).score("p", "b"), 3000);
}

TEST(Colocation, AChainThatIsNegativeSomewhereTurnsAround) {
  Cluster cluster;
  cluster.resources = primitive("p") + primitive("d") + primitive("e");
  cluster.constraints = with("d", "p", "-100") + with("e", "d", "3000") + at_b("e", "INFINITY");
  EXPECT_EQ(Placement(cluster).score("p", "b"), -3000);
}

TEST(Colocation, WhatIsWithAGroupDoesNotCountForOthersBeforeTheGroupIsPlaced) {
  Cluster cluster;
  cluster.resources = primitive("p") + "<group id='g'>" + primitive("x") + "</group>" + primitive("d");
  cluster.constraints = with("g", "p", "100") + with("d", "g", "200") + at_b("d", "INFINITY");
  const Placement placed(cluster);
  EXPECT_EQ(placed.score("p", "b"), 0);
  EXPECT_EQ(placed.score("x", "b"), 200);
}

TEST(Colocation, OnceTheGroupIsBeingPlacedWhatIsWithItsLastMemberCountsTwice) {
  Cluster cluster;
  cluster.resources = "<group id='g'>" + primitive("x") + "</group>" + primitive("p") + primitive("d");
  cluster.constraints = with("g", "p", "100") + with("d", "g", "200") + at_b("d", "INFINITY");
  EXPECT_EQ(Placement(cluster).score("p", "b"), 400);
}

TEST(Colocation, TheOneAddedLastIsAppliedFirst) {
  Cluster cluster;
  cluster.resources = "<group id='g'>" + primitive("x") + primitive("y") + "</group>";
  // That they are one group comes first; then this would leave no node, and is not applied.
  cluster.constraints = with("y", "x", "-100");
  const Placement placed(cluster);
  EXPECT_EQ(placed.score("y", "a"), 0);
  EXPECT_EQ(placed.node_of("y"), "a");
}

TEST(Colocation, ApartFromACloneMeansFirstOfAllApartFromItsPromotedInstance) {
  Cluster cluster;
  cluster.resources =
      "<clone id='c'>" + primitive("db") + meta("c", pair("promotable", "true")) + "</clone>" + primitive("x");
  cluster.constraints = with("x", "c", "-100");
  cluster.transient_of_a = pair("master-db", "10");
  EXPECT_EQ(Placement(cluster).score("x", "a"), -100);
  EXPECT_EQ(Placement(cluster).score("x", "b"), 0);
}

TEST(Health, IsForTheFirstMemberOfAGroup) {
  Cluster cluster;
  cluster.properties += R"(<nvpair id="p2" name="node-health-strategy" value="custom"/>)";
  cluster.attributes_of_a = R"(<nvpair id="h" name="#health-disk" value="10"/>)";
  cluster.resources = "<group id='g'>" + primitive("x") + primitive("y") + "</group>";
  const Placement placed(cluster);
  EXPECT_EQ(placed.score("x", "a"), 10);
  EXPECT_EQ(placed.score("y", "a"), 0);
}

TEST(Health, OnlyWhatIsBadIsForgivenToWhatAllowsUnhealthyNodes) {
  Cluster cluster;
  cluster.properties += R"(<nvpair id="p2" name="node-health-strategy" value="custom"/>)";
  cluster.resources = primitive("x", meta("x", pair("allow-unhealthy-nodes", "true")));
  cluster.attributes_of_a = R"(<nvpair id="h" name="#health-disk" value="-10"/>)";
  EXPECT_EQ(Placement(cluster).score("x", "a"), 0);
  cluster.attributes_of_a = R"(<nvpair id="h" name="#health-disk" value="10"/>)";
  EXPECT_EQ(Placement(cluster).score("x", "a"), 10);
}

TEST(Location, ARuleScoresBadlyWhatLacksTheAttribute) {
  Cluster cluster;
  cluster.attributes_of_a = R"(<nvpair id="w" name="weight" value="5"/>)";
  cluster.resources = primitive("x");
  cluster.constraints =
      "<rsc_location id='l' rsc='x'><rule id='r' score-attribute='weight'><expression id='e' attribute='absent' "
      "operation='not_defined'/></rule></rsc_location>";
  const Placement placed(cluster);
  EXPECT_EQ(placed.score("x", "a"), 5);
  EXPECT_EQ(placed.score("x", "b"), -kInfinity);
}

TEST(Location, ExclusiveDiscoveryKeepsAwayThoughNoNodeFitsTheRule) {
  Cluster cluster;
  cluster.resources = primitive("x");
  cluster.constraints =
      "<rsc_location id='l' rsc='x' resource-discovery='exclusive'><rule id='r' score='5'><expression id='e' "
      "attribute='absent' operation='defined'/></rule></rsc_location>";
  EXPECT_EQ(Placement(cluster).node_of("x"), "");
}

TEST(Location, ExclusiveDiscoveryOfAMemberDoesNotBindItsGroup) {
  Cluster cluster;
  cluster.resources = "<group id='g'>" + primitive("x") + "</group>";
  cluster.constraints = "<rsc_location id='l' rsc='x' node='b' score='5' resource-discovery='exclusive'/>";
  EXPECT_EQ(Placement(cluster).score("x", "a"), 0);
}

TEST(Tickets, WhatIsNotManagedIsFencedTooWhenItsTicketIsLost) {
  Cluster cluster;
  cluster.properties.clear();
  cluster.resources =
      "<primitive id='f' class='stonith' type='fence_x'/>" + primitive("x", meta("x", pair("is-managed", "false")));
  cluster.constraints = "<rsc_ticket id='t' ticket='site' rsc='x' loss-policy='fence'/>";
  cluster.on_b = started("x");
  EXPECT_TRUE(Graph(cluster).has("stonith-b-reboot@b"));
}

TEST(Utilization, WhatIsNotManagedHoldsUpNobodyThatNeedsItsRoom) {
  Cluster cluster;
  cluster.properties += R"(<nvpair id="p2" name="placement-strategy" value="balanced"/>)";
  const std::string load = "<utilization id='ID'><nvpair id='IDc' name='cpu' value='0'/></utilization>";
  const auto loaded = [&load](std::string id) {
    std::string text = load;
    for (std::size_t at = text.find("ID"); at != std::string::npos; at = text.find("ID")) text.replace(at, 2, id);
    return text;
  };
  cluster.resources = "<group id='g'>" + primitive("x", loaded("x")) + primitive("y") +
                      primitive("z", loaded("z") + meta("z", pair("is-managed", "false"))) + "</group>";
  cluster.on_a = stopped("x") + started("y") + started("z");
  cluster.on_b = stopped("x") + stopped("y") + stopped("z");
  EXPECT_TRUE(Graph(cluster).has("x_start_0@a"));
}

TEST(Colocation, ATemplateStandsForACloneOfItOnce) {
  Cluster cluster;
  cluster.resources = "<template id='t' class='ocf' provider='pacemaker' type='Stateful'/>" + primitive("p") +
                      "<clone id='c'><primitive id='i' template='t'/></clone>";
  cluster.constraints = with("t", "p", "100") + at_b("c", "INFINITY");
  cluster.on_b = stopped("i");  // what is in the clone has a name of its own once some node knows it
  EXPECT_EQ(Placement(cluster).score("p", "b"), 100);
}

TEST(Location, TheRoleOfARuleCountsNotThatOfItsConstraint) {
  Cluster cluster;
  cluster.resources = primitive("x");
  cluster.constraints =
      "<rsc_location id='l' rsc='x' role='Promoted'><rule id='r' score='5'><expression id='e' attribute='#uname' "
      "operation='eq' value='b'/></rule></rsc_location>";
  EXPECT_EQ(Placement(cluster).score("x", "b"), 5);
}

TEST(Location, ARuleWithOrFindsNothingGoodOnANodeThatIsDown) {
  Cluster cluster;
  cluster.b_is_up = false;
  cluster.resources = primitive("x");
  cluster.constraints =
      "<rsc_location id='l' rsc='x'><rule id='r' score='5' boolean-op='or'><expression id='e' attribute='absent' "
      "operation='not_defined'/></rule></rsc_location>";
  const Placement placed(cluster);
  EXPECT_EQ(placed.score("x", "a"), 5);
  EXPECT_EQ(placed.score("x", "b"), -kInfinity);
}

TEST(Failures, OfAnInstanceAreNotThoseOfAResourceOfItsName) {
  Cluster cluster;
  cluster.resources = primitive("x");
  cluster.on_a = stopped("x");
  cluster.on_b = started("x:3");
  cluster.transient_of_a = "<nvpair id='f' name='fail-count-x#start_0' value='INFINITY'/>";
  const Graph graph(cluster);
  EXPECT_TRUE(graph.has("x:3_stop_0@b"));
  EXPECT_FALSE(graph.has("x:3_clear_failcount_0@a"));
}

// In a set whose members are to be apart, one that is called by the name of what it is a clone of is apart from those
// behind it as well, and they from it.
TEST(Colocation, ACloneCalledByItsInsideIsApartFromAllOfTheSet) {
  for (const bool by_inside : {false, true}) {
    Cluster cluster;
    cluster.resources =
        R"(<clone id="c">)" + meta("c", pair("clone-max", "1")) + primitive("r") + "</clone>" + primitive("x");
    cluster.constraints = R"(<rsc_colocation id="k" score="-10"><resource_set id="s"><resource_ref id=")" +
                          std::string(by_inside ? "r" : "c") +
                          R"("/><resource_ref id="x"/></resource_set></rsc_colocation>)";
    cluster.on_a = stopped("r");
    auto document = cib::parse(cluster.xml(), "test");
    ASSERT_TRUE(document);
    const Plan made = plan({std::make_shared<const cib::Cib>(std::move(document->cib)), 1'000'000});
    const detail::Board& board = made.board();
    const auto apart = [&board](const std::string& dependent, const std::string& primary) {
      return std::any_of(board.colocations.begin(), board.colocations.end(), [&](const detail::Colocation& each) {
        return board.resource(each.dependent).id == dependent && board.resource(each.primary).id == primary;
      });
    };
    EXPECT_TRUE(apart("x", "c"));
    EXPECT_EQ(apart("c", "x"), by_inside);
  }
}

// Both nodes have two resources that stay where they are, and say nothing of their capacity: the first use of it on a
// is free, the second is not.
TEST(Capacity, WhatANodeSaysNothingAboutIsUsedUpFromTheSecondUseOn) {
  Cluster cluster;
  cluster.properties =
      std::string(R"(<nvpair id="p1" name="stonith-enabled" value="false"/>)") + pair("placement-strategy", "balanced");
  const auto staying = [](const std::string& id, const std::string& cpu) {
    return primitive(id, meta(id, pair("is-managed", "false")) + "<utilization id='" + id + "u'><nvpair id='" + id +
                             "n' name='cpu' value='" + cpu + "'/></utilization>");
  };
  cluster.on_a = started("r") + started("s");
  cluster.on_b = started("x") + started("y");
  for (const std::string cpu : {"0", "2"}) {
    cluster.resources = staying("r", cpu) + staying("s", cpu) + staying("x", "0") + staying("y", "0") + primitive("z");
    EXPECT_EQ(Placement(cluster).node_of("z"), cpu == "0" ? "a" : "b");
  }
}

TEST(Colocation, ExclusiveDiscoveryHoldsAlsoWhereTheConstraintIsAboutARole) {
  Cluster cluster;
  cluster.resources = primitive("x") + primitive("y");
  cluster.constraints =
      R"(<rsc_location id="l" rsc="x" role="Promoted" node="a" score="5" resource-discovery="exclusive"/>)";
  EXPECT_EQ(Placement(cluster).node_of("x"), "");
  EXPECT_NE(Placement(cluster).node_of("y"), "");
}

}  // namespace
}  // namespace bascule::policy::testing
