#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/manager/manager.h"
#include "runtime/sim/cluster/volume.h"

namespace bascule::sim::cluster {

/// What one machine runs for the services: mounts, addresses and applications, and the agents that start, stop and look
/// at them. It outlives the manager, and ends with the machine.
class Agents {
 public:
  Agents(World& world, Machine& machine);

  // -- what the manager asks
  void define(const config::Service& service);
  void run(const std::string& runner, const transition::effect::RunAction& action);
  void cancel(const std::string& runner);
  void kill(const std::string& runner);
  void unmount(const std::string& runner, const std::string& volume);
  /// The manager has ended: whatever it had started of agents dies with it.
  void manager_ended();
  void power_off();

  // -- what the volume tells
  [[nodiscard]] bool uses(const std::string& volume) const;
  /// The block device is gone: whoever had it open gets errors.
  void device_gone(const std::string& volume);
  void io_failed(const std::string& volume);

  // -- trouble
  struct Trouble {
    std::uint32_t failing_starts = 0;  ///< so many of the next starts fail
    std::uint32_t lying_monitors = 0;  ///< so many of the next monitors say "failed" of what runs
    bool hangs = false;                ///< the next action takes its whole time
  };
  Trouble trouble;
  /// An application ends by itself; false: none runs here.
  bool application_dies();

  /// Every step of it is started here.
  [[nodiscard]] bool runs(const std::string& service) const;
  /// Anything of it is.
  [[nodiscard]] bool runs_partly(const std::string& service) const;
  /// The machine answers at the addresses of this service, as far as its own kernel's lease lets it.
  [[nodiscard]] bool answers(const std::string& service) const;
  /// It runs without an error that it knows of, and answers at its address, if it has one.
  [[nodiscard]] bool serves(const std::string& service) const;

 private:
  enum class Kind : std::uint8_t { Mount, Address, Program };
  struct Action {
    transition::effect::RunAction what;
    std::uint64_t number = 0;
    bool cancelled = false;
  };
  struct Instance {
    config::Service definition;
    std::map<std::string, bool> running;  ///< by step
    bool failed = false;                  ///< the application got an I/O error
    bool killing = false;
    std::uint64_t io_turn = 0;
    std::map<transition::ActionId, Action> actions;
  };
  [[nodiscard]] static Kind kind_of(const config::Step& step);
  [[nodiscard]] Duration time_of(Kind kind, const std::string& operation);
  void perform(const std::string& runner, transition::ActionId id, WorldTime deadline);
  void done(const std::string& runner, transition::ActionId id, int code, const std::string& why);
  /// The code; nothing while it has to wait.
  [[nodiscard]] std::optional<int> start(Instance& instance, const config::Step& step, const Action& action);
  [[nodiscard]] std::optional<int> stop(Instance& instance, const config::Step& step);
  [[nodiscard]] int look_at(Instance& instance, const config::Step& step);
  void tell_killed(const std::string& runner);
  void begin_io(const std::string& runner);
  void io(const std::string& runner, std::uint64_t turn);
  [[nodiscard]] Blockd* blockd_of(const Instance& instance);
  [[nodiscard]] bool waits_for_io(const Instance& instance);
  void tell(const std::string& runner, transition::Input input);

  World& world_;
  Machine& machine_;
  std::map<std::string, Instance> instances_;
};

}  // namespace bascule::sim::cluster
