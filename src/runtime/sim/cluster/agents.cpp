#include "runtime/sim/cluster/agents.h"

#include <algorithm>

#include "runtime/sim/cluster/machine.h"
#include "runtime/sim/cluster/world.h"

namespace bascule::sim::cluster {
namespace {

constexpr int done_well = 0, failed_generic = 1, not_running = 7, timed_out = -1;  // OCF, and who was killed
constexpr Duration look_again_after = milliseconds(20);
constexpr Duration unmount_patience = seconds(2);  ///< as runtime/manager_host
constexpr std::size_t open_writes_max = 12;

}  // namespace

Agents::Agents(World& world, Machine& machine) : world_(world), machine_(machine) {}

Agents::Kind Agents::kind_of(const config::Step& step) {
  if (step.standard != config::built_in) return Kind::Program;
  return step.type == "mount" ? Kind::Mount : Kind::Address;
}

Duration Agents::time_of(Kind kind, const std::string& operation) {
  auto& prng = world_.prng();
  const auto draw = [&](std::int64_t low_ms, std::int64_t high_ms) {
    return milliseconds(prng.between(low_ms, high_ms));
  };
  if (kind == Kind::Address) return microseconds(200);
  const auto& given = world_.scenario().given;
  if (given && kind == Kind::Program && operation != "monitor")
    return operation == "stop" ? given->agent_stop : given->agent_start;
  if (operation == "monitor") return kind == Kind::Mount ? microseconds(200) : draw(5, 40);
  return kind == Kind::Mount ? draw(5, 60) : draw(20, 300);
}

// ---- what the manager asks --------------------------------------------------------------------------------------

void Agents::define(const config::Service& service) {
  Instance& instance = instances_[service.name];
  instance.definition = service;
  instance.actions.clear();
}

void Agents::run(const std::string& runner, const transition::effect::RunAction& what) {
  Instance& instance = instances_.at(runner);
  const config::Step& step = instance.definition.steps.at(what.step_index);
  world_.judge().action(machine_, runner, what.operation);
  Action& action = instance.actions[what.action];
  action = {what, world_.new_number(), false};
  Duration takes = time_of(kind_of(step), what.operation);
  if (kind_of(step) == Kind::Program && what.operation != "stop" && std::exchange(trouble.hangs, false))
    takes = what.timeout + seconds(1);
  const WorldTime deadline = world_.scheduler().now() + what.timeout;
  world_.scheduler().after(std::min(takes, what.timeout),
                           [this, runner, id = what.action, number = action.number, deadline] {
                             const auto found = instances_.find(runner);
                             if (found == instances_.end()) return;
                             const auto act = found->second.actions.find(id);
                             if (act != found->second.actions.end() && act->second.number == number)
                               perform(runner, id, deadline);
                           });
}

void Agents::perform(const std::string& runner, transition::ActionId id, WorldTime deadline) {
  Instance& instance = instances_.at(runner);
  Action& action = instance.actions.at(id);
  const config::Step& step = instance.definition.steps.at(action.what.step_index);
  if (world_.scheduler().now() >= deadline) return done(runner, id, timed_out, "timed out");
  std::optional<int> code;
  if (machine_.frozen) {
    // It goes on with all the others.
  } else if (action.what.operation == "start") {
    code = start(instance, step, action);
    if (kind_of(step) == Kind::Program && code == done_well) begin_io(runner);
  } else if (action.what.operation == "stop") {
    code = stop(instance, step);
  } else if (action.what.operation == "notify") {
    code = done_well;
  } else {
    code = look_at(instance, step);
  }
  if (code) return done(runner, id, *code, *code == done_well || *code == not_running ? "" : "it failed");
  world_.scheduler().after(look_again_after, [this, runner, id, number = action.number, deadline] {
    const auto found = instances_.find(runner);
    if (found == instances_.end()) return;
    const auto act = found->second.actions.find(id);
    if (act != found->second.actions.end() && act->second.number == number) perform(runner, id, deadline);
  });
}

void Agents::done(const std::string& runner, transition::ActionId id, int code, const std::string& why) {
  Instance& instance = instances_.at(runner);
  const Action action = instance.actions.extract(id).mapped();
  const auto& step = instance.definition.steps.at(action.what.step_index);
  if (action.what.operation != "monitor")
    world_.say(machine_,
               runner + ": " + step.name + " " + action.what.operation + " ends with " + std::to_string(code));
  world_.judge().service_changed(instance.definition.name);
  tell(runner, transition::input::ActionDone{id, code, why, milliseconds(20)});
}

std::optional<int> Agents::start(Instance& instance, const config::Step& step, const Action& action) {
  bool& running = instance.running[step.name];
  switch (kind_of(step)) {
    case Kind::Mount: {
      Blockd* blockd = blockd_of(instance);
      if (running) return done_well;
      if (blockd == nullptr || blockd->device().empty() || blockd->device() != action.what.device)
        return failed_generic;
      break;
    }
    case Kind::Address:
      break;
    case Kind::Program:
      if (trouble.failing_starts > 0) {
        --trouble.failing_starts;
        return failed_generic;
      }
      if (!running) instance.failed = false;
  }
  running = true;
  return done_well;
}

std::optional<int> Agents::stop(Instance& instance, const config::Step& step) {
  bool& running = instance.running[step.name];
  if (kind_of(step) == Kind::Program) ++instance.io_turn;  // asks for no more
  if (running && kind_of(step) != Kind::Address && waits_for_io(instance)) return std::nullopt;
  running = false;
  return done_well;
}

int Agents::look_at(Instance& instance, const config::Step& step) {
  if (!instance.running[step.name]) return not_running;
  if (kind_of(step) != Kind::Program) return done_well;
  if (instance.failed) return failed_generic;
  if (trouble.lying_monitors == 0) return done_well;
  --trouble.lying_monitors;
  return failed_generic;
}

void Agents::cancel(const std::string& runner) {
  std::vector<transition::ActionId> running;
  for (const auto& [id, action] : instances_.at(runner).actions) running.push_back(id);
  for (const auto id : running) done(runner, id, timed_out, "cancelled");
}

/// A process that waits for its device dies only when it has been answered.
void Agents::kill(const std::string& runner) {
  Instance& instance = instances_.at(runner);
  ++instance.io_turn;
  instance.killing = true;
  world_.say(machine_, runner + ": processes are killed");
  tell_killed(runner);
}

void Agents::tell_killed(const std::string& runner) {
  world_.scheduler().after(milliseconds(5), [this, runner] {
    const auto found = instances_.find(runner);
    if (found == instances_.end() || !found->second.killing) return;
    Instance& instance = found->second;
    if (waits_for_io(instance)) return tell_killed(runner);
    instance.killing = false;
    for (const auto& step : instance.definition.steps)
      if (kind_of(step) == Kind::Program) instance.running[step.name] = false;
    tell(runner, transition::input::CgroupKilled{});
  });
}

void Agents::unmount(const std::string& runner, const std::string& volume) {
  Instance& instance = instances_.at(runner);
  const bool clean = !waits_for_io(instance);
  if (!volume.empty())
    for (const auto& step : instance.definition.steps)
      if (kind_of(step) == Kind::Mount) instance.running[step.name] = false;
  world_.scheduler().after(clean ? milliseconds(10) : unmount_patience, [this, runner, clean] {
    if (instances_.contains(runner)) tell(runner, transition::input::Unmounted{clean});
  });
}

void Agents::manager_ended() {
  for (auto& [name, instance] : instances_) {
    for (const auto& [id, action] : instance.actions) {
      const auto& step = instance.definition.steps.at(action.what.step_index);
      // Its work may be done although nobody is told any more.
      if (!world_.prng().chance(1, 2)) continue;
      if (action.what.operation == "start") (void)start(instance, step, action);
      if (action.what.operation == "stop" && kind_of(step) == Kind::Program) (void)stop(instance, step);
    }
    instance.actions.clear();
    instance.killing = false;
    if (runs(name)) begin_io(name);
  }
}

void Agents::power_off() {
  instances_.clear();
  trouble = {};
}

void Agents::tell(const std::string& runner, transition::Input input) {
  auto& manager = machine_.manager;
  manager.bring([&manager, runner, input = std::move(input)] {
    manager.step(manager::input::ForRunner{runner, input});
  });
}

// ---- what the volume tells --------------------------------------------------------------------------------------

Blockd* Agents::blockd_of(const Instance& instance) {
  return instance.definition.volume ? world_.blockd(*instance.definition.volume, machine_) : nullptr;
}

bool Agents::waits_for_io(const Instance& instance) {
  const Blockd* blockd = blockd_of(instance);
  return blockd != nullptr && blockd->alive && !blockd->application().idle();
}

bool Agents::uses(const std::string& volume) const {
  return std::any_of(instances_.begin(), instances_.end(), [&](const auto& each) {
    const Instance& instance = each.second;
    if (instance.definition.volume != volume) return false;
    const auto& steps = instance.definition.steps;
    return std::any_of(steps.begin(), steps.end(), [&](const config::Step& step) {
      const auto found = instance.running.find(step.name);
      return kind_of(step) == Kind::Mount && found != instance.running.end() && found->second;
    });
  });
}

void Agents::device_gone(const std::string& volume) {
  for (auto& [name, instance] : instances_) {
    if (instance.definition.volume != volume) continue;
    instance.failed = true;
    for (const auto& step : instance.definition.steps)
      if (kind_of(step) == Kind::Mount) instance.running[step.name] = false;
    tell(name, transition::input::ProcessesExited{});
  }
}

void Agents::io_failed(const std::string& volume) {
  for (auto& [name, instance] : instances_)
    if (instance.definition.volume == volume) instance.failed = true;
}

bool Agents::application_dies() {
  for (auto& [name, instance] : instances_) {
    if (!runs(name) || waits_for_io(instance)) continue;
    ++instance.io_turn;
    for (const auto& step : instance.definition.steps)
      if (kind_of(step) == Kind::Program) instance.running[step.name] = false;
    tell(name, transition::input::ProcessesExited{});
    return true;
  }
  return false;
}

// ---- the application --------------------------------------------------------------------------------------------

void Agents::begin_io(const std::string& runner) {
  Instance& instance = instances_.at(runner);
  if (instance.definition.volume) io(runner, ++instance.io_turn);
}

void Agents::io(const std::string& runner, std::uint64_t turn) {
  const std::int64_t every_ns = world_.scenario().io_every.count();
  const Duration next{world_.prng().between(every_ns / 10, every_ns * 19 / 10)};
  world_.scheduler().after(next, [this, runner, turn] {
    const auto found = instances_.find(runner);
    if (found == instances_.end() || found->second.io_turn != turn || found->second.failed) return;
    Blockd* blockd = blockd_of(found->second);
    if (!world_.working() || machine_.frozen || !uses(*found->second.definition.volume)) return io(runner, turn);
    if (!blockd->alive || !blockd->primary() || blockd->device().empty()) {
      found->second.failed = true;  // an I/O error
      return;
    }
    if (blockd->application().open_writes() < open_writes_max) blockd->application().submit_one();
    io(runner, turn);
  });
}

// ---- what others see --------------------------------------------------------------------------------------------

bool Agents::runs(const std::string& service) const {
  const auto found = instances_.find(service);
  if (found == instances_.end() || found->second.definition.steps.empty()) return false;
  const auto& steps = found->second.definition.steps;
  return std::all_of(steps.begin(), steps.end(), [&](const config::Step& step) {
    const auto running = found->second.running.find(step.name);
    return running != found->second.running.end() && running->second;
  });
}

bool Agents::runs_partly(const std::string& service) const {
  const auto found = instances_.find(service);
  if (found == instances_.end()) return false;
  const auto& running = found->second.running;
  return std::any_of(running.begin(), running.end(), [](const auto& step) { return step.second; });
}

bool Agents::answers(const std::string& service) const {
  const auto found = instances_.find(service);
  if (found == instances_.end() || !machine_.on) return false;
  const auto& steps = found->second.definition.steps;
  const bool has_address = std::any_of(steps.begin(), steps.end(), [&](const config::Step& step) {
    const auto running = found->second.running.find(step.name);
    return kind_of(step) == Kind::Address && running != found->second.running.end() && running->second;
  });
  return has_address && machine_.watchdog.open_until(service) > machine_.local();
}

bool Agents::serves(const std::string& service) const {
  if (!runs(service)) return false;
  const Instance& instance = instances_.at(service);
  const auto& steps = instance.definition.steps;
  const bool has_address =
      std::any_of(steps.begin(), steps.end(), [](const config::Step& step) { return kind_of(step) == Kind::Address; });
  return !instance.failed && (!has_address || answers(service));
}

}  // namespace bascule::sim::cluster
