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

TEST(Guests, WhatIsToBeWithItsOwnBundleIsPlacedOnce) {
  Cluster cluster;
  cluster.resources = bundle_of("");
  cluster.constraints = R"(<rsc_colocation id="k" rsc="web" with-rsc="b" score="INFINITY"/>)";
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

/// The probe in the other guest would wait for that guest, which waits for this, which waits for the probe.
TEST(Guests, WhatRunsInAGuestDoesNotHoldUpTheGuestItself) {
  Cluster cluster;
  const auto guest = [](const std::string& name) { return meta(name, pair("remote-node", "guest-" + name)); };
  cluster.resources = primitive("vm", guest("vm")) + primitive("other", guest("other")) + primitive("x");
  cluster.constraints = R"(<rsc_order id="o" first="x" then="vm"/>)"
                        R"(<rsc_location id="l" rsc="x" node="guest-other" score="100"/>)"
                        R"(<rsc_location id="m" rsc="vm" node="a" score="100"/>)";
  cluster.on_a = recorded("vm", "start", 0);
  cluster.on_a.replace(cluster.on_a.find("f2317cad"), 8, "00000000");
  cluster.on_b = stopped("vm");
  const Graph graph(cluster);
  ASSERT_TRUE(graph.has("vm_stop_0@a"));
  ASSERT_TRUE(graph.has("x_monitor_0@guest-vm"));
  EXPECT_FALSE(graph.before("x_monitor_0@guest-vm", "vm_stop_0@a"));
  EXPECT_TRUE(graph.before("x_monitor_0@a", "vm_stop_0@a"));
}

TEST(Guests, WhatMustBeTogetherIsInTheSameGuestAlthoughPacemakerMixesThemUp) {
  Cluster cluster;
  const auto guest = [](const std::string& name) { return meta(name, pair("remote-node", "guest-" + name)); };
  cluster.resources = primitive("vm", guest("vm")) + primitive("other", guest("other")) + "<group id=\"g\">" +
                      primitive("x") + primitive("y") + "</group>";
  cluster.constraints = R"(<rsc_location id="l" rsc="g" node="guest-vm" score="100"/>)";
  EXPECT_TRUE(Graph(cluster).has("y_start_0@guest-vm"));
  cluster.constraints = R"(<rsc_location id="l" rsc="x" node="guest-vm" score="100"/>)"
                        R"(<rsc_location id="m" rsc="y" node="guest-other" score="100"/>)"
                        R"(<rsc_location id="n" rsc="g" node="a" score="-INFINITY"/>)"
                        R"(<rsc_location id="o" rsc="g" node="b" score="-INFINITY"/>)";
  const auto together = [&cluster] {
    const Graph graph(cluster);
    return graph.has("x_start_0@guest-vm") == graph.has("y_start_0@guest-vm");
  };
  EXPECT_TRUE(together());
  cluster.with_faults = true;
  EXPECT_FALSE(together());
}

/// Its address is that of its container's host, and so its parameters are known only when that is.
TEST(Guests, TheFailureOfAConnectionIsForgottenWhenItsAddressHasChanged) {
  Cluster cluster;
  cluster.resources = bundle_of("");
  std::string failed = recorded("b-0", "monitor", 1);
  const std::string agent = R"(class="ocf" provider="pacemaker" type="Stateful")";
  failed.replace(failed.find(agent), agent.size(), R"(class="ocf" provider="pacemaker" type="remote")");
  failed.replace(failed.find("b-0_last_0"), 10, "b-0_last_failure_0");
  failed.replace(failed.find("1:1:1:u"), 7, "1:1:7:u");
  cluster.on_a = failed;
  EXPECT_TRUE(Graph(cluster).has("b-0_clear_failcount_0@a"));
}

std::string recorded_as(const std::string& id, const std::string& task, const std::string& agent) {
  const std::string stateful = R"(provider="pacemaker" type="Stateful")";
  std::string history = recorded(id, task, 0);
  return history.replace(history.find(stateful), stateful.size(), agent);
}

/// Its replica's node is the only one that it can be on, so a failure that would ban it elsewhere does not.
TEST(Guests, WhatIsInAContainerStaysThereUnlessItFailedTooOften) {
  Cluster cluster;
  const auto box_with = [](const std::string& threshold) {
    return bundle_of(meta("web", pair("migration-threshold", threshold)));
  };
  std::string not_installed = recorded("web", "start", 5);
  not_installed.replace(not_installed.find("1:1:5:u"), 7, "1:1:0:u");
  cluster.on_a = recorded_as("b-podman-0", "start", R"(provider="heartbeat" type="podman")") +
                 recorded_as("b-0", "start", R"(provider="pacemaker" type="remote")");
  cluster.other_states =
      R"(<node_state id="b-0" uname="b-0" remote_node="true"><lrm id="b-0"><lrm_resources>)" + not_installed +
      R"(</lrm_resources></lrm><transient_attributes id="b-0"><instance_attributes id="t">)" +
      pair("fail-count-web#start_0", "3") + "</instance_attributes></transient_attributes></node_state>";
  cluster.resources = box_with("4");
  EXPECT_EQ(Placement(cluster).node_of("web:0"), "b-0");
  cluster.resources = box_with("3");
  EXPECT_EQ(Placement(cluster).node_of("web:0"), "");
}

}  // namespace
}  // namespace bascule::policy
