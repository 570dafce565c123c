// Small clusters to which random ones were shrunk, in which Pacemaker decided otherwise.
#include "core/policy/test_cluster.h"

namespace bascule::policy {
namespace {

using namespace testing;  // NOLINT: words of small clusters

std::string without_digest(std::string history) {
  const std::size_t at = history.find("op-digest");
  return history.erase(at, history.find(' ', at) - at);
}

TEST(Differences, AResultWithoutADigestCountsAsOneOfOtherParameters) {
  Cluster cluster;
  cluster.resources = primitive("web");
  cluster.on_b = stopped("web");
  cluster.on_a = without_digest(started("web"));
  const Graph graph(cluster);
  EXPECT_TRUE(graph.before("web_stop_0@a", "web_start_0@a"));
  cluster.on_a = started("web");
  EXPECT_EQ(Graph(cluster).sent(), Lines{});
}

TEST(Differences, AProbeStandsForTheStartOfWhatItFound) {
  Cluster cluster;
  cluster.resources = primitive("web");
  cluster.on_b = stopped("web");
  cluster.on_a = without_digest(recorded("web", "monitor", 0));
  EXPECT_TRUE(Graph(cluster).before("web_stop_0@a", "web_start_0@a"));
}

TEST(Differences, AProbeThatFoundItActiveIsJudgedAlthoughMonitorsFollowed) {
  Cluster cluster;
  cluster.resources = primitive("web", R"(<operations><op id="o" name="monitor" interval="33s"/></operations>)");
  cluster.on_b = stopped("web");
  const std::string probed = without_digest(recorded("web", "monitor", 0));
  cluster.on_a = probed;
  cluster.on_a.insert(cluster.on_a.rfind("</lrm_resource>"),
                      R"(<lrm_rsc_op id="web_monitor_33000" operation="monitor" operation_key="web_monitor_33000"
                         interval="33000" call-id="2" op-digest="02a5bcf940fc8d3239701acb11438d6a" op-status="0"
                         rc-code="0" transition-key="1:1:0:u" transition-magic="0:0;1:1:0:u"/>)");
  EXPECT_TRUE(Graph(cluster).before("web_stop_0@a", "web_start_0@a"));
}

TEST(Differences, NothingIsSentToANodeThatIsToBeFenced) {
  Cluster cluster;
  cluster.resources = primitive("web") + R"(<primitive id="fence" class="stonith" type="fence_x"/>)";
  cluster.on_b = stopped("web");
  cluster.on_a = recorded("web", "stop", 1) + stopped("gone");
  cluster.on_a.replace(cluster.on_a.find("1:1:1:u"), 7, "1:1:0:u");
  cluster.transient_of_a = R"(<nvpair id="f" name="fail-count-gone#monitor_0" value="1"/>)";
  EXPECT_TRUE(Graph(cluster).has("gone_clear_failcount_0@a"));
  cluster.properties = "";
  EXPECT_FALSE(Graph(cluster).has("gone_clear_failcount_0@a"));
}

TEST(Differences, ALocationOfTheRoleStoppedDoesNotSayWhereItRuns) {
  Cluster cluster;
  cluster.resources = primitive("web");
  cluster.on_a = cluster.on_b = stopped("web");
  cluster.constraints = R"(<rsc_location id="l" rsc="web" role="Stopped" node="b" score="1"/>)";
  EXPECT_EQ(Graph(cluster).sent(), Lines{"web_start_0@a"});
}

TEST(Differences, WhatCannotBeStoppedWhereNothingCanBeFencedIsLeftAlone) {
  Cluster cluster;
  cluster.resources = primitive("web");
  cluster.on_b = stopped("web");
  cluster.on_a = recorded("web", "stop", 5);
  cluster.on_a.replace(cluster.on_a.find("1:1:5:u"), 7, "1:1:0:u");
  EXPECT_EQ(Graph(cluster).sent(), Lines{});
}

TEST(Differences, InstancesWithoutIdentityAreNotWatchedWhereTheyAreStopped) {
  Cluster cluster;
  const std::string watched =
      primitive("web", R"(<operations><op id="o" name="monitor" interval="33s" role="Stopped"/></operations>)");
  cluster.on_a = started("web");
  cluster.on_b = stopped("web");
  cluster.resources = "<clone id=\"c\">" + meta("c", pair("clone-max", "1")) + watched + "</clone>";
  EXPECT_EQ(Graph(cluster).sent(), Lines{});
  cluster.resources = watched;
  EXPECT_EQ(Graph(cluster).sent(), Lines{"web_monitor_33000@b"});
}

TEST(Differences, ATypingErrorInANumberDoesNotTakeAllMemory) {
  Cluster cluster;
  cluster.resources = "<clone id=\"c\">" + meta("c", pair("clone-max", "2000000000")) + primitive("web") + "</clone>" +
                      R"(<bundle id="d"><docker image="i" replicas="99999999"/></bundle>)";
  EXPECT_TRUE(Graph(cluster).has("c_start_0"));
}

/// There are more paths through this net than anybody can follow.
TEST(Differences, ANetOfColocationsEnds) {
  Cluster cluster;
  constexpr int count = 16;
  for (int i = 0; i < count; ++i) cluster.resources += primitive("r" + std::to_string(i));
  for (int i = 0; i < count; ++i)
    for (int j = 0; j < i; ++j)
      cluster.constraints += "<rsc_colocation id=\"k" + std::to_string(i) + "-" + std::to_string(j) + "\" rsc=\"r" +
                             std::to_string(i) + "\" with-rsc=\"r" + std::to_string(j) + "\" score=\"10\"/>";
  EXPECT_FALSE(Graph(cluster).sent().empty());
}

TEST(Differences, AStickinessBelowZeroDrivesNothingAway) {
  Cluster cluster;
  cluster.resources = primitive("web", meta("web", pair("resource-stickiness", "-10")));
  cluster.on_a = started("web");
  cluster.on_b = stopped("web");
  EXPECT_EQ(Graph(cluster).sent(), Lines{});
}

/// The name of what a clone is made of stands for the clone once a node has a record of it.
TEST(Differences, AConstraintMayNameWhatACloneIsMadeOf) {
  Cluster cluster;
  cluster.resources = "<clone id=\"c\">" + primitive("web") + "</clone>";
  cluster.constraints = R"(<rsc_location id="l" rsc="web" node="b" score="-INFINITY"/>)";
  EXPECT_TRUE(Graph(cluster).has("web:1_start_0@b"));
  cluster.on_a = stopped("web");
  cluster.on_b = stopped("web");
  EXPECT_EQ(Graph(cluster).sent(), (Lines{"c_running_0", "c_start_0", "web:0_start_0@a"}));
}

/// The members of a set follow the one before; those of a listed set follow the next.
TEST(Differences, AListedSetIsColocatedTheOtherWayRound) {
  Cluster cluster;
  cluster.resources = primitive("web") + primitive("data");
  cluster.on_a = stopped("web") + stopped("data");
  cluster.on_b = cluster.on_a;
  const auto set = [](const std::string& ordering) {
    return R"(<rsc_location id="l" rsc="web" node="b" score="INFINITY"/><rsc_colocation id="k" score="INFINITY">)"
           R"(<resource_set id="s" )" +
           ordering +
           R"(><resource_ref id="web"/><resource_ref id="data"/></resource_set></rsc_colocation>)"
           R"(<rsc_location id="m" rsc="data" node="b" score="-INFINITY"/>)"
           R"(<rsc_location id="n" rsc="data" node="a" score="-INFINITY"/>)";
  };
  cluster.constraints = set("");
  EXPECT_EQ(Graph(cluster).sent(), Lines{"web_start_0@b"});
  cluster.constraints = set(R"(ordering="listed")");
  EXPECT_EQ(Graph(cluster).sent(), Lines{});
}

TEST(Differences, ATemplateInASetMeansNothingIfOneThatIsMadeFromItIsUnknown) {
  Cluster cluster;
  const std::string of_template = R"( template="t"/>)";
  cluster.resources = R"(<template id="t" class="ocf" provider="pacemaker" type="Stateful"/>)"
                      R"(<clone id="c"><primitive id="web")" +
                      of_template + R"(</clone><primitive id="mail")" + of_template + primitive("data");
  cluster.constraints = R"(<rsc_colocation id="k" score="INFINITY"><resource_set id="s"><resource_ref id="data"/>)"
                        R"(<resource_ref id="t"/></resource_set></rsc_colocation>)"
                        R"(<rsc_location id="l" rsc="data" node="b" score="100"/>)"
                        R"(<rsc_location id="m" rsc="mail" node="a" score="10"/>)";
  EXPECT_EQ(Placement(cluster).node_of("mail"), "a");
  cluster.on_a = stopped("web");
  EXPECT_EQ(Placement(cluster).node_of("mail"), "b");
}

TEST(Differences, AProbeThatCannotSucceedForbidsTheNodeToItsResourceAlone) {
  Cluster cluster;
  cluster.resources = "<group id=\"g\">" + primitive("web") + primitive("log") + "</group>";
  cluster.on_a = recorded("log", "monitor", 5);
  cluster.on_a.replace(cluster.on_a.find("1:1:5:u"), 7, "1:1:7:u");
  const Placement placed(cluster);
  EXPECT_EQ(placed.score("log", "a"), -kInfinity);
  EXPECT_EQ(placed.score("g", "a"), 0);
}

TEST(Differences, TheFailuresOnANodeThatIsDownStayUntilItIsBack) {
  Cluster cluster;
  cluster.properties = "";
  cluster.resources = primitive("web") + R"(<primitive id="fence" class="stonith" type="fence_x"/>)";
  cluster.on_b = recorded("web", "start", 1);
  cluster.on_b.replace(cluster.on_b.find("web_last_0"), 10, "web_last_failure_0");
  cluster.on_b.replace(cluster.on_b.find("1:1:1:u"), 7, "1:1:0:u");
  cluster.on_b.replace(cluster.on_b.find("f2317cad"), 8, "00000000");
  EXPECT_TRUE(Graph(cluster).has("web_clear_failcount_0@b"));
  cluster.b_is_up = false;
  EXPECT_FALSE(Graph(cluster).has("web_clear_failcount_0@b"));
}

}  // namespace
}  // namespace bascule::policy
