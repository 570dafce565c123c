#include "core/history/merge.h"

#include <gtest/gtest.h>

#include "base/prng.h"

namespace bascule::history {
namespace {

message::Event event(std::uint64_t sequence, std::int64_t wall_ms, const std::string& text, std::uint64_t index = 0) {
  message::Event one;
  one.sequence = sequence, one.wall_ms = wall_ms, one.kind = "k", one.subject = "shop", one.text = text;
  if (index != 0) one.fields["index"] = std::to_string(index);
  return one;
}

std::string texts(const std::vector<Entry>& entries) {
  std::string all;
  for (const auto& entry : entries) all += (all.empty() ? "" : " ") + entry.event.text;
  return all;
}

TEST(HistoryMerge, WhatWasAgreedIsToldOnceAndAfterItsCauses) {
  // bob's clock is an hour behind, and nobody knows it: the log alone gives the order.
  const Journal alice{
      "alice", 0, {event(1, 5000, "stopped"), event(2, 5001, "released", 7), event(3, 5002, "granted", 8)}};
  const Journal bob{"bob", 0, {event(1, 1400, "released", 7), event(2, 1402, "granted", 8), event(3, 1500, "started")}};
  const auto merged = merge({alice, bob});
  EXPECT_EQ(texts(merged), "stopped released granted started");
  EXPECT_EQ(merged[1].tellers, (std::set<std::string>{"alice", "bob"}));
  EXPECT_EQ(merged[1].index, 7u);
}

TEST(HistoryMerge, ClocksOrderTheRestAndAreCorrected) {
  const Journal alice{"alice", 0, {event(1, 1000, "a1"), event(2, 3000, "a2")}};
  const Journal bob{"bob", 500, {event(1, 1600, "b1"), event(2, 3400, "b2")}};
  const auto merged = merge({alice, bob});
  EXPECT_EQ(texts(merged), "a1 b1 b2 a2");
  EXPECT_EQ(merged[1].wall_ms, 1100);
}

TEST(HistoryMerge, JournalsThatContradictEachOtherAreToldAllTheSame) {
  const Journal alice{"alice", 0, {event(1, 1, "x", 1), event(2, 2, "y", 2)}};
  const Journal bob{"bob", 0, {event(1, 1, "y", 2), event(2, 2, "x", 1)}};
  EXPECT_EQ(merge({alice, bob}).size(), 3u);
}

/// Random clusters: every node tells the log's entries in order, with its own events between, by a bad clock.
TEST(HistoryMerge, EachNodesOrderAndTheLogsOrderAreKept) {
  Prng prng(5);
  for (int round = 0; round < 300; ++round) {
    std::vector<Journal> journals;
    for (const char* name : {"alice", "bob", "carol"}) {
      Journal journal{name, 0, {}};
      std::int64_t wall = static_cast<std::int64_t>(prng.below(1000));
      for (std::uint64_t index = 1 + prng.below(3); index < 12; ++index) {
        for (auto own = prng.below(3); own > 0; --own)
          journal.events.push_back(event(journal.events.size() + 1, wall, "own"));
        if (prng.chance(5, 6)) journal.events.push_back(event(journal.events.size() + 1, wall, "agreed", index));
        wall += static_cast<std::int64_t>(prng.below(100)) - 20;
      }
      journals.push_back(journal);
    }
    std::map<std::string, std::uint64_t> last;
    std::uint64_t index = 0;
    std::size_t told = 0;
    for (const auto& entry : merge(journals)) {
      told += entry.tellers.size();
      if (entry.index != 0) {
        EXPECT_GT(entry.index, index);
        index = entry.index;
      }
      const auto teller = *entry.tellers.begin();
      if (entry.tellers.size() == 1 && entry.index == 0) {
        EXPECT_GT(entry.event.sequence, last[teller]);
        last[teller] = entry.event.sequence;
      }
    }
    EXPECT_EQ(told, journals[0].events.size() + journals[1].events.size() + journals[2].events.size());
  }
}

TEST(HistoryFilter, PicksAndKeepsTheNewest) {
  auto other = event(3, 3000, "c");
  other.subject = "mail";
  const auto merged = merge({{"alice", 0, {event(1, 1000, "a"), event(2, 2000, "b"), other}}});
  EXPECT_EQ(texts(filtered(merged, {.since_ms = 1500, .subjects = {"shop"}, .node = "", .kind = ""})), "b");
  EXPECT_EQ(texts(filtered(merged, {.since_ms = 0, .subjects = {}, .node = "", .kind = "", .limit = 2})), "b c");
  EXPECT_EQ(texts(filtered(merged, {.since_ms = 0, .subjects = {}, .node = "bob", .kind = ""})), "");
  EXPECT_EQ(texts(filtered(merged, {.since_ms = 0, .subjects = {}, .node = "", .kind = "other"})), "");
}

TEST(HistoryCursor, IsReadAsWritten) {
  const Cursor cursor{57, {{"alice", 12}, {"bob", 7}}};
  EXPECT_EQ(cursor_text(cursor), "57,alice:12,bob:7");
  EXPECT_EQ(parse_cursor(cursor_text(cursor)).value(), cursor);
  EXPECT_EQ(parse_cursor("0").value(), Cursor{});
  for (const char* wrong : {"", "x", "5,alice", "5,alice:", "5,alice:x", "-1"})
    EXPECT_FALSE(parse_cursor(wrong)) << wrong;
}

}  // namespace
}  // namespace bascule::history
