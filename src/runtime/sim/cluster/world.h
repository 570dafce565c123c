#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/sim/cluster/judge.h"
#include "runtime/sim/cluster/machine.h"
#include "runtime/sim/cluster/observer.h"
#include "runtime/sim/cluster/scenario.h"
#include "runtime/sim/cluster/volume.h"
#include "runtime/sim/network.h"

namespace bascule::sim::cluster {

/// What a run came to.
struct Outcome {
  std::uint64_t seed = 0;
  std::string violation;  ///< empty: everything held
  std::string promise;    ///< the one that was broken
  std::uint64_t event_hash = 0;
  std::uint64_t events = 0;
  std::uint64_t simulated_ms = 0;
  std::array<std::uint64_t, fault_kinds> faults{};
  std::uint64_t failovers = 0;  ///< a service was given to another node than before
  std::uint64_t restarts = 0;   ///< of a process or machine
  std::uint64_t acknowledged = 0;
  std::uint64_t decisions_replayed = 0;
  std::map<std::string, std::uint64_t> marks;  ///< kinds of the cluster's story, how often
  std::vector<std::string> last_events;        ///< when traced
};

/// One cluster: machines, links, volumes, people, trouble; in one thread, from one seed.
class World {
 public:
  /// `observer`: null, or it outlives the world.
  explicit World(const Scenario& scenario, Observer* observer = nullptr);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Outcome run();

  // -- for the parts
  [[nodiscard]] Scheduler& scheduler() { return scheduler_; }
  [[nodiscard]] Prng& prng() { return scheduler_.prng(); }
  [[nodiscard]] const Scenario& scenario() const { return scenario_; }
  [[nodiscard]] Judge& judge() { return judge_; }
  [[nodiscard]] const std::vector<std::unique_ptr<Machine>>& machines() const { return machines_; }
  [[nodiscard]] const std::vector<std::unique_ptr<Volume>>& volumes() const { return volumes_; }
  /// Null: there is none of this name.
  [[nodiscard]] Machine* machine(const std::string& name);
  [[nodiscard]] Volume* volume(const std::string& name);
  [[nodiscard]] Blockd* blockd(const std::string& volume, const Machine& machine);
  [[nodiscard]] std::uint64_t new_number() { return ++numbers_; }
  /// Whether applications ask for I/O.
  [[nodiscard]] bool working() const { return working_; }
  [[nodiscard]] bool linked(const Machine& from, const Machine& to) {
    return !network_.faults(from.number, to.number).cut;
  }

  void send(Machine& from, std::uint32_t to, Datagram datagram);
  void run_fence_agent(Machine& by, const manager::effect::RunFenceAgent& effect, std::function<void(int)> done);
  void manager_stopped(Machine& machine);
  void watchdog_resets(Machine& machine);
  void told(Machine& machine, const message::Event& event);
  void volume_told(Machine& machine, const Volume& volume, const replication::effect::Event& event);
  void promoted(Machine& machine, const Volume& volume);
  void failed_over() { ++outcome_.failovers; }
  void replayed_decision() { ++outcome_.decisions_replayed; }

  /// The first one counts.
  void violation(const char* promise, const std::string& text);
  /// One line of the transcript.
  void say(const Machine& machine, const std::string& line);
  [[nodiscard]] bool tracing() const { return scenario_.trace; }

 private:
  friend class Trouble;
  [[nodiscard]] Duration between(Duration low, Duration high) {
    return Duration{prng().between(low.count(), high.count())};
  }
  void deliver(std::size_t from, std::size_t to, Datagram datagram);
  void note(std::uint64_t word) { outcome_.event_hash = mixed(outcome_.event_hash, word); }
  static std::uint64_t mixed(std::uint64_t hash, std::uint64_t word) {
    return (hash ^ word) * 0x9e3779b97f4a7c15ULL + (hash >> 29);
  }

  // -- trouble (trouble.cpp)
  void plan_trouble();
  void strike();
  void strike(Fault fault);
  void kill_a_process(Fault fault);
  void restart_later(Machine& machine);
  void pause_some(Fault fault);
  void fail_power(Machine& machine);
  void cut_some(Fault fault);
  void trouble_links(Fault fault);
  void trouble_connections(Fault fault);
  void trouble_agents(Fault fault);
  void make_peace();
  [[nodiscard]] Machine& any_machine() { return *machines_[prng().below(machines_.size())]; }
  [[nodiscard]] Machine& any_data_machine();

  // -- people (people.cpp)
  void act(Fault fault);
  void ask(Machine& at, const message::Command& command);
  void configure(Machine& at);
  void repair();

  // -- a rehearsal (given.cpp)
  void begin_given();
  void move_to_owners();
  void look_again();

  // -- the end (world.cpp)
  [[nodiscard]] std::string unrest();
  void wait_for_rest();
  void compare_at_the_end();

  Scenario scenario_;
  Observer* observer_;
  Scheduler scheduler_;
  Network<Datagram> network_;
  Judge judge_;
  std::vector<std::unique_ptr<Machine>> machines_;
  std::vector<std::unique_ptr<Volume>> volumes_;
  Outcome outcome_;
  std::uint64_t numbers_ = 0;
  std::uint64_t delivered_ = 0;
  bool working_ = true;
  bool peace_ = false;
  std::uint32_t fencings_to_fail_ = 0, fencings_to_delay_ = 0;
  std::uint32_t configurations_ = 0;
  std::deque<std::string> lines_;
};

/// Builds the world of a scenario and runs it. `observer`: null, or it looks on.
[[nodiscard]] Outcome run(const Scenario& scenario, Observer* observer = nullptr);

}  // namespace bascule::sim::cluster
