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

std::vector<std::string> lines_of(const std::string& resources, const std::string& histories) {
  const std::string xml =
      "<cib have-quorum='1'><configuration><crm_config><cluster_property_set id='o'><nvpair id='o1' "
      "name='stonith-enabled' value='false'/></cluster_property_set></crm_config><nodes><node id='a' "
      "uname='a'/></nodes><resources>" +
      resources +
      "</resources><constraints/></configuration><status><node_state id='a' uname='a' in_ccm='true' crmd='online' "
      "join='member' expected='member'><lrm id='a'><lrm_resources>" +
      histories + "</lrm_resources></lrm></node_state></status></cib>";
  auto document = cib::parse(xml, "test");
  EXPECT_TRUE(document) << document.error().text();
  if (!document) return {};
  const policy::Plan plan = policy::plan({std::make_shared<const cib::Cib>(document->cib), 1'000'000});
  return execute(plan, document->cib).lines;
}

TEST(FiringOrder, EachRoundGoesThroughAllResourcesAndThoseActionsFirstThatWerePlannedLast) {
  // A monitor stands before the start that it waits for, so its turn comes in the next round.
  EXPECT_EQ(lines_of(with_monitor("x") + with_monitor("y"), not_running("x") + not_running("y")),
            (std::vector<std::string>{"Resource action: x               start on a",
                                      "Resource action: y               start on a",
                                      "Resource action: x               monitor=10000 on a",
                                      "Resource action: y               monitor=10000 on a"}));
}

TEST(FiringOrder, ACloneStandsBehindItsInstances) {
  // So the start of an instance, which waits for the clone's, has its turn in the next round.
  EXPECT_EQ(lines_of("<clone id='c'>" + with_monitor("x") + "</clone>" + with_monitor("y"),
                     not_running("x") + not_running("y")),
            (std::vector<std::string>{"Pseudo action:   c_start_0", "Resource action: y               start on a",
                                      "Resource action: x               start on a", "Pseudo action:   c_running_0",
                                      "Resource action: y               monitor=10000 on a",
                                      "Resource action: x               monitor=10000 on a"}));
}

std::string result_of(const std::string& id, int call, const std::string& entry, int rc, const std::string& digest) {
  return "<lrm_rsc_op id='" + id + "_" + entry + "' operation='start' operation_key='" + id +
         "_start_0' interval='0' call-id='" + std::to_string(call) + "' op-status='" + (rc == 0 ? "0" : "4") +
         "' rc-code='" + std::to_string(rc) + "' op-digest='" + digest + "' transition-key='1:1:0:u'/>";
}

TEST(FiringOrder, AnInstanceTooManyHasTheNameOfItsHistory) {
  const std::string none = "f2317cad3d54cec5d7d7aa7d0bf35cf8";
  const auto history = [](const std::string& id, const std::string& results) {
    return "<lrm_resource id='" + id + "' class='ocf' provider='heartbeat' type='Dummy'>" + results + "</lrm_resource>";
  };
  EXPECT_EQ(lines_of("<clone id='c'><meta_attributes id='m'><nvpair id='n' name='clone-max' value='1'/>"
                     "</meta_attributes><primitive id='x' class='ocf' provider='heartbeat' type='Dummy'/></clone>",
                     history("x:0", result_of("x:0", 1, "last_0", 0, none)) +
                         history("x:3", result_of("x:3", 2, "last_failure_0", 1, std::string(32, '0')) +
                                            result_of("x:3", 3, "last_0", 0, none))),
            (std::vector<std::string>{"Cluster action:  clear_failcount for x:3 on a", "Pseudo action:   c_stop_0",
                                      "Resource action: x:3             stop on a", "Pseudo action:   c_stopped_0"}));
}

}  // namespace
}  // namespace bascule::simulate
