// What keeps a resource from where it would be: tickets, capacity, shutdown locks; and what a changed configuration
// asks.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/policy/board.h"
#include "core/policy/graph.h"
#include "core/policy/plan.h"
#include "wire/cib/digest.h"
#include "wire/cib/parse.h"

namespace bascule::policy {
namespace {

using Decisions = std::vector<std::string>;

/// One or two nodes, a and b, of which only a has a history.
struct Limits {
  std::string properties;
  std::string nodes = R"(<node id="a" uname="a"/>)";
  std::string resources;
  std::string constraints;
  std::string history;
  std::string tickets;
  std::string node_b;

  [[nodiscard]] std::string xml() const {
    const std::string up = R"( in_ccm="true" crmd="online" join="member" expected="member")";
    return R"(<cib have-quorum="1"><configuration><crm_config><cluster_property_set id="cib-bootstrap-options">)"
           R"(<nvpair id="p0" name="stonith-enabled" value="false"/>)" +
           properties + "</cluster_property_set></crm_config><nodes>" + nodes + "</nodes><resources>" + resources +
           "</resources><constraints>" + constraints +
           R"(</constraints></configuration><status><node_state id="a" uname="a")" + up +
           R"(><lrm id="a"><lrm_resources>)" + history + "</lrm_resources></lrm></node_state>" + node_b + "<tickets>" +
           tickets + "</tickets></status></cib>";
  }
};

std::string plain(const std::string& id, const std::string& inside = "") {
  return "<primitive id=\"" + id + R"(" class="ocf" provider="heartbeat" type="Dummy">)" + inside + "</primitive>";
}

std::string result(const std::string& id, const std::string& task, int rc, const std::string& more = "") {
  const std::string code = std::to_string(rc);
  const bool own = more.find("op-digest") != std::string::npos;
  const std::string digest = own ? "" : " op-digest=\"f2317cad3d54cec5d7d7aa7d0bf35cf8\" ";  // of no parameters
  return "<lrm_rsc_op id=\"" + id + R"(_last_0" operation=")" + task + "\" operation_key=\"" + id + "_" + task +
         R"(_0" interval="0" call-id="1" op-status="0" rc-code=")" + code + R"(" transition-key="1:1:)" + code +
         ":u\" transition-magic=\"0:" + code + ";1:1:" + code + ":u\" " + more + "/>";
}

std::string history_of(const std::string& id, const std::string& results, const std::string& more = "") {
  return "<lrm_resource id=\"" + id + R"(" class="ocf" provider="heartbeat" type="Dummy" )" + more + ">" + results +
         "</lrm_resource>";
}

Decisions decisions(const Limits& cluster) {
  auto document = cib::parse(cluster.xml(), "test");
  EXPECT_TRUE(document) << document.error().text();
  if (!document) return {};
  const Plan made = plan({std::make_shared<const cib::Cib>(std::move(document->cib)), 1'000'000});
  Decisions lines;
  for (const detail::ActionId id : detail::in_graph_order(made.board())) {
    const detail::Action& action = made.board().action(id);
    if (!action.pseudo) lines.push_back(action.task + " " + made.board().resource(action.resource).id);
  }
  return lines;
}

TEST(PlanTickets, NothingStartsWithoutItsTicket) {
  Limits cluster;
  cluster.resources = plain("web");
  cluster.history = history_of("web", result("web", "monitor", 7));
  cluster.constraints = R"(<rsc_ticket id="t" rsc="web" ticket="site"/>)";
  EXPECT_EQ(decisions(cluster), Decisions{});
  cluster.tickets = R"(<ticket_state id="site" granted="true" last-granted="1"/>)";
  EXPECT_EQ(decisions(cluster), Decisions{"start web"});
}

TEST(PlanTickets, ALostTicketStopsAndAFrozenResourceStays) {
  Limits cluster;
  cluster.resources = plain("web");
  cluster.history = history_of("web", result("web", "start", 0));
  cluster.constraints = R"(<rsc_ticket id="t" rsc="web" ticket="site" loss-policy="stop"/>)";
  EXPECT_EQ(decisions(cluster), Decisions{"stop web"});
  cluster.constraints = R"(<rsc_ticket id="t" rsc="web" ticket="site" loss-policy="freeze"/>)";
  EXPECT_EQ(decisions(cluster), Decisions{});
}

TEST(PlanUtilization, WhatDoesNotFitIsNotStarted) {
  Limits cluster;
  cluster.nodes =
      R"(<node id="a" uname="a"><utilization id="u"><nvpair id="u1" name="cpu" value="2"/></utilization></node>)";
  const auto with = [](const std::string& id, const char* cpu) {
    return plain(id, "<utilization id=\"" + id + "-u\"><nvpair id=\"" + id + "-n\" name=\"cpu\" value=\"" + cpu +
                         "\"/></utilization>");
  };
  cluster.resources = with("small", "1") + with("large", "2");
  cluster.history =
      history_of("small", result("small", "monitor", 7)) + history_of("large", result("large", "monitor", 7));
  EXPECT_EQ(decisions(cluster), (Decisions{"start small", "start large"}));
  cluster.properties = R"(<nvpair id="p1" name="placement-strategy" value="utilization"/>)";
  EXPECT_EQ(decisions(cluster), Decisions{"start small"});
}

TEST(PlanChanges, ChangedParametersRestartAndEqualOnesDoNot) {
  Limits cluster;
  cluster.resources =
      plain("web", R"(<instance_attributes id="i"><nvpair id="i1" name="port" value="80"/></instance_attributes>)");
  const auto started_with = [](const char* port) {
    return history_of("web",
                      result("web", "start", 0, "op-digest=\"" + cib::digest_of_parameters({{"port", port}}) + "\""));
  };
  cluster.history = started_with("80");
  EXPECT_EQ(decisions(cluster), Decisions{});
  cluster.history = started_with("81");
  EXPECT_EQ(decisions(cluster), (Decisions{"stop web", "start web"}));
}

TEST(PlanChanges, AnAgentThatCanReloadIsReloaded) {
  Limits cluster;
  cluster.resources =
      plain("web", R"(<instance_attributes id="i"><nvpair id="i1" name="port" value="80"/></instance_attributes>)");
  cluster.history = history_of("web", result("web", "start", 0,
                                             "op-digest=\"" + cib::digest_of_parameters({{"port", "81"}}) +
                                                 "\" op-force-restart=\" address \" " + "op-restart-digest=\"" +
                                                 cib::digest_of_parameters({}) + "\""));
  EXPECT_EQ(decisions(cluster), Decisions{"reload-agent web"});
}

TEST(PlanOrphans, AnOrphanIsStoppedAndForgotten) {
  Limits cluster;
  cluster.history = history_of("gone", result("gone", "start", 0));
  EXPECT_EQ(decisions(cluster), (Decisions{"stop gone", "delete gone"}));
}

TEST(PlanShutdownLock, WhatIsLockedWaitsForItsNode) {
  Limits cluster;
  cluster.nodes += R"(<node id="b" uname="b"/>)";
  cluster.resources = plain("web");
  cluster.history = history_of("web", result("web", "monitor", 7));
  cluster.node_b =
      R"(<node_state id="b" uname="b" in_ccm="false" crmd="offline" join="down" expected="down"><lrm id="b"><lrm_resources>)" +
      history_of("web", result("web", "stop", 0), R"(shutdown-lock="999000")") + "</lrm_resources></lrm></node_state>";
  EXPECT_EQ(decisions(cluster), Decisions{"start web"});
  cluster.properties = R"(<nvpair id="p1" name="shutdown-lock" value="true"/>)";
  EXPECT_EQ(decisions(cluster), Decisions{});
  cluster.properties += R"(<nvpair id="p2" name="shutdown-lock-limit" value="60"/>)";
  const Decisions expired = decisions(cluster);
  EXPECT_EQ(std::count(expired.begin(), expired.end(), "start web"), 1);
}

/// Each replica is a node, which must not let the next bundle have more of them.
TEST(PlanSizes, ManyHugeBundlesStayBounded) {
  Limits cluster;
  constexpr std::size_t bundles = 6, instances_most = 64;
  for (std::size_t number = 0; number < bundles; ++number) {
    const std::string id = "u" + std::to_string(number);
    cluster.resources += "<bundle id=\"" + id +
                         R"("><docker image="i" replicas="99999999"/><network control-port="1"/>)" + plain("in-" + id) +
                         "</bundle>";
  }
  const std::string xml = cluster.xml();
  const Plan plan = observe({std::make_shared<const cib::Cib>(cib::parse(xml, "test").value().cib), 1'000'000, false});
  EXPECT_LE(plan.board().nodes.size(), bundles * instances_most + 4);
  EXPECT_GE(plan.board().notices.size(), bundles);
}

}  // namespace
}  // namespace bascule::policy
