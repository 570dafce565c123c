// Why resources are where they are, asked of small clusters.
#include "core/explain/why.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/explain/test_cluster.h"
#include "core/policy/board.h"

namespace bascule::explain {
namespace {

using ::testing::HasSubstr;

Answer asked(const TestCluster& cluster, Question question) {
  const auto answer = why(cluster.snapshot(), question);
  EXPECT_TRUE(answer) << answer.error().text();
  return answer.value_or(Answer{});
}

/// Whatever is asked: the summands of a score are the score.
void expect_sums(const Answer& answer) {
  for (const NodeAnswer& node : answer.nodes) {
    EXPECT_FALSE(node.sentence.empty());
    if (!node.score) continue;
    policy::Score sum = 0;
    for (const Summand& each : node.summands) sum = policy::add(sum, each.score);
    EXPECT_EQ(sum, *node.score) << node.node;
  }
}

TEST(Why, TheHighestScoreWins) {
  TestCluster cluster;
  cluster.resources = TestCluster::dummy("web");
  cluster.constraints = R"(<rsc_location id="likes" rsc="web" node="b" score="50"/>)";
  const Answer answer = asked(cluster, {"web", "", "", true});
  EXPECT_EQ(answer.sentence, "web starts on b: its score 50 is the highest (a has 0).");
  expect_sums(answer);
  EXPECT_EQ(answer.nodes.front().node, "b");
  EXPECT_EQ(answer.nodes.back().sentence, "not chosen, its score 0 is lower than 50 for b");
  ASSERT_TRUE(answer.smallest);
  EXPECT_EQ(answer.smallest->change, "lower the score of location likes (it counts for b) from 50 to 0");
  EXPECT_EQ(answer.smallest->effect, "web runs on a");
}

TEST(Why, OfEquallyGoodNodesTheOneThatHasLessToRunIsTaken) {
  TestCluster cluster;
  cluster.resources = TestCluster::dummy("disk") + TestCluster::dummy("web");
  EXPECT_EQ(asked(cluster, {"web", "", "", false}).sentence,
            "web starts on b: a is as good (score 0), but less had been placed there by then.");
}

TEST(Why, AStandbyIsEnded) {
  TestCluster cluster;
  cluster.resources = TestCluster::dummy("web");
  cluster.on_a = TestCluster::running("web");
  cluster.on_b = TestCluster::stopped("web");
  cluster.standby_a = true;
  const Answer answer = asked(cluster, {"web", "", "a", true});
  EXPECT_EQ(answer.sentence, "web moves from a to b: a is in standby.");
  EXPECT_EQ(answer.nodes.front().sentence, "no: the node is in standby");
  ASSERT_TRUE(answer.smallest);
  EXPECT_EQ(answer.smallest->change, "end the standby of a");
}

TEST(Why, AScoreIsRaisedByJustEnough) {
  TestCluster cluster;
  cluster.resources = TestCluster::dummy("web", "resource-stickiness", "100");
  cluster.on_a = TestCluster::running("web");
  cluster.on_b = TestCluster::stopped("web");
  cluster.constraints = R"(<rsc_location id="likes" rsc="web" node="b" score="50"/>)";
  const Answer answer = asked(cluster, {"web", "", "b", true});
  EXPECT_EQ(answer.sentence, "web runs on a and stays there: its score 100 is the highest (b has 50).");
  expect_sums(answer);
  ASSERT_TRUE(answer.smallest);
  EXPECT_EQ(answer.smallest->change, "raise the score of location likes (it counts for b) from 50 to 101");
}

TEST(Why, FailuresAreForgotten) {
  TestCluster cluster;
  cluster.resources = TestCluster::dummy("web", "migration-threshold", "2");
  cluster.on_b = TestCluster::stopped("web");
  cluster.on_a = TestCluster::stopped("web");
  cluster.attributes_a = R"(<nvpair id="f" name="fail-count-web#monitor_10000" value="2"/>)"
                         R"(<nvpair id="t" name="last-failure-web#monitor_10000" value="999000"/>)";
  const Answer answer = asked(cluster, {"web", "", "a", true});
  expect_sums(answer);
  EXPECT_EQ(answer.nodes.front().sentence,
            "no: 2 failures there, the last at 1970-01-12 13:30:00Z; migration-threshold is 2");
  ASSERT_TRUE(answer.smallest);
  EXPECT_EQ(answer.smallest->change, "forget the failures of web on a");
}

TEST(Why, WhatIsWithSomethingStoppedIsStopped) {
  TestCluster cluster;
  cluster.resources = TestCluster::dummy("db", "target-role", "Stopped") + TestCluster::dummy("web");
  cluster.constraints = R"(<rsc_colocation id="near" rsc="web" with-rsc="db" score="INFINITY"/>)";
  const Answer answer = asked(cluster, {"web", "", "", true});
  EXPECT_THAT(answer.sentence, HasSubstr("web is stopped and stays so: no node can run it: on a: colocation near: db "
                                         "runs nowhere"));
  expect_sums(answer);
  ASSERT_TRUE(answer.smallest);
  EXPECT_EQ(answer.smallest->change, "set target-role of db to Started");
}

TEST(Why, AttractionIsPartOfTheScore) {
  TestCluster cluster;
  cluster.resources = TestCluster::dummy("db") + TestCluster::dummy("web");
  cluster.constraints = R"(<rsc_colocation id="near" rsc="web" with-rsc="db" score="500000"/>)"
                        R"(<rsc_location id="likes" rsc="web" node="b" score="100"/>)";
  const Answer answer = asked(cluster, {"db", "b", "", false});
  expect_sums(answer);
  ASSERT_EQ(answer.nodes.front().summands.size(), 1U);
  EXPECT_EQ(answer.nodes.front().summands.front().score, 50);
  EXPECT_EQ(answer.nodes.front().summands.front().cause, "colocation near: web is with it and prefers b, times 0.5");
}

TEST(Why, ALedgerOfOneResourceTellsTheSame) {
  TestCluster cluster;
  cluster.resources = TestCluster::dummy("db") + TestCluster::dummy("web", "resource-stickiness", "7");
  cluster.on_a = TestCluster::running("web");
  cluster.constraints = R"(<rsc_location id="likes" rsc="web" node="a" score="50"/>)"
                        R"(<rsc_location id="others" rsc="db" node="a" score="50"/>)";
  policy::Snapshot snapshot = cluster.snapshot();
  snapshot.explain = true;
  snapshot.explain_only = "web";
  const policy::Plan plan = policy::plan(snapshot);
  const policy::detail::Board& board = plan.board();
  EXPECT_EQ(board.ledger->of(board.find_resource("web"), board.find_node("a")).size(), 2U);
  EXPECT_TRUE(board.ledger->of(board.find_resource("db"), board.find_node("a")).empty());
}

TEST(Why, MaintenanceLeavesThingsAlone) {
  TestCluster cluster;
  cluster.resources = TestCluster::dummy("web", "target-role", "Stopped");
  cluster.on_a = TestCluster::running("web");
  cluster.properties = R"(<nvpair id="m" name="maintenance-mode" value="true"/>)";
  const Answer answer = asked(cluster, {"web", "a", "", true});
  EXPECT_EQ(answer.sentence, "web stays on a: the cluster is in maintenance.");
  ASSERT_TRUE(answer.smallest);
  EXPECT_EQ(answer.smallest->change, "set the property maintenance-mode to false");
  EXPECT_EQ(answer.smallest->effect, "web runs nowhere");
}

TEST(Why, AnUnknownNameIsAnErrorWithTheMostLike) {
  TestCluster cluster;
  cluster.resources = TestCluster::dummy("web");
  const auto answer = why(cluster.snapshot(), {"wbe", "", "", true});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().hint, "did you mean web?");
  EXPECT_FALSE(why(cluster.snapshot(), {"web", "c", "", true}));
}

TEST(Why, ACloneIsToldByItsInstances) {
  TestCluster cluster;
  cluster.resources = "<clone id=\"pings\">" + TestCluster::dummy("ping") + "</clone>";
  cluster.standby_a = true;
  const Answer answer = asked(cluster, {"pings", "", "", true});
  EXPECT_EQ(answer.sentence,
            "pings has 1 of 2 instances on b; of another: no node can run it: a is in standby; on b: no "
            "more instances are wanted there.");
  expect_sums(answer);
  EXPECT_EQ(asked(cluster, {"ping", "", "", false}).sentence.substr(0, 25), "ping has 1 of 2 instances");
  ASSERT_TRUE(answer.smallest);
  EXPECT_EQ(answer.smallest->change, "end the standby of a");
}

}  // namespace
}  // namespace bascule::explain
