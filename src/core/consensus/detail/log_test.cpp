#include "core/consensus/detail/log.h"

#include <gtest/gtest.h>

#include <map>

#include "base/prng.h"
#include "core/consensus/detail/quorum.h"

namespace bascule::consensus::detail {
namespace {

/// The same log, done slowly.
struct Oracle {
  std::map<Index, raft::Entry> entries;
  std::map<Index, Configuration> configurations;
  Index base = 0;
  Term base_term = 0;

  [[nodiscard]] Index last() const { return entries.empty() ? base : entries.rbegin()->first; }
  [[nodiscard]] Term last_term() const { return entries.empty() ? base_term : entries.rbegin()->second.term; }
};

Configuration random_members(Prng& prng) {
  Configuration members;
  for (ServerId id = 1; id < 8; ++id)
    if (prng.chance(1, 2)) members.voters.push_back(id);
  return members;
}

void append_random(Log& log, Oracle& oracle, Prng& prng) {
  raft::Entry entry{oracle.last() + 1, oracle.last_term() + prng.below(2), raft::EntryKind::Command, {}};
  if (prng.chance(1, 4)) {
    entry.kind = raft::EntryKind::Configuration;
    const Configuration members = random_members(prng);
    entry.payload = raft::encode(members);
    oracle.configurations[entry.index] = members;
  }
  oracle.entries[entry.index] = entry;
  log.append(entry);
}

void truncate_random(Log& log, Oracle& oracle, Prng& prng) {
  const Index from = oracle.base + 1 + prng.below(oracle.last() - oracle.base + 1);
  oracle.entries.erase(oracle.entries.lower_bound(from), oracle.entries.end());
  oracle.configurations.erase(oracle.configurations.lower_bound(from), oracle.configurations.end());
  log.truncate_from(from);
}

/// As after a snapshot: never past the end.
void compact_random(Log& log, Oracle& oracle, Prng& prng) {
  const Index index = oracle.base + prng.below(oracle.last() - oracle.base + 1);
  if (index > oracle.base) oracle.base_term = oracle.entries.at(index).term;
  oracle.base = index;
  oracle.entries.erase(oracle.entries.begin(), oracle.entries.upper_bound(index));
  log.compact(index);
  log.forget_configurations_before(index);
}

TEST(Log, AgreesWithASlowOne) {
  Prng prng(3);
  for (int round = 0; round < 100; ++round) {
    Log log(raft::Restored{});
    Oracle oracle;
    oracle.configurations[0] = {};
    for (int step = 0; step < 100; ++step) {
      const auto choice = prng.below(10);
      if (choice < 7)
        append_random(log, oracle, prng);
      else if (choice < 9)
        truncate_random(log, oracle, prng);
      else
        compact_random(log, oracle, prng);
      ASSERT_EQ(log.last_index(), oracle.last());
      ASSERT_EQ(log.last_term(), oracle.last_term());
      ASSERT_EQ(log.configuration().configuration, oracle.configurations.rbegin()->second);
      const Index probe = oracle.base + prng.below(oracle.last() - oracle.base + 3);
      const auto entry = oracle.entries.find(probe);
      if (probe == oracle.base)
        ASSERT_EQ(log.term_at(probe), oracle.base_term);
      else
        ASSERT_EQ(log.term_at(probe), entry == oracle.entries.end() ? std::nullopt : std::optional(entry->second.term));
      ASSERT_EQ(log.configuration_at(probe).configuration, std::prev(oracle.configurations.upper_bound(probe))->second);
    }
  }
}

TEST(Log, SlicesWithinTheLimitsButAtLeastOne) {
  Log log(raft::Restored{});
  for (Index i = 1; i <= 10; ++i) log.append({i, 1, raft::EntryKind::Command, Bytes(100)});
  EXPECT_EQ(log.slice(3, 4, 1000000).size(), 4u);
  EXPECT_EQ(log.slice(3, 100, 350).size(), 3u);
  EXPECT_EQ(log.slice(3, 100, 1).size(), 1u);
  EXPECT_EQ(log.slice(11, 100, 1000).size(), 0u);
}

TEST(Quorum, AgreesWithCounting) {
  Prng prng(9);
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::uint64_t> values(1 + prng.below(7));
    for (auto& value : values) value = prng.below(6);
    std::uint64_t best = 0;
    for (std::uint64_t candidate = 0; candidate < 6; ++candidate) {
      const auto count = std::count_if(values.begin(), values.end(), [&](auto value) { return value >= candidate; });
      if (static_cast<std::size_t>(2 * count) > values.size()) best = candidate;
    }
    EXPECT_EQ(reached_by_majority(values), best);
  }
}

}  // namespace
}  // namespace bascule::consensus::detail
