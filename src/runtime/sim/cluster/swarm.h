#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runtime/sim/cluster/world.h"

namespace bascule::sim::cluster {

/// Many seeds, on some threads. Each seed is a run of its own, so the order does not matter.
struct SwarmRequest {
  std::uint64_t seeds = 300;
  std::uint64_t start = 1;
  unsigned jobs = 1;
  std::size_t violations_max = 5;  ///< it ends early when so many were found
  /// Called from any thread, one call at a time, after each seed.
  std::function<void(std::uint64_t done)> progress = {};
  /// Changes each scenario before it runs.
  std::function<void(Scenario&)> adjust = {};
};

struct SwarmReport {
  std::uint64_t seeds = 0;
  std::uint64_t simulated_ms = 0;
  double cpu_seconds = 0;
  std::uint64_t event_hash = 0;  ///< a sum over the seeds
  Outcome sum;                   ///< its counters are those of all seeds
  std::vector<Outcome> violations;
};
[[nodiscard]] SwarmReport run_swarm(const SwarmRequest& request);

/// Kinds of events that a long swarm has to meet, and that this one did not.
[[nodiscard]] std::vector<std::string> marks_never_reached(const SwarmReport& report);
[[nodiscard]] std::string json_of(const SwarmReport& report);
[[nodiscard]] std::string text_of(const SwarmReport& report);

/// A fault that is planted in the product or in its driver, and how it is found.
struct Canary {
  const char* name;
  std::uint32_t engine;  ///< core/replication/canary.h
  Plant plant;
};
[[nodiscard]] const std::vector<Canary>& canaries();
/// The seeds it took to find it, from `start`; nothing: not found in `seeds_max`.
struct CanaryResult {
  std::string name;
  std::optional<std::uint64_t> seeds;
  std::string promise, violation;
};
[[nodiscard]] CanaryResult look_for(const Canary& canary, std::uint64_t start, std::uint64_t seeds_max, unsigned jobs);

}  // namespace bascule::sim::cluster
