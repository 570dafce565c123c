// What a change interrupts, and for how long.
#include "core/explain/impact.h"

#include <gtest/gtest.h>

#include "core/explain/causes.h"
#include "core/explain/inject.h"
#include "core/explain/test_cluster.h"
#include "core/policy/board.h"

namespace bascule::explain {
namespace {

Impact impact(const TestCluster& cluster, const char* phrase) {
  const policy::Snapshot now = cluster.snapshot();
  auto changed = std::make_shared<cib::Cib>(*now.cib);
  const auto injections = parse_phrases(phrase, *changed);
  EXPECT_TRUE(injections) << injections.error().text();
  for (const Injection& each : *injections) apply(*changed, each, now.now_s);
  return impact_of(policy::observe(now), policy::plan({changed, now.now_s, true}));
}

std::string timed(const std::string& id, int start_ms, int stop_ms) {
  return TestCluster::history(
      id, TestCluster::operation(id, "stop", 0, 1, stop_ms) + TestCluster::operation(id, "start", 0, 2, start_ms));
}

TEST(Impact, AMoveTakesAStopAndAStart) {
  TestCluster cluster;
  cluster.resources = TestCluster::dummy("web");
  cluster.on_a = timed("web", 2000, 500);
  cluster.on_b = TestCluster::stopped("web");
  const Impact found = impact(cluster, "node a goes to standby");
  ASSERT_EQ(found.interruptions.size(), 1U);
  EXPECT_EQ(found.interruptions.front().what, "moves from a to b");
  EXPECT_TRUE(found.interruptions.front().measured);
  EXPECT_EQ(found.interruptions.front().length_ms, 2500);
  EXPECT_TRUE(found.stranded.empty());
}

TEST(Impact, WhatWasNeverMeasuredIsSaid) {
  TestCluster cluster;
  cluster.resources = TestCluster::dummy("web");
  cluster.on_a = TestCluster::running("web");
  cluster.on_b = TestCluster::stopped("web");
  const Impact found = impact(cluster, "node a goes to standby");
  ASSERT_EQ(found.interruptions.size(), 1U);
  EXPECT_FALSE(found.interruptions.front().measured);
  EXPECT_EQ(found.interruptions.front().unmeasured, (std::vector<std::string>{"the stop of web", "the start of web"}));
}

TEST(Impact, OfALostNodeTheFencingCounts) {
  TestCluster cluster;
  cluster.fencing = true;
  cluster.resources = TestCluster::dummy("web");
  cluster.on_a = timed("web", 2000, 500);
  cluster.on_b = TestCluster::stopped("web") + TestCluster::history("shooter", "");
  const Impact found = impact(cluster, "node a fails");
  ASSERT_EQ(found.interruptions.size(), 1U);
  EXPECT_EQ(found.interruptions.front().length_ms, 2000);
  EXPECT_EQ(found.interruptions.front().unmeasured, std::vector<std::string>{"the fencing of a"});
}

TEST(Impact, WhatHasNowhereToGoIsStranded) {
  TestCluster cluster;
  cluster.resources = TestCluster::dummy("web");
  cluster.on_a = TestCluster::running("web");
  cluster.constraints = R"(<rsc_location id="never" rsc="web" node="b" score="-INFINITY"/>)";
  const Impact found = impact(cluster, "node a goes to standby");
  EXPECT_TRUE(found.interruptions.empty());
  ASSERT_EQ(found.stranded.size(), 1U);
  EXPECT_EQ(found.stranded.front().reason, "no node can run it: a is in standby; on b: location never");
}

TEST(Impact, ACloneLosesAPlace) {
  TestCluster cluster;
  cluster.resources = "<clone id=\"pings\">" + TestCluster::dummy("ping") + "</clone>";
  cluster.on_a = cluster.on_b = TestCluster::running("ping");
  EXPECT_EQ(impact(cluster, "node a is stopped").losses, std::vector<std::string>{"pings: a"});
}

TEST(Impact, WhatIsNotTouchedIsNotInterrupted) {
  TestCluster cluster;
  cluster.resources = TestCluster::dummy("web");
  cluster.on_b = TestCluster::running("web");
  cluster.on_a = TestCluster::stopped("web");
  EXPECT_TRUE(impact(cluster, "node a fails").interruptions.empty());
}

/// Over clusters of all kinds of change: no action without a reason.
TEST(Causes, EveryActionHasAReason) {
  TestCluster cluster;
  cluster.fencing = true;
  cluster.resources = TestCluster::dummy("web", "resource-stickiness", "5") + TestCluster::dummy("db") +
                      "<group id=\"g\">" + TestCluster::dummy("disk") + TestCluster::dummy("fs") +
                      "</group><clone id=\"pings\">" + TestCluster::dummy("ping") + "</clone>";
  cluster.on_a = TestCluster::running("web") + TestCluster::running("disk") + TestCluster::running("ping");
  cluster.on_b = TestCluster::running("db") + TestCluster::stopped("web");
  cluster.constraints = R"(<rsc_order id="o" first="db" then="web"/>)";
  for (const char* phrase : {"node a fails", "node b is stopped", "node a goes to standby", "monitor of web fails on a",
                             "quorum is lost", "resource db is stopped", "node a goes to maintenance"}) {
    cib::Cib changed = *cluster.cib();
    const auto happens = parse_phrases(phrase, changed);
    ASSERT_TRUE(happens) << happens.error().text();
    for (const Injection& each : *happens) apply(changed, each, 1'000'000);
    const auto plan = policy::plan({std::make_shared<const cib::Cib>(std::move(changed)), 1'000'000, true});
    for (const auto& action : plan.board().actions) {
      if (action.optional) continue;
      EXPECT_FALSE(why_action(plan.board(), action).empty()) << phrase << ": " << action.key;
    }
  }
}

}  // namespace
}  // namespace bascule::explain
