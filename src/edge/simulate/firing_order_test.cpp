// In which order crm_simulate does what a plan asks for.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/policy/plan.h"
#include "edge/simulate/execute.h"
#include "wire/cib/parse.h"

namespace bascule::simulate {
namespace {

std::string with_monitor(const std::string& id) {
  return "<primitive id='" + id + "' class='ocf' provider='heartbeat' type='Dummy'><operations><op id='" + id +
         "-m' name='monitor' interval='10s'/></operations></primitive>";
}

std::string not_running(const std::string& id) {
  return "<lrm_resource id='" + id + "' class='ocf' provider='heartbeat' type='Dummy'><lrm_rsc_op id='" + id +
         "_last_0' operation='monitor' operation_key='" + id +
         "_monitor_0' interval='0' call-id='1' op-status='0' rc-code='7' transition-key='1:1:7:u'/></lrm_resource>";
}

TEST(FiringOrder, EachRoundGoesThroughAllResourcesAndThoseActionsFirstThatWerePlannedLast) {
  const std::string xml =
      "<cib have-quorum='1'><configuration><crm_config><cluster_property_set id='o'><nvpair id='o1' "
      "name='stonith-enabled' value='false'/></cluster_property_set></crm_config><nodes><node id='a' "
      "uname='a'/></nodes><resources>" +
      with_monitor("x") + with_monitor("y") +
      "</resources><constraints/></configuration><status><node_state id='a' uname='a' in_ccm='true' crmd='online' "
      "join='member' expected='member'><lrm id='a'><lrm_resources>" +
      not_running("x") + not_running("y") + "</lrm_resources></lrm></node_state></status></cib>";
  auto document = cib::parse(xml, "test");
  ASSERT_TRUE(document) << document.error().text();
  const policy::Plan plan = policy::plan({std::make_shared<const cib::Cib>(document->cib), 1'000'000});
  // A monitor stands before the start that it waits for, so its turn comes in the next round.
  EXPECT_EQ(execute(plan, document->cib).lines,
            (std::vector<std::string>{"Resource action: x               start on a",
                                      "Resource action: y               start on a",
                                      "Resource action: x               monitor=10000 on a",
                                      "Resource action: y               monitor=10000 on a"}));
}

}  // namespace
}  // namespace bascule::simulate
