#pragma once

#include <functional>
#include <string>
#include <vector>

#include "runtime/sim/clock.h"
#include "runtime/sim/cluster/agents.h"
#include "runtime/sim/cluster/manager_process.h"
#include "runtime/sim/cluster/watchdog_process.h"

namespace bascule::sim::cluster {

/// One machine: its clock, its power, its processes, its configuration file, and what survives each of them.
class Machine {
 public:
  Machine(World& world, std::size_t number, const config::Node& node, std::int32_t drift_ppm);

  void power_on();
  /// Whatever was not flushed is lost.
  void power_off();
  /// All processes stand still; the kernel and the clock go on.
  void freeze();
  void thaw();

  /// Looks again in a moment, unless it was switched off meanwhile: nothing is started while all stands still.
  void when_it_goes_on(std::function<void()> action);

  void kill_manager();
  void start_manager();
  void kill_watchdog();
  void start_watchdog();
  [[nodiscard]] bool runs_services() const { return node.role == config::NodeRole::data; }
  [[nodiscard]] Instant local() const;
  [[nodiscard]] std::uint64_t boot() const { return boot_; }
  /// Since then it has not been off.
  [[nodiscard]] WorldTime on_since() const { return on_since_; }
  [[nodiscard]] const std::string& name() const { return node.name; }
  [[nodiscard]] watchdog::Lease lease(const std::string& slot) const { return watchdog.lease(slot); }
  [[nodiscard]] bool holds(const std::string& slot) const { return lease(slot).end > local(); }

  World& world;
  const std::size_t number;
  const config::Node node;
  Clock clock;
  bool on = false;
  bool frozen = false;           ///< all of its processes stand still
  std::string file_text;         ///< cluster.toml
  config::ClusterConfig file;    ///< what it means
  std::uint64_t told_index = 0;  ///< of the journal
  std::int64_t wall_offset_ms = 0;
  std::vector<Blockd*> blockds;  ///< the volumes own them
  WatchdogProcess watchdog;
  Agents agents;
  ManagerProcess manager;

 private:
  std::uint64_t boot_ = 0;
  WorldTime on_since_{};
};

}  // namespace bascule::sim::cluster
