// Remote nodes, guest nodes and bundles, as CIBs: what is to be done.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/policy/board.h"
#include "core/policy/graph.h"
#include "core/policy/plan.h"
#include "wire/cib/parse.h"

namespace bascule::policy {
namespace {

using Steps = std::vector<std::string>;

/// One result of an operation of ocf:heartbeat:Dummy or whatever `type` says.
std::string history(const std::string& id, const char* task, int rc, int expected, const std::string& type) {
  const std::string key = "1:1:" + std::to_string(expected) + ":u";
  return "<lrm_resource id=\"" + id + "\" class=\"ocf\" provider=\"pacemaker\" type=\"" + type +
         "\"><lrm_rsc_op id=\"" + id + "_last_0\" operation=\"" + task + "\" operation_key=\"" + id + "_" + task +
         R"(_0" interval="0" call-id="1" op-digest="f2317cad3d54cec5d7d7aa7d0bf35cf8" op-status="0" rc-code=")" +
         std::to_string(rc) + "\" transition-key=\"" + key + "\" transition-magic=\"0:" + std::to_string(rc) + ";" +
         key + "\"/></lrm_resource>";
}

std::string node_status(const std::string& name, bool up, const std::string& histories) {
  const std::string status = up ? R"(in_ccm="true" crmd="online" join="member" expected="member")"
                                : R"(in_ccm="false" crmd="offline" join="down" expected="member")";
  return "<node_state id=\"" + name + "\" uname=\"" + name + "\" " + status + "><lrm id=\"" + name +
         "\"><lrm_resources>" + histories + "</lrm_resources></lrm></node_state>";
}

std::string remote_status(const std::string& name, const std::string& histories) {
  return "<node_state id=\"" + name + "\" uname=\"" + name + R"(" remote_node="true"><lrm id=")" + name +
         "\"><lrm_resources>" + histories + "</lrm_resources></lrm></node_state>";
}

std::string document(const std::string& properties, const std::string& nodes, const std::string& resources,
                     const std::string& status) {
  return R"(<cib have-quorum="1"><configuration><crm_config><cluster_property_set id="cib-bootstrap-options">)" +
         properties + "</cluster_property_set></crm_config><nodes>" + nodes + "</nodes><resources>" + resources +
         "</resources><constraints/></configuration><status>" + status + "</status></cib>";
}

constexpr const char* no_fencing = R"(<nvpair id="p1" name="stonith-enabled" value="false"/>)";
constexpr const char* node_a = R"(<node id="a" uname="a"/>)";
constexpr const char* nodes_a_and_b = R"(<node id="a" uname="a"/><node id="b" uname="b"/>)";

/// "start web on a", without points in time, in an order that the plan allows.
Steps planned(const std::string& xml) {
  auto read = cib::parse(xml, "test");
  EXPECT_TRUE(read) << read.error().text();
  if (!read) return {};
  const Plan made = plan({std::make_shared<const cib::Cib>(std::move(read->cib)), 1'000'000});
  Steps steps;
  for (const detail::ActionId id : detail::in_graph_order(made.board())) {
    const detail::Action& action = made.board().action(id);
    if (action.pseudo) continue;
    const std::string what = action.resource == detail::kNone ? "" : " " + made.board().resource(action.resource).id;
    const std::string every = action.interval_ms == 0 ? "" : "=" + std::to_string(action.interval_ms);
    steps.push_back(action.task + every + what + " on " + made.board().node(action.node).name);
  }
  return steps;
}

bool comes_before(const Steps& steps, const std::string& first, const std::string& then) {
  const auto one = std::find(steps.begin(), steps.end(), first);
  const auto other = std::find(steps.begin(), steps.end(), then);
  return one != steps.end() && other != steps.end() && one < other;
}

constexpr const char* far_and_web = R"(<primitive id="far" class="ocf" provider="pacemaker" type="remote"/>
  <primitive id="web" class="ocf" provider="pacemaker" type="Dummy"/>)";

TEST(RemoteNodes, NothingHappensThereBeforeTheConnectionStands) {
  const Steps steps = planned(document(no_fencing, node_a, far_and_web, node_status("a", true, "")));
  EXPECT_TRUE(comes_before(steps, "start far on a", "monitor web on far")) << ::testing::PrintToString(steps);
}

TEST(RemoteNodes, AConnectionThatStopsWaitsForWhatRunsBehindIt) {
  const std::string stopped =
      R"(<primitive id="far" class="ocf" provider="pacemaker" type="remote"><meta_attributes id="m">
    <nvpair id="t" name="target-role" value="Stopped"/></meta_attributes></primitive>
    <primitive id="web" class="ocf" provider="pacemaker" type="Dummy"/>)";
  const std::string status =
      node_status("a", true, history("far", "start", 0, 0, "remote") + history("web", "monitor", 7, 7, "Dummy")) +
      remote_status("far", history("web", "start", 0, 0, "Dummy"));
  EXPECT_EQ(planned(document(no_fencing, node_a, stopped, status)),
            (Steps{"stop web on far", "stop far on a", "start web on a"}));
}

TEST(RemoteNodes, AGuestNodeIsReachedOnceItsContainerRuns) {
  const std::string machine = R"(<primitive id="vm" class="ocf" provider="heartbeat" type="VirtualDomain">
    <meta_attributes id="m"><nvpair id="n" name="remote-node" value="guest"/></meta_attributes></primitive>)";
  const std::string status = node_status("a", true, history("vm", "monitor", 7, 7, "VirtualDomain"));
  const Steps steps = planned(document(no_fencing, node_a, machine, status));
  EXPECT_TRUE(comes_before(steps, "start vm on a", "start guest on a")) << ::testing::PrintToString(steps);
  EXPECT_TRUE(comes_before(steps, "start guest on a", "monitor=30000 guest on a"));
}

constexpr const char* bundle = R"(<bundle id="b"><podman image="i" replicas="2"/>
  <network control-port="9999"/><primitive id="web" class="ocf" provider="pacemaker" type="Dummy"/></bundle>)";

TEST(RemoteNodes, ABundleSpreadsItsContainersAndStartsWhatIsInside) {
  const std::string status = node_status("a", true, "") + node_status("b", true, "");
  const Steps steps = planned(document(no_fencing, nodes_a_and_b, bundle, status));
  EXPECT_TRUE(comes_before(steps, "start b-podman-0 on a", "start b-0 on a")) << ::testing::PrintToString(steps);
  EXPECT_TRUE(comes_before(steps, "start b-0 on a", "start web:0 on b-0"));
  EXPECT_TRUE(comes_before(steps, "start b-1 on b", "start web:1 on b-1"));
}

TEST(RemoteNodes, ANodeThatWasNeverSwitchedOnIsUnfencedFirst) {
  const std::string resources = R"(<primitive id="fence" class="stonith" type="fence_x"><meta_attributes id="m">
    <nvpair id="n" name="provides" value="unfencing"/></meta_attributes></primitive>
    <primitive id="web" class="ocf" provider="pacemaker" type="Dummy"/>)";
  const Steps steps = planned(document("", node_a, resources, node_status("a", true, "")));
  EXPECT_TRUE(comes_before(steps, "stonith on a", "start web on a")) << ::testing::PrintToString(steps);
}

}  // namespace
}  // namespace bascule::policy
