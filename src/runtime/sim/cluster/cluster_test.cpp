#include <gtest/gtest.h>

#include <cstdlib>

#include "runtime/sim/cluster/world.h"

namespace bascule::sim::cluster {
namespace {

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(ClusterWorld, HoldsItsPromises) {
  const std::uint64_t first = number_from("BASCULE_SIM_FIRST", 1);
  const std::uint64_t count = number_from("BASCULE_SIM_SEEDS", 6);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    Scenario scenario = scenario_of(seed);
    scenario.trace = std::getenv("BASCULE_SIM_TRACE") != nullptr;
    const Outcome outcome = run(scenario);
    for (const auto& line : outcome.last_events) std::printf("%s\n", line.c_str());
    ASSERT_EQ(outcome.violation, "") << outcome.promise << " seed " << seed;
    EXPECT_GT(outcome.acknowledged, 100U);
  }
}

TEST(ClusterWorld, TheSameSeedIsTheSameRun) {
  Scenario scenario = scenario_of(3);
  scenario.trouble = seconds(60);
  const Outcome one = run(scenario);
  const Outcome other = run(scenario);
  EXPECT_EQ(one.event_hash, other.event_hash);
  EXPECT_EQ(one.events, other.events);
}

}  // namespace
}  // namespace bascule::sim::cluster
