// Small clusters, as CIBs: what is to be done.
#include "core/policy/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/policy/board.h"
#include "core/policy/graph.h"
#include "wire/cib/parse.h"

namespace bascule::policy {
namespace {

using Lines = std::vector<std::string>;

/// Two nodes, a and b; `state_a` and `state_b` are what stands in their lrm_resources.
struct WrittenCluster {
  std::string properties = R"(<nvpair id="p1" name="stonith-enabled" value="false"/>)";
  std::string resources;
  std::string constraints;
  std::string state_a;
  std::string state_b;
  bool b_is_up = true;
  bool quorum = true;

  [[nodiscard]] static std::string state(const char* name, const std::string& resources, bool up) {
    const std::string status = up ? R"(in_ccm="true" crmd="online" join="member" expected="member")"
                                  : R"(in_ccm="false" crmd="offline" join="down" expected="member")";
    return std::string("<node_state id=\"") + name + "\" uname=\"" + name + "\" " + status + "><lrm id=\"" + name +
           "\"><lrm_resources>" + resources + "</lrm_resources></lrm></node_state>";
  }
  [[nodiscard]] std::string xml() const {
    return std::string("<cib have-quorum=\"") + (quorum ? "1" : "0") +
           R"("><configuration><crm_config><cluster_property_set id="cib-bootstrap-options">)" + properties +
           R"(</cluster_property_set></crm_config><nodes><node id="a" uname="a"/><node id="b" uname="b"/></nodes><resources>)" +
           resources + "</resources><constraints>" + constraints + "</constraints></configuration><status>" +
           state("a", state_a, true) + state("b", state_b, b_is_up) + "</status></cib>";
  }
};

std::string primitive(const std::string& id) {
  return "<primitive id=\"" + id + R"(" class="ocf" provider="heartbeat" type="Dummy"/>)";
}

std::string recorded(const std::string& id, const char* task, int rc) {
  const std::string code = std::to_string(rc);
  return "<lrm_resource id=\"" + id + R"(" class="ocf" provider="heartbeat" type="Dummy"><lrm_rsc_op id=")" + id +
         R"(_last_0" operation=")" + task + "\" operation_key=\"" + id + "_" + task +
         R"(_0" interval="0" call-id="1" op-digest="f2317cad3d54cec5d7d7aa7d0bf35cf8" op-status="0" rc-code=")" + code +
         R"(" transition-key="1:1:)" + code + ":u\" transition-magic=\"0:" + code + ";1:1:" + code +
         ":u\"/></lrm_resource>";
}
std::string running(const std::string& id) { return recorded(id, "start", 0); }
std::string stopped(const std::string& id) { return recorded(id, "monitor", 7); }

/// "start web on a", without points in time, in an order that the plan allows.
Lines decided(const WrittenCluster& cluster) {
  auto document = cib::parse(cluster.xml(), "test");
  EXPECT_TRUE(document) << document.error().text();
  if (!document) return {};
  const Plan made = plan({std::make_shared<const cib::Cib>(std::move(document->cib)), 1'000'000});
  Lines lines;
  for (const detail::ActionId id : detail::in_graph_order(made.board())) {
    const detail::Action& action = made.board().action(id);
    if (action.pseudo) continue;
    const std::string what = action.resource == detail::kNone ? "" : " " + made.board().resource(action.resource).id;
    lines.push_back(action.task + what + " on " + made.board().node(action.node).name);
  }
  return lines;
}

TEST(Plan, WhatIsUnknownIsProbedBeforeItIsStarted) {
  WrittenCluster cluster;
  cluster.resources = primitive("web");
  EXPECT_EQ(decided(cluster), (Lines{"monitor web on a", "monitor web on b", "start web on a"}));
}

TEST(Plan, WhatRunsWhereItShouldIsLeftAlone) {
  WrittenCluster cluster;
  cluster.resources = primitive("web");
  cluster.state_a = running("web");
  cluster.state_b = stopped("web");
  EXPECT_EQ(decided(cluster), Lines{});
}

TEST(Plan, ALostNodeIsFencedBeforeItsResourceStartsElsewhere) {
  WrittenCluster cluster;
  cluster.properties = "";
  cluster.resources = primitive("web") + R"(<primitive id="fence" class="stonith" type="fence_x"/>)";
  cluster.state_a = stopped("web");
  cluster.state_b = running("web");
  cluster.constraints = R"(<rsc_location id="l" rsc="fence" node="a" score="-INFINITY" resource-discovery="never"/>)";
  cluster.b_is_up = false;
  EXPECT_EQ(decided(cluster), (Lines{"stonith on b", "start web on a"}));
}

TEST(Plan, WithoutQuorumEverythingStops) {
  WrittenCluster cluster;
  cluster.resources = primitive("web");
  cluster.state_a = running("web");
  cluster.state_b = stopped("web");
  cluster.quorum = false;
  EXPECT_EQ(decided(cluster), Lines{"stop web on a"});
}

TEST(Plan, AGroupStartsInItsOrderOnOneNode) {
  WrittenCluster cluster;
  cluster.resources = "<group id=\"g\">" + primitive("disk") + primitive("web") + "</group>";
  cluster.state_a = stopped("disk") + stopped("web");
  cluster.state_b = cluster.state_a;
  cluster.constraints = R"(<rsc_location id="l" rsc="g" node="b" score="10"/>)";
  EXPECT_EQ(decided(cluster), (Lines{"start disk on b", "start web on b"}));
}

TEST(Plan, WhatIsKeptTogetherMovesTogether) {
  WrittenCluster cluster;
  cluster.resources = primitive("disk") + primitive("web");
  cluster.state_a = running("disk") + running("web");
  cluster.state_b = stopped("disk") + stopped("web");
  cluster.constraints = R"(<rsc_location id="l" rsc="disk" node="b" score="INFINITY"/>)"
                        R"(<rsc_colocation id="c" rsc="web" with-rsc="disk" score="INFINITY"/>)"
                        R"(<rsc_order id="o" first="disk" then="web"/>)";
  EXPECT_EQ(decided(cluster), (Lines{"stop web on a", "stop disk on a", "start disk on b", "start web on b"}));
}

TEST(Plan, ACloneRunsOnEachNode) {
  WrittenCluster cluster;
  cluster.resources = "<clone id=\"c\">" + primitive("ping") + "</clone>";
  cluster.state_a = running("ping");
  cluster.state_b = stopped("ping");
  EXPECT_EQ(decided(cluster), Lines{"start ping:1 on b"});
}

TEST(Plan, TwoPlansOfOneSnapshotAreTheSame) {
  WrittenCluster cluster;
  cluster.resources = "<clone id=\"c\">" + primitive("ping") + "</clone>" + primitive("web") + primitive("disk");
  EXPECT_EQ(decided(cluster), decided(cluster));
}

}  // namespace
}  // namespace bascule::policy
