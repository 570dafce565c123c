// What colocated resources prefer, as it reaches those that they are with; and scores of groups.
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
class Placement {
 public:
  explicit Placement(const Cluster& cluster) : plan_(make(cluster)) {}

  [[nodiscard]] Score score(const std::string& resource, const std::string& node) const {
    return at(resource).scores[plan_.board().find_node(node)];
  }
  /// Empty: nowhere.
  [[nodiscard]] std::string node_of(const std::string& resource) const {
    const detail::NodeId node = at(resource).node;
    return node == detail::kNone ? "" : plan_.board().node(node).name;
  }

 private:
  static Plan make(const Cluster& cluster) {
    auto document = cib::parse(cluster.xml(), "test");
    EXPECT_TRUE(document) << document.error().text();
    return plan({std::make_shared<const cib::Cib>(std::move(document->cib)), 1'000'000});
  }
  [[nodiscard]] const detail::Resource& at(const std::string& id) const {
    return plan_.board().resource(plan_.board().find_resource(id));
  }

  Plan plan_;
};

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

}  // namespace
}  // namespace bascule::policy::testing
