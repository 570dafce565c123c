// What stops and starts again, where and with whom.
#include "core/policy/test_cluster.h"

namespace bascule::policy {
namespace {

using namespace testing;  // NOLINT: words of small clusters

std::string changed(std::string history) {
  const std::size_t at = history.find("f2317cad");
  return at == std::string::npos ? history : history.replace(at, 8, "00000000");
}

std::string migrated(const std::string& task) {
  std::string history = recorded("web", task, 0);
  return history.insert(history.find("interval="), R"(migrate_source="a" migrate_target="b" )");
}

TEST(Restarts, WhatAnInterruptedMigrationLeftBehindStopsWithoutARestartElsewhere) {
  Cluster cluster;
  cluster.resources = primitive("web");
  cluster.on_a = migrated("migrate_to");
  cluster.on_b = migrated("migrate_from");
  EXPECT_EQ(Graph(cluster).sent(), (Lines{"web_stop_0@a"}));
}

TEST(Restarts, AFrozenClusterStopsWhatHasChangedAndDoesNotStartIt) {
  Cluster cluster;
  cluster.properties += pair("no-quorum-policy", "freeze");
  cluster.resources = primitive("web");
  cluster.on_a = changed(started("web"));
  cluster.on_b = stopped("web");
  EXPECT_EQ(Graph(cluster).sent(), (Lines{"web_start_0@a", "web_stop_0@a"}));
  cluster.have_quorum = false;
  EXPECT_EQ(Graph(cluster).sent(), (Lines{"web_stop_0@a"}));
}

TEST(Restarts, AFailureThatFencesANodeRestartsWhatRunsElsewhereToo) {
  Cluster cluster;
  cluster.properties = "";
  cluster.resources = R"(<primitive id="fence" class="stonith" type="fence_x"/>)" +
                      primitive("web", meta("web", pair("requires", "quorum")) +
                                           R"(<operations><op id="o" name="monitor" interval="10s" on-fail="fence"/>
                                              </operations>)");
  cluster.on_a = started("web");
  cluster.on_b = recorded("web", "monitor", 1);
  for (const char* each : {"web_monitor_0", "interval=\"0\""}) {
    const std::string now = each[0] == 'w' ? "web_monitor_10000" : "interval=\"10000\"";
    cluster.on_b.replace(cluster.on_b.find(each), std::string(each).size(), now);
  }
  cluster.on_b.replace(cluster.on_b.find("1:1:1:u"), 7, "1:1:0:u");
  const Graph graph(cluster);
  EXPECT_TRUE(graph.has("stonith-b-reboot@b"));
  EXPECT_TRUE(graph.before("web_stop_0@a", "web_start_0@a"));
}

TEST(Restarts, WhatIsStoppedInOnePlaceTooManyStartsAgainWhereItChangesItsRole) {
  Cluster cluster;
  const std::string pairs = pair("promotable", "true") + pair("globally-unique", "true") +
                            pair("multiple-active", "stop_unexpected") + pair("clone-max", "1");
  cluster.resources = "<clone id=\"c\">" + primitive("web") + meta("c", pairs) + "</clone>";
  cluster.on_a = promoted("web:0");
  cluster.on_b = started("web:0");
  const Graph graph(cluster);
  EXPECT_TRUE(graph.has("web:0_start_0@a", "start") || graph.has("web:0_start_0@b", "start"));
}

/// A third node, c, beside a and b.
void add_c(Cluster& cluster, const std::string& history) {
  const std::string end = "</lrm_resources></lrm></node_state>";
  cluster.attributes_of_a += R"(</instance_attributes></node><node id="c" uname="c"><instance_attributes id="ac">)";
  const std::string state = Cluster::state("c", history, true);
  cluster.on_b += end + state.substr(0, state.size() - end.size());
}

TEST(Restarts, WhatIsActiveTwiceIsStartedWhereItShouldBeAndIsNot) {
  for (const bool with_faults : {false, true}) {
    Cluster cluster;
    cluster.resources = primitive("web", meta("web", pair("multiple-active", "stop_unexpected")));
    cluster.constraints = R"(<rsc_location id="l" rsc="web" node="c" score="10"/>)";
    cluster.attributes_of_a = pair("rack", "1");
    cluster.on_a = started("web");
    cluster.on_b = started("web");
    add_c(cluster, stopped("web"));
    cluster.with_faults = with_faults;
    const Graph graph(cluster);
    EXPECT_TRUE(graph.has("web_stop_0@a", "stop"));
    EXPECT_TRUE(graph.has("web_start_0@c"));
    EXPECT_EQ(graph.has("web_start_0@c", "start"), !with_faults);
  }
}

TEST(Restarts, InAGroupWithAPromotedMemberTheOthersAreNotDemoted) {
  Cluster cluster;
  const std::string pairs =
      pair("promotable", "true") + pair("notify", "true") + pair("target-role", "Stopped") + pair("clone-max", "1");
  cluster.resources = "<clone id=\"c\"><group id=\"g\">" + primitive("web") + primitive("db") + "</group>" +
                      meta("c", pairs) + "</clone>";
  cluster.on_a = started("web") + promoted("db");
  cluster.on_b = stopped("web") + stopped("db");
  const Graph graph(cluster);
  EXPECT_TRUE(graph.has("db:0_demote_0@a"));
  EXPECT_FALSE(graph.has("c_demoted_0"));
}

TEST(Restarts, AnOrphanThatLooksLikeAnInstanceHasFailuresOfItsOwn) {
  Cluster cluster;
  cluster.resources = primitive("web");
  cluster.on_a = stopped("web") + stopped("web:3");
  cluster.on_b = stopped("web");
  cluster.transient_of_a = pair("fail-count-web#monitor_10000", "1");
  EXPECT_FALSE(Graph(cluster).has("web:3_clear_failcount_0@a"));
  cluster.transient_of_a = pair("fail-count-web:3#monitor_10000", "1");
  EXPECT_TRUE(Graph(cluster).has("web:3_clear_failcount_0@a"));
}

TEST(Restarts, TheAddressOfABundleStartsAlthoughItsContainerCannot) {
  Cluster cluster;
  cluster.resources = primitive("web", meta("web", pair("target-role", "Stopped"))) +
                      R"(<bundle id="b"><docker image="i"/><network ip-range-start="10.0.0.1"/></bundle>)";
  cluster.constraints = R"(<rsc_order id="o" first="web" then="b"/>)";
  const Graph graph(cluster);
  EXPECT_FALSE(graph.has("b-docker-0_start_0@a"));
  EXPECT_TRUE(graph.has("b-ip-10.0.0.1_start_0@a"));
}

TEST(Restarts, ALostTicketFencesWhereNobodyManagesWhatNeedsIt) {
  Cluster cluster;
  cluster.properties = "";
  cluster.resources = R"(<primitive id="fence" class="stonith" type="fence_x"/>)" +
                      primitive("web", meta("web", pair("is-managed", "false")));
  cluster.constraints = R"(<rsc_ticket id="u" ticket="t" rsc="web" loss-policy="fence"/>)";
  cluster.on_a = started("web");
  EXPECT_TRUE(Graph(cluster).has("stonith-a-reboot@a"));
}

TEST(Restarts, WhatStartsAfterTheStopOfABundleRestartsWithItUnlessPacemakerHasLookedAlready) {
  Cluster cluster;
  cluster.resources = primitive("web") + R"(<bundle id="b"><docker image="i"/></bundle>)";
  cluster.constraints = R"(<rsc_order id="o" first="b" first-action="stop" then="web" then-action="start"/>)";
  std::string container = started("b-docker-0");
  const std::string agent = R"(class="ocf" provider="pacemaker" type="Stateful")";
  container.replace(container.find(agent), agent.size(), R"(class="ocf" provider="heartbeat" type="docker")");
  cluster.on_a = container + started("web");
  cluster.on_b = stopped("web");
  EXPECT_TRUE(Graph(cluster).before("b_stopped_0", "web_start_0@a"));
  cluster.with_faults = true;
  EXPECT_TRUE(Graph(cluster).has("b-docker-0_stop_0@a"));
  EXPECT_FALSE(Graph(cluster).has("web_stop_0@a"));
}

}  // namespace
}  // namespace bascule::policy
