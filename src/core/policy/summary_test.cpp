// What a plan changes, one line for each resource, and where scores come from.
#include "core/policy/summary.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/policy/plan.h"
#include "wire/cib/parse.h"

namespace bascule::policy::detail {
namespace {

using Lines = std::vector<std::string>;

std::string dummy(const std::string& id, const std::string& inside = "") {
  return "<primitive id=\"" + id + R"(" class="ocf" provider="heartbeat" type="Dummy">)" + inside + "</primitive>";
}

std::string history(const std::string& id, const char* task, int rc, int call) {
  const std::string code = std::to_string(rc);
  return "<lrm_resource id=\"" + id + R"(" class="ocf" provider="heartbeat" type="Dummy"><lrm_rsc_op id=")" + id +
         R"(_last_0" operation=")" + task + "\" operation_key=\"" + id + "_" + task + R"(_0" interval="0" call-id=")" +
         std::to_string(call) + R"(" op-digest="f2317cad3d54cec5d7d7aa7d0bf35cf8" op-status="0" rc-code=")" + code +
         "\" transition-key=\"1:1:" + code + ":u\" transition-magic=\"0:" + code + ";1:1:" + code +
         ":u\"/></lrm_resource>";
}

struct Told {
  std::string resources, constraints, on_a, on_b, standby_a = "false", extra_properties;

  [[nodiscard]] std::string xml() const {
    const auto state = [](const char* name, const std::string& inside) {
      return std::string("<node_state id=\"") + name + "\" uname=\"" + name +
             R"(" in_ccm="true" crmd="online" join="member" expected="member"><lrm id=")" + name +
             "\"><lrm_resources>" + inside + "</lrm_resources></lrm></node_state>";
    };
    return R"(<cib have-quorum="1"><configuration><crm_config><cluster_property_set id="cib-bootstrap-options">)"
           R"(<nvpair id="p1" name="stonith-enabled" value="false"/>)" +
           extra_properties +
           R"(</cluster_property_set></crm_config><nodes><node id="a" uname="a"><instance_attributes id="i">)"
           R"(<nvpair id="n" name="standby" value=")" +
           standby_a + R"("/></instance_attributes></node><node id="b" uname="b"/></nodes><resources>)" + resources +
           "</resources><constraints>" + constraints + "</constraints></configuration><status>" + state("a", on_a) +
           state("b", on_b) + "</status></cib>";
  }
  [[nodiscard]] Plan planned() const {
    auto document = cib::parse(xml(), "test");
    EXPECT_TRUE(document) << document.error().text();
    return plan({std::make_shared<const cib::Cib>(std::move(document->cib)), 1'000'000, true});
  }
};

Lines changes(const Plan& plan) {
  Lines lines;
  const Board& board = plan.board();
  for (const Change& change : summarize(board)) {
    std::string line = name_of(change.verb);
    if (change.resource != kNone) line += " " + board.resource(change.resource).id;
    if (change.from != kNone) line += " from " + board.node(change.from).name;
    if (change.to != kNone) line += " to " + board.node(change.to).name;
    if (!change.reason.empty()) line += ": " + change.reason;
    lines.push_back(line);
  }
  return lines;
}

TEST(Summary, WhatStartsWithNothingBeforeItNeedsNoReason) {
  Told told;
  told.resources = dummy("web");
  EXPECT_EQ(changes(told.planned()), Lines{"Start web to a"});
}

TEST(Summary, AStandbyNodeLosesWhatItRan) {
  Told told;
  told.resources = dummy("web");
  told.on_a = history("web", "start", 0, 1);
  told.on_b = history("web", "monitor", 7, 1);
  told.standby_a = "true";
  EXPECT_EQ(changes(told.planned()), Lines{"Move web from a to b"});
}

TEST(Summary, WhatMayRunNowhereStopsForWantOfANode) {
  Told told;
  told.resources = dummy("web");
  told.on_a = history("web", "start", 0, 1);
  told.constraints = R"(<rsc_location id="la" rsc="web" node="a" score="-INFINITY"/>)"
                     R"(<rsc_location id="lb" rsc="web" node="b" score="-INFINITY"/>)";
  EXPECT_EQ(changes(told.planned()), Lines{"Stop web from a: node availability"});
}

TEST(Summary, WhatFollowsFromAnotherNamesIt) {
  Told told;
  told.resources = dummy("disk") + dummy("web");
  told.on_a = history("disk", "start", 0, 1) + history("web", "start", 0, 2);
  told.on_b = history("disk", "monitor", 7, 1) + history("web", "monitor", 7, 2);
  told.constraints = R"(<rsc_location id="l" rsc="disk" node="b" score="INFINITY"/>)"
                     R"(<rsc_location id="w" rsc="web" node="a" score="INFINITY"/>)"
                     R"(<rsc_order id="o" first="disk" then="web"/>)";
  EXPECT_EQ(changes(told.planned()), (Lines{"Move disk from a to b", "Restart web from a to a: required disk start"}));
}

TEST(Summary, ANodeIsSwitchedOnForWhatNeedsItFirst) {
  Told told;
  told.extra_properties = R"(<nvpair id="p2" name="stonith-enabled" value="true"/>)";
  told.resources = R"(<primitive id="fence" class="stonith" type="fence_x"><meta_attributes id="m">)"
                   R"(<nvpair id="u" name="provides" value="unfencing"/></meta_attributes></primitive>)" +
                   dummy("web");
  told.on_a = told.on_b = history("web", "monitor", 7, 1);
  const Lines lines = changes(told.planned());
  ASSERT_FALSE(lines.empty());
  EXPECT_NE(lines[0].find("required by fence monitor"), std::string::npos) << lines[0];
}

// ---- scores ---------------------------------------------------------------------------------------------------------

Lines summands(const Plan& plan, const char* resource, const char* node) {
  Lines lines;
  const Board& board = plan.board();
  for (const Contribution& each : board.ledger->of(board.find_resource(resource), board.find_node(node)))
    lines.push_back(text_of(each.score) + " " + each.text);
  return lines;
}

TEST(Ledger, KeepsEachSummandInItsOrder) {
  Told told;
  told.resources = dummy("web", R"(<meta_attributes id="m"><nvpair id="s" name="resource-stickiness" value="7"/>)"
                                R"(</meta_attributes>)") +
                   dummy("cache");
  told.on_a = history("web", "start", 0, 1);
  told.constraints = R"(<rsc_location id="likes" rsc="web" node="a" score="50"/>)"
                     R"(<rsc_location id="cache-likes" rsc="cache" node="a" score="30"/>)"
                     R"(<rsc_colocation id="near" rsc="cache" with-rsc="web" score="INFINITY"/>)";
  EXPECT_EQ(summands(told.planned(), "web", "a"), (Lines{"50 likes", "7 ", "30 near"}));
  EXPECT_EQ(summands(told.planned(), "cache", "b"), Lines{"-INFINITY near"});
}

TEST(Ledger, WithoutExplanationsThereIsNone) {
  auto document = cib::parse(Told{}.xml(), "test");
  ASSERT_TRUE(document);
  EXPECT_EQ(plan({std::make_shared<const cib::Cib>(std::move(document->cib)), 1, false}).board().ledger, nullptr);
}

}  // namespace
}  // namespace bascule::policy::detail
