// What stands in the status once a plan has been carried out on paper.
#include "edge/simulate/execute.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "wire/cib/parse.h"

namespace bascule::simulate {
namespace {

constexpr const char* kMoves = R"(<cib have-quorum="1"><configuration>
  <crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>
  <nodes><node id="a" uname="a"/><node id="b" uname="b"/></nodes>
  <resources><primitive id="r" class="ocf" provider="heartbeat" type="Dummy">
    <meta_attributes id="m"><nvpair id="m1" name="allow-migrate" value="true"/></meta_attributes></primitive></resources>
  <constraints><rsc_location id="l" rsc="r" node="a" score="-INFINITY"/></constraints></configuration>
  <status><node_state id="a" uname="a" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="a"><lrm_resources>
    <lrm_resource id="r" class="ocf" provider="heartbeat" type="Dummy"><lrm_rsc_op id="r_last_0" operation="start"
      operation_key="r_start_0" interval="0" call-id="1" op-status="0" rc-code="0" transition-key="1:1:0:u"/></lrm_resource>
    </lrm_resources></lrm></node_state>
  <node_state id="b" uname="b" in_ccm="true" crmd="online" join="member" expected="member"/></status></cib>)";

const cib::OperationResult* find(const cib::Cib& cib, const std::string& node, const std::string& operation) {
  for (const cib::NodeState& state : cib.node_states)
    for (const cib::ResourceHistory& history : state.resources)
      for (const cib::OperationResult& each : history.operations)
        if (state.name == node && each.operation == operation) return &each;
  return nullptr;
}

// If its stop at the source never comes about, only these say that the resource is at the target alone.
TEST(Execute, BothSidesOfAMigrationAreRecordedWithBothItsEnds) {
  auto document = cib::parse(kMoves, "test");
  ASSERT_TRUE(document) << document.error().text();
  const policy::Plan plan = policy::plan({std::make_shared<const cib::Cib>(document->cib), 1'000'000});
  const Execution done = execute(plan, document->cib);
  const cib::OperationResult* to = find(done.after, "a", "migrate_to");
  const cib::OperationResult* from = find(done.after, "b", "migrate_from");
  ASSERT_NE(to, nullptr);
  ASSERT_NE(from, nullptr);
  for (const cib::OperationResult* each : {to, from}) {
    EXPECT_EQ(each->migrate_source, "a");
    EXPECT_EQ(each->migrate_target, "b");
  }
}

}  // namespace
}  // namespace bascule::simulate
