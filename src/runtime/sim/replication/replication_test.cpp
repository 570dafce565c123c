#include <gtest/gtest.h>

#include <cstdlib>

#include "core/replication/canary.h"
#include "runtime/sim/replication/world.h"

namespace bascule::sim {
namespace {

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

ReplicationScenario traced(std::uint64_t seed) {
  ReplicationScenario scenario = scenario_of(seed);
  scenario.trace = std::getenv("BASCULE_SIM_TRACE") != nullptr;
  return scenario;
}

/// BASCULE_SIM_FIRST and BASCULE_SIM_SEEDS choose others; BASCULE_SIM_TRACE=1 prints what happens.
TEST(ReplicationWorld, NothingAcknowledgedIsLost) {
  const std::uint64_t first = number_from("BASCULE_SIM_FIRST", 1);
  const std::uint64_t count = number_from("BASCULE_SIM_SEEDS", 150);
  ReplicationResult sum;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const ReplicationResult result = ReplicationWorld(traced(seed)).run();
    ASSERT_EQ(result.violation, "") << "seed " << seed;
    sum.add(result);
  }
  std::printf("%llu seeds: %llu writes acknowledged, %llu promotions, %llu resyncs, %llu power losses\n",
              static_cast<unsigned long long>(count), static_cast<unsigned long long>(sum.acknowledged),
              static_cast<unsigned long long>(sum.promotions), static_cast<unsigned long long>(sum.resyncs),
              static_cast<unsigned long long>(sum.power_losses));
  EXPECT_GT(sum.resyncs, count);
  EXPECT_GT(sum.acknowledged, 100 * count);
  if (count < 100) return;  // one that is looked at has not everything in it
  EXPECT_GT(sum.zeroings, count);
  EXPECT_GT(sum.reads, count);
  EXPECT_GT(sum.under_operator, count);
  EXPECT_GT(sum.under_a, 0U);
  EXPECT_GT(sum.under_b, 0U);
  EXPECT_GT(sum.split_brains, 0U);
  EXPECT_GT(sum.vouched, 0U);
}

/// A fault that is built in on purpose must be found.
void expect_found(std::uint32_t canary) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    ReplicationScenario scenario = scenario_of(seed);
    scenario.canaries = canary;
    scenario.careless_majority = canary == replication::detail::canary::kPromoteNonMember;
    if (!ReplicationWorld(scenario).run().violation.empty()) return;
  }
  FAIL() << "no seed found it";
}

namespace canary = replication::detail::canary;

TEST(ReplicationCanary, AcknowledgingBeforeTheSetHasShrunkIsFound) { expect_found(canary::kAcknowledgeBeforeShrink); }
TEST(ReplicationCanary, ForgettingTheActivityLogIsFound) { expect_found(canary::kForgetActivityLog); }
TEST(ReplicationCanary, PromotingANonMemberIsFound) { expect_found(canary::kPromoteNonMember); }
TEST(ReplicationCanary, AcknowledgingWithoutALeaseIsFound) { expect_found(canary::kIgnoreLease); }
TEST(ReplicationCanary, ForgettingUnacknowledgedWritesIsFound) { expect_found(canary::kForgetUnacknowledged); }
TEST(ReplicationCanary, FlushingOnlyHereIsFound) { expect_found(canary::kFlushOnlyHere); }
TEST(ReplicationCanary, AcknowledgingWhatIsOnlySentIsFound) { expect_found(canary::kAcknowledgeOnceSent); }
TEST(ReplicationCanary, GoingOnAloneInASharedGenerationIsFound) { expect_found(canary::kKeepGeneration); }
TEST(ReplicationCanary, TakingTheOlderDataIsFound) { expect_found(canary::kWrongSource); }
TEST(ReplicationCanary, ReadingOldBlocksIsFound) { expect_found(canary::kReadHere); }
TEST(ReplicationCanary, ForgettingDiscardsIsFound) { expect_found(canary::kForgetDiscards); }
TEST(ReplicationCanary, MovingMetadataWithoutTheLogIsFound) { expect_found(canary::kMoveWithoutLog); }

}  // namespace
}  // namespace bascule::sim
