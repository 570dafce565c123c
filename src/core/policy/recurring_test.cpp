// What recurs, and when it is begun, left alone or ended.
#include "core/policy/test_cluster.h"

namespace bascule::policy {
namespace {

using namespace testing;  // NOLINT: words of small clusters

/// A resource's operations, as in its definition.
std::string operations(const std::string& attributes) {
  return "<operations><op id=\"o\" name=\"monitor\" interval=\"10s\" " + attributes + "/></operations>";
}

/// A result of its monitor, behind what is recorded of it.
std::string with_result(std::string history, const std::string& id, int call, int rc, const std::string& more) {
  const std::string code = std::to_string(rc);
  const std::string status = rc == 0 ? "0" : "4";
  return history.insert(history.rfind("</lrm_resource>"), "<lrm_rsc_op id=\"" + id +
                                                              R"(" operation="monitor" operation_key="web_monitor_10000"
                         interval="10000" call-id=")" + std::to_string(call) +
                                                              "\" op-status=\"" + status + "\" rc-code=\"" + code +
                                                              R"(" transition-key="1:1:0:u" transition-magic=")" +
                                                              status + ":" + code + ";1:1:0:u\" " + more + "/>");
}

constexpr const char* kDigest = R"(op-digest="4811cef7f7f94e3a35a70be7916cb2fd")";

std::string monitored(const std::string& history, int call = 3) {
  return with_result(history, "web_monitor_10000", call, 0, kDigest);
}

/// Its failure is older than its failure-timeout.
std::string failed_long_ago(const std::string& history, int call) {
  return with_result(history, "web_last_failure_0", call, 1, std::string(kDigest) + R"( last-rc-change="1000")");
}

Cluster one_monitored(const std::string& attributes = "", const std::string& meta_pairs = "") {
  Cluster cluster;
  cluster.resources = primitive("web", meta("web", meta_pairs) + operations(attributes));
  cluster.on_a = monitored(started("web"));
  cluster.on_b = stopped("web");
  return cluster;
}

TEST(Recurring, WhatIsInMaintenanceElsewhereGoesOnBeingMonitored) {
  Cluster cluster = one_monitored();
  cluster.on_b = monitored(started("web"));
  cluster.attributes_of_a = pair("maintenance", "true");
  const Graph graph(cluster);
  EXPECT_TRUE(graph.has("web_monitor_10000@a", "cancel"));
  EXPECT_FALSE(graph.has("web_monitor_10000@b", "cancel"));
}

TEST(Recurring, AnExpiredFailureIsFollowedByAnotherRunUnlessItSucceededBefore) {
  Cluster cluster = one_monitored("", pair("failure-timeout", "60s"));
  EXPECT_EQ(Graph(cluster).sent(), Lines{});
  cluster.on_a = failed_long_ago(started("web"), 2);
  EXPECT_TRUE(Graph(cluster).has("web_monitor_10000@a", "monitor"));
  cluster.on_a = failed_long_ago(monitored(started("web")), 4);
  EXPECT_EQ(Graph(cluster).sent(), Lines{});
  cluster.on_a = failed_long_ago(monitored(started("web")), 2);
  EXPECT_TRUE(Graph(cluster).has("web_monitor_10000@a", "monitor"));
}

TEST(Recurring, WhatIsForAnotherRoleEndsUnlessARestartEndsItAnyway) {
  Cluster cluster = one_monitored("role=\"Promoted\"");
  EXPECT_TRUE(Graph(cluster).has("web_monitor_10000@a", "cancel"));
  cluster.on_a.replace(cluster.on_a.find("f2317cad"), 8, "00000000");
  const Graph restarted(cluster);
  EXPECT_TRUE(restarted.before("web_stop_0@a", "web_start_0@a"));
  EXPECT_FALSE(restarted.has("web_monitor_10000@a"));
}

TEST(Recurring, WhatNobodyManagesKeepsItsRoleAndItsMonitorWhateverPromotedMaxSays) {
  Cluster cluster = one_monitored("role=\"Promoted\"");
  cluster.resources = "<clone id=\"c\">" + primitive("web", operations("role=\"Promoted\"")) +
                      meta("c", pair("promotable", "true") + pair("is-managed", "false")) + "</clone>";
  cluster.on_a = monitored(promoted("web"));
  cluster.on_b = monitored(promoted("web"));
  EXPECT_EQ(Graph(cluster).sent(), Lines{});
}

TEST(Recurring, WhatIsForTheStoppedRoleRunsWhereNobodyManagesItAndItIsStopped) {
  Cluster cluster = one_monitored("role=\"Stopped\"", pair("is-managed", "false"));
  cluster.on_a = started("web");
  const Graph graph(cluster);
  EXPECT_FALSE(graph.has("web_monitor_10000@a"));
  EXPECT_TRUE(graph.has("web_monitor_10000@b", "monitor"));
}

/// Whatever ran before it was last found to start, be it by a monitor, has ended with what it was then.
TEST(Recurring, WhatRanBeforeItWasFoundActiveNeedsNoEnd) {
  Cluster cluster = one_monitored("role=\"Stopped\"");
  const auto result = [](int call, int rc, const std::string& interval_ms) {
    std::string written = with_result("</lrm_resource>", "web_monitor_" + interval_ms, call, rc, kDigest);
    for (std::size_t at = 0; (at = written.find("10000", at)) != std::string::npos; at += interval_ms.size())
      written.replace(at, 5, interval_ms);
    return written.substr(0, written.rfind("</lrm_resource>"));
  };
  const std::string stopped_then = result(2, 7, "10000");
  const std::string active_then = result(3, 0, "77000");
  std::string history = started("web");
  const std::size_t begin = history.find("<lrm_rsc_op");
  history.replace(begin, history.rfind("</lrm_resource>") - begin, stopped_then + active_then);
  cluster.on_a = history;
  const Graph found(cluster);
  EXPECT_FALSE(found.has("web_monitor_10000@a", "cancel"));
  EXPECT_TRUE(found.has("web_monitor_77000@a", "cancel"));
}

}  // namespace
}  // namespace bascule::policy
