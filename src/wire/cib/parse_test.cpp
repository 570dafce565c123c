#include "wire/cib/parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::cib {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Parts {
  std::string config = {};
  std::string nodes = {};
  std::string resources = R"(<primitive id="a" class="ocf" provider="p" type="t"/>)";
  std::string constraints = {};
  std::string rest = {};  ///< of the configuration
  std::string status = {};
  std::string schema = "pacemaker-3.9";
};

std::string text_of(const Parts& parts) {
  return "<cib validate-with=\"" + parts.schema + "\" epoch=\"3\">\n<configuration>\n<crm_config>" + parts.config +
         "</crm_config>\n<nodes>" + parts.nodes + "</nodes>\n<resources>" + parts.resources +
         "</resources>\n<constraints>" + parts.constraints + "</constraints>\n" + parts.rest +
         "</configuration>\n<status>" + parts.status + "</status>\n</cib>\n";
}

Document read(const Parts& parts) {
  auto document = parse(text_of(parts), "cib.xml");
  EXPECT_TRUE(document) << (document ? "" : document.error().text());
  return document ? std::move(*document) : Document{};
}

std::string refusal(const Parts& parts) {
  const auto document = parse(text_of(parts), "cib.xml");
  return document ? "accepted" : document.error().text();
}

TEST(CibParse, UnknownsAreNoticedWithPathAndLine) {
  const Document document =
      read({.resources = "\n<primitive id=\"web\" class=\"ocf\" type=\"t\" colour=\"red\">\n<foo/></primitive>"});
  ASSERT_EQ(document.notices.size(), 2U);
  EXPECT_EQ(document.notices[0].text(),
            "line 6, cib/configuration/resources/primitive[web]/@colour: the attribute is unknown and has no effect");
  EXPECT_EQ(document.notices[1].text(),
            "line 7, cib/configuration/resources/primitive[web]/foo: the element is unknown and has no effect");
}

TEST(CibParse, TextIsNoticed) {
  const Document document = read({.resources = "hello"});
  ASSERT_EQ(document.notices.size(), 1U);
  EXPECT_THAT(document.notices[0].text(), HasSubstr("text is not expected"));
}

TEST(CibParse, WhatIsNotXmlIsAnErrorWithItsLine) {
  for (const char* text :
       {"", "hello", "<cib>\n", "<cib/><cib/>", "<foo/>", "<cib a='1' a='2'><configuration/></cib>"}) {
    const auto document = parse(text, "x.xml");
    ASSERT_FALSE(document) << text;
    EXPECT_THAT(document.error().text(), HasSubstr("x.xml cannot be used: line ")) << text;
  }
  const auto document = parse("<cib>\n<configuration>\n</cib>", "x.xml");
  ASSERT_FALSE(document);
  EXPECT_THAT(document.error().where, HasSubstr("line 3"));
  EXPECT_FALSE(parse(std::string_view("<cib/>\0", 7), "x.xml"));
}

TEST(CibParse, DeepNestingIsAnErrorNotACrash) {
  std::string rules;
  for (int i = 0; i < 100'000; ++i) rules += "<rule>";
  const auto document = parse("<cib><configuration>" + rules, "x.xml");
  EXPECT_FALSE(document);
  std::string closed = "<cib><configuration>" + rules;
  for (int i = 0; i < 100'000; ++i) closed += "</rule>";
  const auto deep = parse(closed + "</configuration></cib>", "x.xml");
  ASSERT_FALSE(deep);
  EXPECT_THAT(deep.error().text(), HasSubstr("nested"));
}

// Each of these crm_simulate refuses where a schema is named, and takes where none is.
TEST(CibParse, WhatTheSchemaRefusesIsAnError) {
  const std::string a = R"(<primitive id="a" class="ocf" type="t"/>)";
  const std::vector<std::pair<Parts, const char*>> cases = {
      {{.resources = a + "\n" + a}, "already that of the primitive in line 5"},
      {{.resources = R"(<primitive class="ocf" type="t"/>)"}, "\"id\" is missing"},
      {{.resources = R"(<primitive id="a" template="no"/>)"}, "there is no \"no\""},
      {{.resources = R"(<group id="g"/>)"}, "empty"},
      {{.config = R"(<cluster_property_set id="s"><nvpair id="n" value="1"/></cluster_property_set>)"},
       "\"name\" is missing"},
      {{.config = R"(<cluster_property_set id="s"><nvpair id-ref="x"/></cluster_property_set>)"},
       "there is no nvpair \"x\""},
      {{.config = R"(<cluster_property_set id-ref="x"/>)"}, "there is no cluster_property_set \"x\""},
      {{.constraints = R"(<rsc_location id="l" rsc="b" node="n" score="1"/>)"}, "there is no \"b\""},
      {{.constraints = R"(<rsc_order id="o" first="a"/>)"}, "two resources"},
      {{.constraints = R"(<rsc_location id="l" rsc="a"/>)"}, "neither a node nor a rule"},
      {{.constraints = R"(<rsc_location id="l" rsc="a" node="n"/>)"}, "\"score\" is missing"},
      {{.constraints = R"(<rsc_order id="o"><resource_set id="s"/></rsc_order>)"}, "the set is empty"},
      {{.constraints = R"(<rsc_location id="l" rsc="a"><rule id="r"/></rsc_location>)"}, "no conditions"},
      {{.rest = "<tags/><tags/>"}, "twice"},
  };
  for (auto [parts, why] : cases) {
    EXPECT_THAT(refusal(parts), HasSubstr(why));
    parts.schema = "none";
    const Document document = read(parts);
    ASSERT_FALSE(document.notices.empty()) << why;
    EXPECT_THAT(document.notices.front().text(), HasSubstr(why));
  }
}

TEST(CibParse, FollowsReferences) {
  const Document document = read({.resources = R"(
      <primitive id="a" class="ocf" type="t">
        <meta_attributes id="m"><nvpair id="n" name="priority" value="5"/></meta_attributes>
        <operations id="ops"><op id="op" name="monitor" interval="10s"/></operations>
      </primitive>
      <primitive id="b" class="ocf" type="t">
        <meta_attributes id-ref="m"/>
        <instance_attributes id="i"><nvpair id-ref="n" name="other"/><nvpair id-ref="n"/></instance_attributes>
        <operations id-ref="ops"/>
      </primitive>)"});
  EXPECT_TRUE(document.notices.empty());
  const Resource& b = document.cib.resources.at(1);
  ASSERT_EQ(b.meta.size(), 1U);
  EXPECT_EQ(b.meta[0].id, "m");
  EXPECT_EQ(b.meta[0].pairs.at(0).value, "5");
  EXPECT_EQ(b.parameters.at(0).pairs.at(0).name, "other");
  EXPECT_EQ(b.parameters.at(0).pairs.at(1).name, "priority");
  ASSERT_EQ(b.operations.size(), 1U);
  EXPECT_EQ(b.operations[0].interval, "10s");
}

TEST(CibParse, AReferenceToAReferenceGoesNowhere) {
  Parts parts{.resources = R"(<primitive id="a" class="ocf" type="t">
        <meta_attributes id="m" id-ref="k"/><meta_attributes id="k" id-ref="m"/></primitive>)"};
  EXPECT_THAT(refusal(parts), HasSubstr("itself a reference"));
  parts.schema = "none";
  EXPECT_EQ(read(parts).notices.size(), 2U);
}

TEST(CibParse, ReadsRules) {
  const Document document = read({.constraints = R"(
      <rsc_location id="l" rsc="a">
        <rule id="r" score="INFINITY" boolean-op="or" role="Promoted">
          <expression id="e" attribute="x" operation="eq" value="1" type="integer" value-source="meta"/>
          <rule id="r2"><date_expression id="d" operation="in_range" start="2020-01-01"><duration id="du" hours="3"/>
            </date_expression><date_expression id="d2" operation="date_spec"><date_spec id="ds" weekdays="1-5"/>
            </date_expression></rule>
          <rsc_expression id="re" class="ocf" type="t"/><op_expression id="oe" name="start" interval="0"/>
        </rule></rsc_location>)"});
  EXPECT_TRUE(document.notices.empty());
  const auto& location = std::get<LocationConstraint>(document.cib.constraints.at(0));
  const Rule& rule = location.rules.at(0);
  EXPECT_TRUE(rule.any);
  EXPECT_EQ(rule.score, "INFINITY");
  ASSERT_EQ(rule.conditions.size(), 4U);
  EXPECT_EQ(std::get<AttributeExpression>(rule.conditions[0]).value_source, "meta");
  const Rule& nested = rule.nested.at(std::get<NestedRule>(rule.conditions[1]).index);
  EXPECT_FALSE(nested.any);
  EXPECT_EQ(value_of(std::get<DateExpression>(nested.conditions.at(0)).duration, "hours"), "3");
  EXPECT_EQ(find(std::get<DateExpression>(nested.conditions.at(0)).duration, "id"), nullptr);
  EXPECT_EQ(value_of(std::get<DateExpression>(nested.conditions.at(1)).date_spec, "weekdays"), "1-5");
  EXPECT_EQ(std::get<ResourceExpression>(rule.conditions[2]).type, "t");
  EXPECT_EQ(std::get<OperationExpression>(rule.conditions[3]).name, "start");
}

TEST(CibParse, SeveralRulesOfASetBecomeOne) {
  const Document document =
      read({.config = R"(<cluster_property_set id="s"><rule id="r1"/><rule id="r2"/><rule id="r3"/>
      <nvpair id="n" name="x" value=""/><nvpair id="m" name="y"/></cluster_property_set>)",
            .schema = "none"});
  const NameValueSet& set = document.cib.properties.at(0);
  ASSERT_TRUE(set.rule);
  EXPECT_TRUE(set.rule->any);
  ASSERT_EQ(set.rule->nested.size(), 3U);
  EXPECT_EQ(set.rule->nested[2].id, "r3");
  ASSERT_EQ(set.pairs.size(), 1U);
  EXPECT_EQ(set.pairs[0].value, "");
}

TEST(CibParse, ReadsResourcesOfAllKinds) {
  const Document document = read({.resources = R"(
      <template id="t" class="ocf" type="x"/>
      <clone id="c"><group id="g"><primitive id="g1" template="t"/><primitive id="g2" class="systemd" type="u"/></group>
        <meta_attributes id="cm"/></clone>
      <master id="ma"><primitive id="mp" class="ocf" type="x"/></master>
      <bundle id="b"><podman image="i" replicas="2" masters="1"/>
        <network control-port="3121"><port-mapping id="pm" port="80"/></network>
        <storage><storage-mapping id="sm" source-dir="/a" target-dir="/b"/></storage>
        <primitive id="bp" class="ocf" type="x"/></bundle>)"});
  EXPECT_TRUE(document.notices.empty());
  const auto& resources = document.cib.resources;
  ASSERT_EQ(resources.size(), 4U);
  EXPECT_EQ(resources[0].kind, Resource::Kind::resource_template);
  EXPECT_EQ(resources[1].children.at(0).children.at(1).resource_class, "systemd");
  EXPECT_EQ(resources[2].kind, Resource::Kind::master);
  ASSERT_TRUE(resources[3].bundle);
  EXPECT_EQ(resources[3].bundle->runtime, "podman");
  EXPECT_EQ(value_of(resources[3].bundle->container, "masters"), "1");
  EXPECT_EQ(resources[3].bundle->ports.at(0).port, "80");
  EXPECT_EQ(resources[3].bundle->storage.at(0).source_dir, "/a");
  EXPECT_EQ(resources[3].children.at(0).id, "bp");
}

TEST(CibParse, ReadsConstraints) {
  const Document document = read({.constraints = R"(
      <rsc_colocation id="k" score="INFINITY"><resource_set id="s" sequential="false" role="Master">
        <resource_ref id="a"/></resource_set></rsc_colocation>
      <rsc_order id="o" first="a" then="a" first-action="promote" kind="Optional" symmetrical="false" require-all="0"/>
      <rsc_ticket id="t" rsc="a" rsc-role="Master" ticket="x" loss-policy="fence"/>
      <rsc_location id="l" rsc-pattern="^a" node="n" score="3" resource-discovery="never">
        <lifetime><rule id="lr"><date_expression id="d" operation="lt" end="2020-01-01"/></rule></lifetime>
      </rsc_location>)"});
  EXPECT_TRUE(document.notices.empty());
  const auto& constraints = document.cib.constraints;
  ASSERT_EQ(constraints.size(), 4U);
  const auto& set = std::get<ColocationConstraint>(constraints[0]).sets.at(0);
  EXPECT_EQ(set.sequential, false);
  EXPECT_THAT(set.resources, ElementsAre("a"));
  const auto& order = std::get<OrderConstraint>(constraints[1]);
  EXPECT_EQ(order.first_action, "promote");
  EXPECT_EQ(order.require_all, false);
  EXPECT_EQ(order.symmetrical, "false");
  EXPECT_EQ(std::get<TicketConstraint>(constraints[2]).resource_role, "Master");
  EXPECT_EQ(std::get<LocationConstraint>(constraints[3]).lifetime.size(), 1U);
  EXPECT_EQ(std::get<LocationConstraint>(constraints[3]).line, 11);
}

TEST(CibParse, ReadsStatus) {
  const Document document = read({.status = R"(
      <node_state id="1" uname="n1" in_ccm="true" crmd="online" join="member" expected="member">
        <transient_attributes id="1"><instance_attributes id="s"><nvpair id="x" name="probe_complete" value="true"/>
        </instance_attributes></transient_attributes>
        <lrm id="1"><lrm_resources><lrm_resource id="a" class="ocf" provider="p" type="t" shutdown-lock="17">
          <lrm_rsc_op id="a_last_0" operation="start" call-id="12" rc-code="5" op-status="4" interval="0"
            last-rc-change="1500000000" exec-time="33" transition-key="1:2:0:u" op-digest="d" exit-reason="no &lt;x&gt;"/>
          <lrm_rsc_op id="a_monitor_10000" operation="monitor" call-id="x" interval="-1"/>
        </lrm_resource></lrm_resources></lrm></node_state>
      <tickets><ticket_state id="t" granted="true" mood="good"/></tickets>)"});
  const NodeState& state = document.cib.node_states.at(0);
  EXPECT_EQ(state.transient_attributes.at(0).pairs.at(0).name, "probe_complete");
  const ResourceHistory& history = state.resources.at(0);
  EXPECT_EQ(history.shutdown_lock_s, 17);
  EXPECT_EQ(history.operations.at(0).rc, 5);
  EXPECT_EQ(history.operations[0].status, 4);
  EXPECT_EQ(history.operations[0].call_id, 12);
  EXPECT_EQ(history.operations[0].last_change_s, 1500000000);
  EXPECT_TRUE(history.operations[0].has_last_change);
  EXPECT_EQ(history.operations[0].exit_reason, "no <x>");
  EXPECT_EQ(history.operations.at(1).call_id, -1);
  EXPECT_EQ(value_of(document.cib.tickets.at(0).attributes, "mood"), "good");
  ASSERT_EQ(document.notices.size(), 2U);
  EXPECT_THAT(document.notices[0].path, HasSubstr("lrm_rsc_op[a_monitor_10000]/@call-id"));
}

TEST(CibParse, ReadsTagsLevelsAlertsAndAcls) {
  const Document document = read({.rest = R"(
      <tags><tag id="web"><obj_ref id="a"/></tag></tags>
      <fencing-topology><fencing-level id="f" target="n1" index="2" devices="x,y"/></fencing-topology>
      <alerts><alert id="al" path="/p"><select><select_nodes/><select_attributes><attribute id="sa" name="ping"/>
        </select_attributes></select><recipient id="re" value="v"/></alert></alerts>
      <acls><acl_role id="ro"><acl_permission id="pe" kind="read" xpath="/cib"/></acl_role>
        <acl_target id="u"><role id="ro"/></acl_target></acls>)"});
  EXPECT_TRUE(document.notices.empty());
  EXPECT_THAT(document.cib.tags.at(0).references, ElementsAre("a"));
  EXPECT_THAT(document.cib.fencing_levels.at(0).devices, ElementsAre("x", "y"));
  EXPECT_EQ(document.cib.fencing_levels[0].index, 2);
  EXPECT_THAT(document.cib.alerts.at(0).kinds, ElementsAre("select_nodes", "select_attributes"));
  EXPECT_THAT(document.cib.alerts[0].attributes, ElementsAre("ping"));
  EXPECT_EQ(document.cib.acl_roles.at(0).permissions.at(0).kind, "read");
  EXPECT_THAT(document.cib.acl_subjects.at(0).roles, ElementsAre("ro"));
}

}  // namespace
}  // namespace bascule::cib
