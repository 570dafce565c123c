#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "runtime/sim/consensus/cluster.h"

// Proof that the machinery can fail: each fault that can be planted in the core is found, and (with one
// exception) as a broken safety promise, not merely as a cluster that stands still.

namespace bascule::sim {
namespace {

using consensus::Canary;

struct Plant {
  Canary canary;
  const char* name;
  const char* profile;
  bool stalls = false;  ///< shows first as a cluster that cannot go on, which then counts
};

class PlantedFault : public ::testing::TestWithParam<Plant> {};

TEST_P(PlantedFault, IsFoundWithinAThousandSeeds) {
  const Plant& plant = GetParam();
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    const Outcome outcome = run_seed(*profile_named(plant.profile), seed, {.canary = plant.canary});
    if (!outcome.violation || (!plant.stalls && outcome.violation->starts_with("no progress"))) continue;
    std::printf("%s, profile %s, seed %lu: %s\n", plant.name, plant.profile, static_cast<unsigned long>(seed),
                outcome.violation->c_str());
    return;
  }
  FAIL() << "not found";
}

INSTANTIATE_TEST_SUITE_P(Canaries, PlantedFault,
                         ::testing::Values(Plant{Canary::ClaimUnverifiedTail, "ClaimUnverifiedTail", "udp", true},
                                           Plant{Canary::CommitOldTermByCounting, "CommitOldTermByCounting", "udp"},
                                           Plant{Canary::AnswerBeforeDurable, "AnswerBeforeDurable", "tcp"},
                                           Plant{Canary::NoSilenceAfterRestart, "NoSilenceAfterRestart", "tcp"},
                                           Plant{Canary::LeaseFromAnswerTime, "LeaseFromAnswerTime", "udp"},
                                           Plant{Canary::ReadWithoutRound, "ReadWithoutRound", "tcp"},
                                           Plant{Canary::ReformFromAnyLog, "ReformFromAnyLog", "two-nodes"},
                                           Plant{Canary::ReformOnAnOldProof, "ReformOnAnOldProof", "two-nodes"},
                                           Plant{Canary::LeaveThePairUnheard, "LeaveThePairUnheard", "two-nodes"}),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace bascule::sim
