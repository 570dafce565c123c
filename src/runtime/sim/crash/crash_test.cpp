#include <gtest/gtest.h>

#include <cstdlib>

#include "runtime/sim/crash/enumerate.h"

namespace bascule::sim {
namespace {

/// BASCULE_CRASH_STATES=200000 for more.
std::uint64_t wanted_states() {
  const char* const given = std::getenv("BASCULE_CRASH_STATES");
  return given == nullptr ? 5000 : std::strtoull(given, nullptr, 10);
}

TEST(Crash, EveryWriterKeepsItsPromiseInEveryState) {
  std::uint64_t states = 0;
  for (const auto& report : enumerate_crashes({.states = wanted_states()})) {
    states += report.figures.states;
    EXPECT_GT(report.figures.states, 0U) << report.writer->name;
    for (const auto& violation : report.figures.violations)
      ADD_FAILURE() << violation.text << "\nbascule-sim crash --writer " << report.writer->name << " --state "
                    << violation.id;
  }
  EXPECT_GE(states, wanted_states());
}

TEST(Crash, TheSameSeedGivesTheSameReport) {
  const CrashEnumeration wanted{.states = 500, .writer = "consensus", .jobs = 2};
  const auto one = enumerate_crashes(wanted), other = enumerate_crashes(wanted);
  EXPECT_EQ(one[0].sequences, other[0].sequences);
  EXPECT_EQ(one[0].figures.points, other[0].figures.points);
  EXPECT_EQ(one[0].figures.states, other[0].figures.states);
}

}  // namespace
}  // namespace bascule::sim
