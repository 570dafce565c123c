// Guest nodes and the containers of bundles: where they are placed, and what of them rules know.
#include "core/policy/test_cluster.h"

namespace bascule::policy {
namespace {

using namespace testing;  // NOLINT: words of small clusters

constexpr const char* no_fencing_here = R"(<nvpair id="p1" name="stonith-enabled" value="false"/>)";

std::string bundle_of(const std::string& inside) {
  return R"(<bundle id="b"><podman image="i" replicas="1"/><network control-port="9999"/>)" + primitive("web", inside) +
         "</bundle>";
}

TEST(Guests, ARuleDoesNotKnowTheNameOfAGuestThatWasNeverSeen) {
  Cluster cluster;
  cluster.resources = primitive("vm", meta("vm", pair("remote-node", "guest"))) + primitive("x");
  cluster.constraints =
      R"(<rsc_location id="l" rsc="x"><rule id="r" score="10"><expression id="e" attribute="#uname" operation="eq"
         value="guest"/></rule></rsc_location>)";
  EXPECT_EQ(Placement(cluster).score("x", "guest"), 0);
  cluster.constraints = R"(<rsc_location id="l" rsc="x" node="guest" score="10"/>)";
  EXPECT_EQ(Placement(cluster).score("x", "guest"), 10);
}

TEST(Guests, TheConnectionToABundleMayRunWhereNothingElseMayUnlessTold) {
  Cluster cluster;
  cluster.properties = std::string(no_fencing_here) + pair("symmetric-cluster", "false");
  cluster.resources = bundle_of("") + primitive("x");
  cluster.constraints = R"(<rsc_location id="l" rsc="b" node="a" score="5"/>)";
  const Placement placed(cluster);
  EXPECT_EQ(placed.node_of("b-podman-0"), "a");
  EXPECT_EQ(placed.node_of("b-0"), "a");
  EXPECT_EQ(placed.node_of("x"), "");
}

TEST(Guests, AContainerNeedsTheRoomOfWhatRunsInIt) {
  Cluster cluster;
  cluster.properties = std::string(no_fencing_here) + pair("placement-strategy", "utilization");
  cluster.resources = bundle_of(R"(<utilization id="u"><nvpair id="u1" name="memory" value="512"/></utilization>)");
  EXPECT_EQ(Placement(cluster).node_of("b-podman-0"), "");
  cluster.resources = bundle_of("");
  EXPECT_EQ(Placement(cluster).node_of("b-podman-0"), "a");
}

TEST(Guests, ARuleForTheRoleStartedSaysNothing) {
  Cluster cluster;
  cluster.resources = primitive("x");
  const auto rule = [](const std::string& role) {
    return R"(<rsc_location id="l" rsc="x"><rule id="r" score="7" role=")" + role +
           R"("><expression id="e" attribute="absent" operation="not_defined"/></rule></rsc_location>)";
  };
  cluster.constraints = rule("Started");
  EXPECT_EQ(Placement(cluster).score("x", "a"), 0);
  cluster.constraints = rule("Unpromoted");
  EXPECT_EQ(Placement(cluster).score("x", "a"), 7);
}

}  // namespace
}  // namespace bascule::policy
