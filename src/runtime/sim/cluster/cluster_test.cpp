#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "runtime/sim/cluster/swarm.h"

namespace bascule::sim::cluster {
namespace {

/// BASCULE_SIM_FIRST and BASCULE_SIM_SEEDS choose seeds, which then run in full length; BASCULE_SIM_TRACE=1 prints
/// them.
std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(ClusterWorld, HoldsItsPromises) {
  const std::uint64_t first = number_from("BASCULE_SIM_FIRST", 1);
  const std::uint64_t count = number_from("BASCULE_SIM_SEEDS", 6);
  std::uint64_t acknowledged = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    Scenario scenario = scenario_of(seed);
    scenario.trace = std::getenv("BASCULE_SIM_TRACE") != nullptr;
    if (std::getenv("BASCULE_SIM_SEEDS") == nullptr) scenario.trouble = seconds(60);
    const Outcome outcome = run(scenario);
    for (const auto& line : outcome.last_events) std::printf("%s\n", line.c_str());
    ASSERT_EQ(outcome.violation, "") << outcome.promise << " seed " << seed;
    acknowledged += outcome.acknowledged;
  }
  EXPECT_GT(acknowledged, 50 * count);
}

TEST(ClusterWorld, TheSameSeedIsTheSameRun) {
  Scenario scenario = scenario_of(3);
  scenario.trouble = seconds(30);
  const Outcome one = run(scenario);
  const Outcome other = run(scenario);
  EXPECT_EQ(one.event_hash, other.event_hash);
  EXPECT_EQ(one.events, other.events);
}

/// A mistake that is planted on purpose must be found.
class PlantedMistake : public ::testing::TestWithParam<const char*> {};

TEST_P(PlantedMistake, IsFound) {
  const auto& all = canaries();
  const auto canary =
      std::find_if(all.begin(), all.end(), [](const Canary& each) { return each.name == std::string(GetParam()); });
  ASSERT_NE(canary, all.end());
  EXPECT_TRUE(look_for(*canary, 1, 40, 1).seeds.has_value());
}

/// The others take more seeds than a test has time for: `bascule-sim canaries`.
INSTANTIATE_TEST_SUITE_P(OfTheJoinedWorld, PlantedMistake, ::testing::Values("promote-a-non-member"));

}  // namespace
}  // namespace bascule::sim::cluster
