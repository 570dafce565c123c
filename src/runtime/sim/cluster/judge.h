#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/store/state.h"
#include "runtime/sim/world_time.h"

namespace bascule::sim::cluster {

class Machine;
class World;

/// Watches the cluster from outside and knows the promises of docs/promises.md, not the code. Each check stands under
/// the id of its promise; those of a volume's data are in runtime/sim/replication/checker.h.
class Judge {
 public:
  explicit Judge(World& world) : world_(world) {}

  /// Its manager has done something: what it has applied may be new.
  void stepped(Machine& machine);
  /// Its lease page has another entry.
  void lease_changed(Machine& machine, const std::string& slot);
  /// What runs of a service may be another thing now.
  void service_changed(const std::string& service);
  /// An agent is started.
  void action(Machine& machine, const std::string& runner, const std::string& operation);
  /// A decision was kept.
  void decided(Machine& machine, const std::string& json);
  /// A person was told that this version is agreed.
  void configuration_acknowledged(std::uint64_t version);
  void fencing_begins(Machine& by, const std::string& node);
  /// It says that it goes on alone.
  void goes_on_alone(Machine& machine);
  /// What the cluster has agreed on, as far as anybody has applied it.
  [[nodiscard]] const store::ClusterState& newest() const { return newest_; }

 private:
  void compare_with_others(Machine& machine, const store::ClusterState& state);
  void owner_changed(const std::string& slot, const std::string& service, const std::string& before,
                     std::uint64_t epoch_before);
  void newer(const store::ClusterState& state);

  World& world_;
  store::ClusterState newest_;
  std::map<std::uint64_t, std::uint64_t> digests_;  ///< of the state, by applied index
  std::map<std::string, std::uint64_t> seen_;       ///< by machine: the applied index
  std::map<std::string, WorldTime> fencing_began_;  ///< by "who whom": the first agent of the fencing
  std::map<std::string, std::string> last_owner_;   ///< of a service, who had it last
  std::uint64_t acknowledged_configuration_ = 0;
  std::uint64_t decisions_ = 0;
};

}  // namespace bascule::sim::cluster
