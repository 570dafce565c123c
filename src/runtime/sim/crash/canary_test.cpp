// Faults that are planted on purpose: each must be found, and shown again by its name.

#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/sim/crash/enumerate.h"

namespace bascule::sim {
namespace {

class CrashCanaries : public testing::TestWithParam<CrashCanary> {};

TEST_P(CrashCanaries, IsFound) {
  const CrashCanary& canary = GetParam();
  const auto reports = enumerate_crashes({.states = 1'000'000, .writer = canary.writer, .canary = canary.name});
  ASSERT_EQ(reports.size(), 1U);
  ASSERT_FALSE(reports[0].figures.violations.empty()) << canary.what;
  const auto& found = reports[0].figures.violations.front();
  const auto id = CrashStateId::parse(found.id);
  ASSERT_TRUE(id) << found.id;
  const auto shown = replay_crash(*reports[0].writer, *id, canary.name);
  EXPECT_TRUE(shown.known);
  EXPECT_EQ(shown.violation, found.text);
}

INSTANTIATE_TEST_SUITE_P(All, CrashCanaries, testing::ValuesIn(crash_canaries()), [](const auto& each) {
  std::string name = each.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace bascule::sim
