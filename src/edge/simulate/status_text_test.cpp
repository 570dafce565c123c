// What the status says of nodes and resources, in small clusters.
#include "edge/simulate/status_text.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "core/policy/plan.h"
#include "wire/cib/parse.h"

namespace bascule::simulate {
namespace {

/// Nodes a and b with fencing; `states` stands in the status section.
struct Observed {
  std::string properties;
  std::string attributes_of_a;
  std::string resources;
  std::string states;
  std::string defaults = "";
};

std::string pair(const std::string& name, const std::string& value) {
  return "<nvpair id='" + name + value + "' name='" + name + "' value='" + value + "'/>";
}

std::string state(const std::string& name, const std::string& histories, bool up = true,
                  const std::string& expected = "member") {
  return "<node_state id='" + name + "' uname='" + name + "' " +
         (up ? "in_ccm='true' crmd='online' join='member'" : "in_ccm='false' crmd='offline' join='down'") +
         " expected='" + expected + "'><lrm id='" + name + "'><lrm_resources>" + histories +
         "</lrm_resources></lrm></node_state>";
}

std::string history(const std::string& id, const std::string& task, int rc, int expected, int status = 0) {
  return "<lrm_resource id='" + id + "' class='ocf' provider='pacemaker' type='Stateful'><lrm_rsc_op id='" + id +
         "_last_0' operation='" + task + "' operation_key='" + id + "_" + task + "_0' interval='0' call-id='" +
         (status < 0 ? "-1" : "5") + "' op-status='" + std::to_string(status) + "' rc-code='" + std::to_string(rc) +
         "' transition-key='1:1:" + std::to_string(expected) + ":u'/></lrm_resource>";
}

std::string primitive(const std::string& id, const std::string& inside = "") {
  return "<primitive id='" + id + "' class='ocf' provider='pacemaker' type='Stateful'>" + inside + "</primitive>";
}

std::string meta(const std::string& id, const std::string& pairs) {
  return "<meta_attributes id='" + id + "'>" + pairs + "</meta_attributes>";
}

std::string text_of(const Observed& cluster) {
  const std::string xml =
      "<cib have-quorum='1'><configuration><crm_config><cluster_property_set id='o'>" + cluster.properties +
      "</cluster_property_set></crm_config><nodes><node id='a' uname='a'><instance_attributes id='i'>" +
      cluster.attributes_of_a + "</instance_attributes></node><node id='b' uname='b'/></nodes><resources>" +
      "<primitive id='f' class='stonith' type='x'/>" + cluster.resources + "</resources><constraints/>" +
      cluster.defaults + "</configuration><status>" + cluster.states + "</status></cib>";
  auto document = cib::parse(xml, "test");
  EXPECT_TRUE(document) << document.error().text();
  if (!document) return "";
  const policy::Plan seen = policy::observe({std::make_shared<const cib::Cib>(std::move(document->cib)), 1'000'000});
  return status_text(seen.board());
}

bool says(const std::string& text, const std::string& line) { return text.find("* " + line + "\n") != text.npos; }

TEST(StatusText, HealthFollowsWhateverTheNodeIs) {
  Observed cluster{pair("node-health-strategy", "custom"), pair("#health-disk", "red"), "",
                   state("a", "", false, "down") + state("b", "")};
  EXPECT_TRUE(says(text_of(cluster), "Node a: OFFLINE (health is RED)")) << text_of(cluster);
  cluster.states = state("a", "", false) + state("b", "");
  EXPECT_TRUE(says(text_of(cluster), "Node a: UNCLEAN (offline) (health is RED)")) << text_of(cluster);
}

TEST(StatusText, GreenIsWorriedAboutIfYellowIsWorthMore) {
  const Observed cluster{pair("node-health-strategy", "custom") + pair("node-health-yellow", "5"),
                         pair("#health-disk", "green"), "", state("a", "") + state("b", "")};
  EXPECT_TRUE(says(text_of(cluster), "Node a: online (health is YELLOW)")) << text_of(cluster);
}

TEST(StatusText, ANodeThatNobodyHasSeenIsNotSaidToBeInStandby) {
  const Observed cluster{pair("startup-fencing", "false"), pair("standby", "on"), "", state("b", "")};
  EXPECT_TRUE(says(text_of(cluster), "OFFLINE: [ a ]")) << text_of(cluster);
}

TEST(StatusText, AMemberThatIsBusyDoesNotShowItsGroupAlone) {
  const Observed cluster{"", "", "<clone id='c'><group id='g'>" + primitive("r") + "</group></clone>",
                         state("a", history("r", "demote", 193, 0, -1)) + state("b", "")};
  EXPECT_TRUE(says(text_of(cluster), "Stopped: [ a b ]")) << text_of(cluster);
}

TEST(StatusText, TargetRolesAreShownAsTheyAreWritten) {
  const std::string target = meta("m", pair("target-role", "Slave") + pair("promotable", "true"));
  const Observed cluster{
      "", "",
      "<clone id='c'>" + primitive("r") + target + "</clone><clone id='d'>" + primitive("s") +
          meta("n", pair("target-role", "Slave") + pair("promotable", "true") + pair("globally-unique", "true")) +
          "</clone>",
      state("a", history("r", "start", 0, 0) + history("s:0", "start", 0, 0)) + state("b", "")};
  EXPECT_TRUE(says(text_of(cluster), "Unpromoted (target-role): [ a ]")) << text_of(cluster);
  EXPECT_TRUE(says(text_of(cluster), "s:0\t(ocf:pacemaker:Stateful):\t Unpromoted a (target-role:Slave)"))
      << text_of(cluster);
}

TEST(StatusText, ProbesThatFailedOnLostNodesOrInClonedGroupsAreNotMentioned) {
  const std::string not_there = history("r", "monitor", 5, 7) + history("s", "monitor", 5, 7);
  Observed cluster{"", "", primitive("r") + "<clone id='c'><group id='g'>" + primitive("s") + "</group></clone>",
                   state("a", not_there) + state("b", "")};
  EXPECT_TRUE(says(text_of(cluster), "r\t(ocf:pacemaker:Stateful):\t Stopped (not installed)")) << text_of(cluster);
  EXPECT_TRUE(says(text_of(cluster), "Stopped: [ a b ]")) << text_of(cluster);
  cluster.states = state("a", not_there, false, "down") + state("b", "");
  EXPECT_TRUE(says(text_of(cluster), "r\t(ocf:pacemaker:Stateful):\t Stopped")) << text_of(cluster);
}

TEST(StatusText, AnUnmanagedGroupOnALostNodeIsLeftOut) {
  const Observed cluster{pair("maintenance-mode", "true"), "",
                         "<clone id='c'><group id='g'>" + primitive("r") + "</group>" +
                             meta("m", pair("globally-unique", "true")) + "</clone>",
                         state("a", history("r:0", "start", 0, 0)) + state("b", history("r:1", "start", 0, 0), false)};
  EXPECT_TRUE(says(text_of(cluster), "Resource Group: g:0 (unmanaged):")) << text_of(cluster);
  EXPECT_FALSE(says(text_of(cluster), "Resource Group: g:1 (unmanaged):")) << text_of(cluster);
}

TEST(StatusText, AnInstanceTooManyIsShownWhileItStops) {
  const Observed cluster{"", "", "<clone id='c'>" + primitive("r") + meta("m", pair("clone-max", "1")) + "</clone>",
                         state("a", history("r", "start", 0, 0)) + state("b", history("r", "stop", 193, 0, -1))};
  EXPECT_TRUE(says(text_of(cluster), "r\t(ocf:pacemaker:Stateful):\t ORPHANED Stopping b")) << text_of(cluster);
}

TEST(StatusText, OnlyACloneWithExactlyOneInstanceForEachNodeKeepsThoseOfLostNodes) {
  const auto clone = [](const char* most) {
    return "<clone id='c'>" + primitive("r", meta("q", pair("requires", "quorum"))) +
           meta("m", pair("clone-max", most)) + "</clone>";
  };
  Observed cluster{"", "", clone("2"), state("a", "") + state("b", history("r", "start", 0, 0), false)};
  EXPECT_TRUE(says(text_of(cluster), "r\t(ocf:pacemaker:Stateful):\t Started b (UNCLEAN)")) << text_of(cluster);
  cluster.resources = clone("3");
  EXPECT_TRUE(says(text_of(cluster), "r\t(ocf:pacemaker:Stateful):\t ORPHANED Started b (UNCLEAN)"))
      << text_of(cluster);
}

TEST(StatusText, WithoutAddressesTheInstanceInABundleIsNotNumbered) {
  const Observed cluster{"", "",
                         "<bundle id='u'><docker image='i' replicas='1' replicas-per-host='2'/><network "
                         "control-port='9'/>" +
                             primitive("r") + "</bundle>",
                         state("a", history("u-docker-0", "start", 0, 0) + history("u-0", "start", 0, 0)) +
                             state("b", "") +
                             "<node_state id='u-0' uname='u-0' remote_node='true' in_ccm='true'><lrm id='u-0'>"
                             "<lrm_resources>" +
                             history("r", "start", 0, 0) + "</lrm_resources></lrm></node_state>"};
  EXPECT_TRUE(says(text_of(cluster), "u-0\t(ocf:pacemaker:Stateful):\t Started a")) << text_of(cluster);
}

TEST(StatusText, APlaceOnALostNodeBlocksOnlyWhatNeedsFencing) {
  const auto block = [](const char* needs) {
    return primitive("r", meta("m", pair("multiple-active", "block") + pair("requires", needs)));
  };
  const std::string running = history("r", "start", 0, 0);
  Observed cluster{"", "", block("fencing"), state("a", running) + state("b", running, false)};
  EXPECT_TRUE(says(text_of(cluster), "r\t(ocf:pacemaker:Stateful):\t Started (blocked) [ a b ]")) << text_of(cluster);
  cluster.resources = block("quorum");
  EXPECT_TRUE(says(text_of(cluster), "r\t(ocf:pacemaker:Stateful):\t Started [ a b ]")) << text_of(cluster);
}

TEST(StatusText, FailuresOfAnotherInstanceDoNotKeepThoseOfAnOrphanFromFading) {
  const Observed cluster{
      "", pair("fail-count-r#monitor_0", "5"), "",
      state("a",
            "<lrm_resource id='r:7' class='ocf' provider='pacemaker' type='Stateful'><lrm_rsc_op id='r:7_last_0' "
            "operation='monitor' operation_key='r:7_monitor_5000' interval='5000' call-id='5' op-status='4' "
            "rc-code='1' transition-key='1:1:0:u' last-rc-change='1000'/></lrm_resource>") +
          state("b", ""),
      "<rsc_defaults>" + meta("d", pair("failure-timeout", "60s")) + "</rsc_defaults>"};
  EXPECT_FALSE(says(text_of(cluster), "r:7\t(ocf:pacemaker:Stateful):\t ORPHANED FAILED a")) << text_of(cluster);
}

TEST(StatusText, AReplicaThatRunsTwiceIsShownWithBothPlaces) {
  const std::string running = history("u-docker-0", "start", 0, 0);
  const Observed cluster{"", "", "<bundle id='u'><docker image='i' replicas='1'/></bundle>",
                         state("a", running) + state("b", running)};
  EXPECT_TRUE(says(text_of(cluster), "u-docker-0\t(ocf:heartbeat:docker):\t Started [ a b ]")) << text_of(cluster);
}

}  // namespace
}  // namespace bascule::simulate
