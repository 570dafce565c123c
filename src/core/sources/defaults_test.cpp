#include "core/sources/defaults.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "wire/cib/parse.h"

namespace bascule::sources {
namespace {

constexpr std::int64_t now_s = 1'700'000'000;

std::string operation(const std::string& task, int call, int rc, std::int64_t at_s) {
  const std::string code = std::to_string(rc);
  return "<lrm_rsc_op id=\"web_" + task + "\" operation=\"" + task + "\" operation_key=\"web_" + task +
         "_0\" interval=\"0\" call-id=\"" + std::to_string(call) + "\" op-status=\"0\" rc-code=\"" + code +
         "\" last-rc-change=\"" + std::to_string(at_s) + "\" transition-key=\"1:1:0:u\" transition-magic=\"0:" + code +
         ";1:1:0:u\"/>";
}

/// web runs on a, where it has failed before.
cib::Cib cluster(const std::string& inside_web, const std::string& constraints, std::int64_t started_s) {
  const std::string xml =
      R"(<cib have-quorum="1" dc-uuid="a"><configuration><crm_config/><nodes><node id="a" uname="a"/>)"
      R"(<node id="b" uname="b"/></nodes><resources><primitive id="web" class="ocf" provider="heartbeat" type="Dummy">)" +
      inside_web + "</primitive></resources><constraints>" + constraints +
      R"(</constraints></configuration><status><node_state id="a" uname="a" in_ccm="true" crmd="online" join="member")"
      R"( expected="member"><transient_attributes id="a"><instance_attributes id="t"><nvpair id="f1")"
      R"( name="fail-count-web#monitor_10000" value="2"/><nvpair id="f2" name="last-failure-web#monitor_10000" value="1"/>)"
      R"(<nvpair id="f3" name="fail-count-webmail#start_0" value="1"/></instance_attributes></transient_attributes>)"
      R"(<lrm id="a"><lrm_resources><lrm_resource id="web" class="ocf" provider="heartbeat" type="Dummy">)" +
      operation("start", 9, 0, started_s) + operation("monitor", 3, 7, started_s - 10) +
      R"(</lrm_resource></lrm_resources></lrm></node_state><node_state id="b" uname="b" in_ccm="true" crmd="online")"
      R"( join="member" expected="member"/></status></cib>)";
  return cib::parse(xml, "test").value().cib;
}

bool mentions(const std::vector<std::string>& lines, const std::string& text) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

TEST(Defaults, GiveAMonitorOnlyToWhatHasNone) {
  cib::Cib without = cluster("", "", now_s);
  EXPECT_TRUE(mentions(apply_defaults(without, now_s), "web has no monitor"));
  ASSERT_EQ(without.resources[0].operations.size(), 1U);
  EXPECT_EQ(without.resources[0].operations[0].interval, "10s");
  cib::Cib with = cluster(R"(<operations><op id="m" name="monitor" interval="60s"/></operations>)", "", now_s);
  EXPECT_FALSE(mentions(apply_defaults(with, now_s), "monitor"));
  EXPECT_EQ(with.resources[0].operations[0].interval, "60s");
}

TEST(Defaults, ForgetFailuresOfWhatHasRunForAWhileSince) {
  cib::Cib fresh = cluster("", "", now_s - 119);
  EXPECT_FALSE(mentions(apply_defaults(fresh, now_s), "without another"));
  EXPECT_EQ(fresh.node_states[0].transient_attributes[0].pairs.size(), 3U);
  cib::Cib healthy = cluster("", "", now_s - 120);
  EXPECT_TRUE(mentions(apply_defaults(healthy, now_s), "failures of web on a are forgotten"));
  ASSERT_EQ(healthy.node_states[0].transient_attributes[0].pairs.size(), 1U);
  EXPECT_EQ(healthy.node_states[0].transient_attributes[0].pairs[0].name, "fail-count-webmail#start_0");
}

TEST(Defaults, ComeAfterAllThatIsSaid) {
  cib::Cib cib = cluster("", "", now_s);
  (void)apply_defaults(cib, now_s);
  EXPECT_EQ(cib.resource_defaults.back().score, "-INFINITY");
  EXPECT_EQ(cib.resource_defaults.back().pairs[0].name, "failure-timeout");
}

TEST(Defaults, EndAMoveThatIsDoneAndNoOther) {
  const auto move = [](const std::string& id, const std::string& node, const std::string& score) {
    return "<rsc_location id=\"" + id + "\" rsc=\"web\" node=\"" + node + "\" score=\"" + score + "\"/>";
  };
  const std::string done = move("cli-prefer-web", "a", "INFINITY") + move("cli-ban-web-on-b", "b", "-INFINITY");
  const std::string open =
      move("cli-prefer-web", "b", "INFINITY") + move("cli-ban-web-on-a", "a", "-INFINITY") + move("mine", "a", "100");
  cib::Cib over = cluster("", done, now_s);
  EXPECT_TRUE(mentions(apply_defaults(over, now_s), "the move of web is over: cli-prefer-web is ignored"));
  EXPECT_TRUE(over.constraints.empty());
  cib::Cib wanted = cluster("", open, now_s);
  EXPECT_FALSE(mentions(apply_defaults(wanted, now_s), "is over"));
  EXPECT_EQ(wanted.constraints.size(), 3U);
}

}  // namespace
}  // namespace bascule::sources
