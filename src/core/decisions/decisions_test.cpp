#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/decisions/inject.h"
#include "core/decisions/sample.h"
#include "core/sources/services.h"

namespace bascule::decisions {
namespace {

using nlohmann::json;

Record sample_record() {
  auto record = read(sample());
  EXPECT_TRUE(record) << record.error().text();
  return std::move(*record);
}

void suppose(Record& record, const std::string& words) {
  const auto injections = explain::parse_injections(words, sources::compile(record.config));
  ASSERT_TRUE(injections) << injections.error().text();
  for (const auto& one : *injections) ASSERT_TRUE(apply(record, one));
}

/// What is decided of the shop; empty: nothing.
std::string decided(const Record& record) {
  const auto made = replay(record).decided;
  return made.empty() ? "" : made[0].command + ": " + made[0].reason;
}

std::string refusal_of(const std::string& line) {
  const auto record = read(line);
  return record ? "none" : record.error().why;
}

TEST(Decisions, ADecisionIsTakenAgain) {
  const auto record = sample_record();
  EXPECT_EQ(record.node, "carol");
  EXPECT_EQ(record.term, 7u);
  EXPECT_EQ(record.nodes.at("bob").age, milliseconds(461));
  const auto again = replay(record);
  ASSERT_EQ(record.decided.size(), 1u);
  EXPECT_NE(record.decided[0].reason.find("bob"), std::string::npos) << record.decided[0].reason;
  EXPECT_EQ(again.decided, record.decided);
  EXPECT_TRUE(again.same);
}

TEST(Decisions, AnotherDecisionThanWasKeptIsNotTheSame) {
  auto kept = json::parse(sample());
  kept["decided"][0]["reason"] = "because";
  const auto record = read(kept.dump());
  ASSERT_TRUE(record);
  EXPECT_FALSE(replay(*record).same);
}

TEST(Decisions, WhatWasSeenDecides) {
  auto kept = json::parse(sample());
  kept["nodes"]["bob"]["lease_certainly_over"] = false;
  const auto record = read(kept.dump());
  ASSERT_TRUE(record);
  EXPECT_EQ(decided(*record), "");
  EXPECT_NE(replay(*record).plan.services.at("shop").why.find("lease"), std::string::npos);
}

TEST(Decisions, MoreMayBeSupposed) {
  auto record = sample_record();
  EXPECT_NE(decided(record), "");
  suppose(record, "node-fail=alice");
  EXPECT_EQ(decided(record), "");

  record = sample_record();
  suppose(record, "quorum-lost");
  EXPECT_EQ(decided(record), "");

  record = sample_record();
  suppose(record, "node-standby=alice");
  EXPECT_EQ(decided(record), "");

  record = sample_record();
  suppose(record, "op-fail=shop-address:start@alice");
  EXPECT_TRUE(record.state.services.at("shop").failures.at("alice").start_failed);
}

TEST(Decisions, WhatTheManagerDoesNotKnowCannotBeSupposed) {
  auto record = sample_record();
  const auto injections = explain::parse_injections("node-maintenance=alice", sources::compile(record.config));
  ASSERT_TRUE(injections);
  const auto applied = apply(record, injections->front());
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().why, "the manager has no word for it");
}

TEST(Decisions, DamagedRecordsAreRefusedWithAReason) {
  EXPECT_NE(refusal_of(""), "none");
  EXPECT_EQ(refusal_of("[]"), "it is no record of a decision");
  EXPECT_EQ(refusal_of("{\"format\": 5}"), "it is no record of a decision");
  const auto whole = json::parse(sample());
  for (const auto& member : whole.items()) {
    auto kept = whole;
    kept.erase(member.key());
    EXPECT_NE(refusal_of(kept.dump()), "none") << member.key();
  }
  auto later = json::parse(sample());
  later["version"] = 2;
  EXPECT_EQ(refusal_of(later.dump()), "it has version 2, this program knows version 1");
  auto unreadable = json::parse(sample());
  unreadable["configuration"] = "[cluster";
  EXPECT_NE(refusal_of(unreadable.dump()), "none");
}

}  // namespace
}  // namespace bascule::decisions
