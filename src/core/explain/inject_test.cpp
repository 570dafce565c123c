// What could happen, as words and as changes of a CIB.
#include "core/explain/inject.h"

#include <gtest/gtest.h>

#include "core/explain/test_cluster.h"

namespace bascule::explain {
namespace {

TestCluster shop() {
  TestCluster cluster;
  cluster.resources = TestCluster::dummy("web");
  cluster.on_a = TestCluster::running("web");
  return cluster;
}

TEST(Inject, EachPhraseIsReadAsItIsWritten) {
  const auto cib = shop().cib();
  for (const char* phrase : {"node a fails", "node a is stopped", "node b comes back", "node a goes to standby",
                             "node a leaves standby", "node b goes to maintenance", "node b leaves maintenance",
                             "monitor of web fails on a", "resource web is stopped", "resource web is started",
                             "quorum is lost", "quorum is regained", "ticket T is granted", "ticket T is revoked"}) {
    const auto parsed = parse_phrases(phrase, *cib);
    ASSERT_TRUE(parsed) << phrase << ": " << parsed.error().text();
    ASSERT_EQ(parsed->size(), 1U);
    EXPECT_EQ(text_of(parsed->front()), phrase);
  }
  EXPECT_EQ(phrases().size(), verbs().size());
}

TEST(Inject, SeveralThingsHappenAtOnce) {
  const auto cib = shop().cib();
  const auto listed = parse_injections("node-fail=a,quorum-lost,op-fail=web:monitor:10s@b=7", *cib);
  ASSERT_TRUE(listed) << listed.error().text();
  ASSERT_EQ(listed->size(), 3U);
  EXPECT_EQ(listed->at(2).interval_ms, 10'000U);
  EXPECT_EQ(listed->at(2).rc, 7);
  const auto spoken = parse_phrases("node a fails and quorum is lost", *cib);
  ASSERT_TRUE(spoken);
  EXPECT_EQ(spoken->size(), 2U);
}

TEST(Inject, WhatIsUnknownIsNamedWithTheMostLike) {
  const auto cib = shop().cib();
  EXPECT_EQ(parse_injections("node-fial=a", *cib).error().hint, "did you mean node-fail?");
  EXPECT_EQ(parse_injections("op-fail=wbe:monitor@a", *cib).error().hint, "did you mean web?");
  EXPECT_EQ(parse_injections("node-fail=c", *cib).error().why, "there are a and b");
  EXPECT_FALSE(parse_injections("node-fail", *cib));
  EXPECT_FALSE(parse_injections("quorum-lost=a", *cib));
  EXPECT_FALSE(parse_injections("op-fail=web@a", *cib));
  EXPECT_FALSE(parse_phrases("alice explodes", *cib));
  EXPECT_FALSE(parse_phrases("", *cib));
  EXPECT_FALSE(parse_phrases("node a fails and", *cib));
}

TEST(Inject, AFailureIsRecordedAndCounted) {
  cib::Cib cib = *shop().cib();
  apply(cib, parse_injections("op-fail=web:start@a", cib)->front(), 77);
  const cib::NodeState& state = cib.node_states.front();
  EXPECT_EQ(state.resources.front().operations.back().id, "web_last_failure_0");
  EXPECT_EQ(state.resources.front().operations.back().last_change_s, 77);
  EXPECT_EQ(state.transient_attributes.back().pairs.front().name, "fail-count-web#start_0");
  EXPECT_EQ(state.transient_attributes.back().pairs.front().value, "INFINITY");
}

}  // namespace
}  // namespace bascule::explain
