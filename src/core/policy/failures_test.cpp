// What failed operations lead to: demotion, masked probes, migrations that went wrong, what depends on what cannot
// start.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/policy/board.h"
#include "core/policy/graph.h"
#include "core/policy/plan.h"
#include "wire/cib/parse.h"

namespace bascule::policy {
namespace {

using Decisions = std::vector<std::string>;

struct Failing {
  std::string resources;
  std::string constraints;
  std::string on_a;  ///< lrm_resource elements
  std::string on_b;
  std::string attributes_a;  ///< transient, as nvpairs
};

std::string up(const std::string& name, const std::string& history, const std::string& attributes) {
  return "<node_state id='" + name + "' uname='" + name +
         "' in_ccm='true' crmd='online' join='member' expected='member'><lrm id='" + name + "'><lrm_resources>" +
         history + "</lrm_resources></lrm><transient_attributes id='" + name + "'><instance_attributes id='t" + name +
         "'>" + attributes + "</instance_attributes></transient_attributes></node_state>";
}

/// One lrm_rsc_op: `expected` is what the transition asked for.
std::string result(const std::string& id, const std::string& task, int call, int rc, int expected, int interval_ms = 0,
                   const std::string& more = "") {
  // Of no parameters, and of the timeout of 20 s.
  const std::string digest = interval_ms == 0 ? "f2317cad3d54cec5d7d7aa7d0bf35cf8" : "4811cef7f7f94e3a35a70be7916cb2fd";
  return "<lrm_rsc_op id='" + id + task + std::to_string(call) + "' operation='" + task + "' operation_key='" + id +
         "_" + task + "_" + std::to_string(interval_ms) + "' interval='" + std::to_string(interval_ms) + "' call-id='" +
         std::to_string(call) + "' op-status='0' rc-code='" + std::to_string(rc) +
         "' transition-key='1:1:" + std::to_string(expected) + ":u' op-digest='" + digest + "' " + more + "/>";
}

std::string history(const std::string& id, const std::string& results) {
  return "<lrm_resource id='" + id + "' class='ocf' provider='heartbeat' type='Dummy'>" + results + "</lrm_resource>";
}

Decisions decisions(const Failing& cluster) {
  const std::string xml =
      "<cib have-quorum='1'><configuration><crm_config><cluster_property_set id='o'><nvpair id='o1' "
      "name='stonith-enabled' value='false'/></cluster_property_set></crm_config><nodes><node id='a' uname='a'/><node "
      "id='b' uname='b'/></nodes><resources>" +
      cluster.resources + "</resources><constraints>" + cluster.constraints + "</constraints></configuration><status>" +
      up("a", cluster.on_a, cluster.attributes_a) + up("b", cluster.on_b, "") + "</status></cib>";
  auto document = cib::parse(xml, "test");
  EXPECT_TRUE(document) << document.error().text();
  if (!document) return {};
  const Plan made = plan({std::make_shared<const cib::Cib>(std::move(document->cib)), 1'000'000});
  Decisions lines;
  for (const detail::ActionId id : detail::in_graph_order(made.board())) {
    const detail::Action& action = made.board().action(id);
    if (action.pseudo || action.resource == detail::kNone) continue;
    lines.push_back(action.task + " " + made.board().resource(action.resource).id + " on " +
                    made.board().node(action.node).name);
  }
  return lines;
}

constexpr const char* kPromotable =
    "<clone id='c'><meta_attributes id='cm'><nvpair id='cm1' name='promotable' value='true'/></meta_attributes>"
    "<primitive id='p' class='ocf' provider='heartbeat' type='Dummy'><operations><op id='m' name='monitor' "
    "interval='10s' "
    "role='Promoted' on-fail='ON_FAIL'/></operations></primitive></clone>";

Failing promoted_that_failed(const std::string& on_fail) {
  Failing cluster;
  cluster.resources = kPromotable;
  cluster.resources.replace(cluster.resources.find("ON_FAIL"), 7, on_fail);
  cluster.attributes_a = "<nvpair id='s' name='master-p' value='10'/>";
  cluster.on_a = history("p", result("p", "promote", 1, 0, 0) + result("p", "monitor", 2, 9, 8, 10'000));
  cluster.on_b = history("p", result("p", "start", 1, 0, 0));
  return cluster;
}

TEST(Failures, OnFailDemoteDemotesAndPromotesWithoutAStop) {
  EXPECT_EQ(decisions(promoted_that_failed("demote")), (Decisions{"demote p:0 on a", "promote p:0 on a"}));
}

TEST(Failures, ARestartOfAPromotedResourceStopsIt) {
  const Decisions lines = decisions(promoted_that_failed("restart"));
  EXPECT_EQ(lines.front(), "demote p:0 on a");
  EXPECT_EQ(lines[1], "stop p:0 on a");
}

TEST(Failures, AProbeWhereNothingIsInstalledOnlyForbidsTheNode) {
  Failing cluster;
  cluster.resources = "<primitive id='web' class='ocf' provider='heartbeat' type='Dummy'/>";
  cluster.on_a = history("web", result("web", "monitor", 1, 5, 7));
  cluster.on_b = history("web", result("web", "monitor", 1, 7, 7));
  EXPECT_EQ(decisions(cluster), (Decisions{"start web on b"}));
}

TEST(Failures, AFailedMigrationToANodeWithoutHistoryIsNotRunningThere) {
  Failing cluster;
  cluster.resources = "<primitive id='vm' class='ocf' provider='heartbeat' type='Dummy'/>";
  const std::string places = "migrate_source='a' migrate_target='b'";
  cluster.on_a = history("vm", result("vm", "migrate_to", 1, 1, 0, 0, places) + result("vm", "start", 2, 0, 0));
  EXPECT_EQ(decisions(cluster), (Decisions{"monitor vm on b"}));
}

TEST(Failures, WhatMustBeWithSomethingThatCannotStartDoesNotStart) {
  const auto one = [](const std::string& id, const std::string& role) {
    return "<primitive id='" + id + "' class='ocf' provider='heartbeat' type='Dummy'><meta_attributes id='m" + id +
           "'><nvpair id='r" + id + "' name='target-role' value='" + role + "'/></meta_attributes></primitive>";
  };
  Failing cluster;
  cluster.resources = one("off", "Stopped") + one("base", "Started") + one("top", "Started");
  cluster.constraints =
      "<rsc_order id='o1' first='off' then='base'/><rsc_colocation id='c1' rsc='top' with-rsc='base' "
      "score='INFINITY'/>";
  for (const char* id : {"off", "base", "top"}) {
    cluster.on_a += history(id, result(id, "monitor", 1, 7, 7));
    cluster.on_b += history(id, result(id, "monitor", 1, 7, 7));
  }
  EXPECT_EQ(decisions(cluster), Decisions{});
}

TEST(Failures, AMandatoryColocationWithWhatIsStoppedForbidsThePromotion) {
  Failing cluster = promoted_that_failed("restart");
  cluster.on_a = history("p", result("p", "promote", 1, 0, 0)) + history("x", result("x", "monitor", 2, 7, 7));
  cluster.on_b += history("x", result("x", "monitor", 2, 7, 7));
  cluster.resources +=
      "<primitive id='x' class='ocf' provider='heartbeat' type='Dummy'><meta_attributes id='xm'><nvpair id='xr' "
      "name='target-role' value='Stopped'/></meta_attributes></primitive>";
  cluster.constraints = "<rsc_colocation id='co' rsc='c' rsc-role='Promoted' with-rsc='x' score='INFINITY'/>";
  EXPECT_EQ(decisions(cluster), (Decisions{"demote p:0 on a"}));
  cluster.constraints = "<rsc_colocation id='co' rsc='c' rsc-role='Promoted' with-rsc='x' score='100'/>";
  EXPECT_EQ(decisions(cluster), (Decisions{"monitor p:0 on a"}));
}

TEST(Failures, AFailCountThatIsBeingClearedDrivesNobodyAway) {
  Failing cluster;
  cluster.resources =
      "<primitive id='web' class='ocf' provider='heartbeat' type='Dummy'><meta_attributes id='m'><nvpair id='m1' "
      "name='failure-timeout' value='60s'/></meta_attributes></primitive>";
  cluster.constraints = "<rsc_location id='l' rsc='web' node='a' score='100'/>";
  cluster.attributes_a =
      "<nvpair id='f' name='fail-count-web#monitor_1000' value='INFINITY'/><nvpair id='l' "
      "name='last-failure-web#monitor_1000' value='1000'/>";
  cluster.on_a = history("web", result("web", "stop", 1, 0, 0, 0, "last-rc-change='1000'"));
  cluster.on_b = history("web", result("web", "monitor", 1, 7, 7));
  EXPECT_EQ(decisions(cluster), (Decisions{"clear_failcount web on a", "start web on a"}));
}

TEST(Failures, AnAgentThatIsMissingCannotBeIgnored) {
  Failing cluster;
  cluster.resources =
      "<primitive id='web' class='ocf' provider='heartbeat' type='Dummy'><operations><op id='m' name='monitor' "
      "interval='10s' on-fail='ignore'/></operations></primitive>";
  std::string failure = result("web", "monitor", 2, 5, 0, 10'000);
  failure.replace(failure.find("op-status='0'"), 13, "op-status='7'");
  cluster.on_a = history("web", result("web", "start", 1, 0, 0) + failure);
  cluster.on_b = history("web", result("web", "monitor", 1, 7, 7));
  EXPECT_EQ(decisions(cluster), (Decisions{"stop web on a", "start web on b", "monitor web on b"}));
}

}  // namespace
}  // namespace bascule::policy
