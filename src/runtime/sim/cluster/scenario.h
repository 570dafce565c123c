#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "wire/cluster_config/config.h"

namespace bascule::sim::cluster {

/// What can go wrong. Each kind stays inside of what docs/promises.md says is survived.
enum class Fault : std::uint8_t {
  ManagerDies,
  BlockdDies,
  WatchdogdDies,
  ProcessPauses,
  MachinePauses,
  PowerFails,
  PowerFailsOnSeveral,
  LinkCut,
  LinkCutOneWay,
  MachineCutOff,
  LinksSlow,
  LinksLossy,
  ConnectionsReset,
  ConnectionsStall,
  ClockDrifts,
  AgentFails,
  AgentHangs,
  MonitorLies,
  ApplicationDies,
  FencingFails,
  FencingLate,
  ManagerDiskFails,
  PersonMoves,
  PersonStandsBy,
  PersonStops,
  PersonMaintains,
  PersonRestarts,
  PersonConfigures,
};
inline constexpr std::size_t fault_kinds = static_cast<std::size_t>(Fault::PersonConfigures) + 1;
[[nodiscard]] const char* name_of(Fault fault);

/// A fault that is planted in the cluster's machinery, which the checkers must find. Only tests and
/// `bascule-sim canaries` set it.
enum class Plant : std::uint8_t {
  None,
  HeldWritesAfterTakeover,  ///< writes that were held when the volume was lost are done at its next promotion
  CarelessManager,          ///< it has a copy promoted that is no member of the in-sync set
  LeasesLastTooLong,        ///< a holder counts its leases from the answer and longer than they are: others do not wait
  NoSecondLookAtTheLease,   ///< the driver of the volume does not look at the lease before it answers
};

/// What is said of somebody's own cluster when it is rehearsed.
struct Given {
  Duration agent_start = seconds(1), agent_stop = seconds(1);  ///< so long each agent takes
  std::map<std::string, std::string> owners = {};  ///< service -> node to which it is moved before the trouble
  Duration faults_within = seconds(5);             ///< all of them fall in the beginning of the trouble
};

/// Everything that is drawn before a run begins.
struct Scenario {
  std::uint64_t seed = 1;
  std::string text;  ///< cluster.toml
  config::ClusterConfig config;
  Duration trouble = seconds(600);  ///< so long faults happen; then everything must come to rest
  std::uint32_t faults = 10;
  std::array<std::uint32_t, fault_kinds> weights{};
  Duration io_every = milliseconds(100);  ///< mean time between the requests of one application
  std::uint32_t storm_permille = 0;       ///< how many faults come with a second one at once
  std::uint32_t engine_canaries = 0;      ///< core/replication/canary.h
  Plant plant = Plant::None;
  bool trace = false;
  /// A rehearsal: the trouble waits until everything is at rest, and nobody clears failures.
  std::optional<Given> given = {};
};

/// The scenario that a seed stands for.
[[nodiscard]] Scenario scenario_of(std::uint64_t seed);
/// The cluster of this configuration (cluster.toml; `file` is for messages) with faults as `weights` have it: those
/// that cannot happen there get none. Peers, volumes that no service uses, and volumes of an operator are left out.
/// Errors: the configuration is wrong, has promotable services, or none of the faults can happen.
[[nodiscard]] Result<Scenario> given_cluster(const std::string& text, const std::string& file, std::uint64_t seed,
                                             const std::array<std::uint32_t, fault_kinds>& weights, Given given);
/// Three nodes, `services` services on volumes of their own, `requests_per_second` of I/O together, `faults` faults in
/// `trouble`: what the speed is measured with.
[[nodiscard]] Scenario usual_cluster(std::uint64_t seed, std::uint32_t services, std::uint32_t requests_per_second,
                                     std::uint32_t faults, Duration trouble);

}  // namespace bascule::sim::cluster
