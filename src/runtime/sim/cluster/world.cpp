#include "runtime/sim/cluster/world.h"

#include <fmt/format.h>

#include <algorithm>

namespace bascule::sim::cluster {
namespace {

constexpr std::size_t lines_kept = 400;
constexpr std::uint64_t through_the_codec_every = 16;
constexpr Duration rest_patience = seconds(240);
constexpr Duration coverage_interval = seconds(3);

LinkFaults usual_links() {
  LinkFaults faults;
  faults.loss_permille = 1;
  return faults;
}

}  // namespace

World::World(const Scenario& scenario, Observer* observer)
    : scenario_(scenario),
      observer_(observer),
      scheduler_(scenario.seed),
      network_(scheduler_, scenario.config.nodes.size(), Transport::Datagram,
               [this](std::size_t from, std::size_t to, Datagram datagram) { deliver(from, to, std::move(datagram)); }),
      judge_(*this) {
  network_.set_all_faults(usual_links());
  for (const auto& node : scenario.config.nodes)
    machines_.push_back(
        std::make_unique<Machine>(*this, machines_.size(), node, static_cast<std::int32_t>(prng().between(-450, 450))));
  for (const auto& config : scenario.config.volumes) {
    std::vector<Machine*> on;
    for (const auto& [name, disk] : config.disk) on.push_back(machine(name));
    volumes_.push_back(std::make_unique<Volume>(*this, config, std::array<Machine*, 2>{on.at(0), on.at(1)}));
  }
  outcome_.seed = scenario.seed;
}

World::~World() {
  for (const auto& machine : machines_) machine->power_off();
}

// ---- finding things ---------------------------------------------------------------------------------------------

Machine* World::machine(const std::string& name) {
  for (const auto& each : machines_)
    if (each->name() == name) return each.get();
  return nullptr;
}

Volume* World::volume(const std::string& name) {
  for (const auto& each : volumes_)
    if (each->name() == name) return each.get();
  return nullptr;
}

Blockd* World::blockd(const std::string& name, const Machine& machine) {
  Volume* found = volume(name);
  return found == nullptr ? nullptr : found->on(machine);
}

// ---- what is said -----------------------------------------------------------------------------------------------

void World::violation(const char* promise, const std::string& text) {
  if (!outcome_.violation.empty()) return;
  outcome_.promise = promise;
  outcome_.violation = text;
  if (tracing()) lines_.push_back("broken: " + std::string(promise) + ": " + text);
}

void World::say(const Machine& machine, const std::string& line) {
  if (observer_ != nullptr) observer_->said(*this, machine, line);
  if (!tracing()) return;
  const auto now_us = std::chrono::duration_cast<microseconds>(scheduler_.now().time_since_epoch()).count();
  lines_.push_back(fmt::format("{:>12.3f} ms  {:<4} {}", static_cast<double>(now_us) / 1000, machine.name(), line));
  if (lines_.size() > lines_kept) lines_.pop_front();
}

void World::told(Machine& machine, const message::Event& event) {
  note(std::hash<std::string>{}(event.kind) ^ static_cast<std::uint64_t>(event.at_ns));
  ++outcome_.marks[event.kind];
  if (event.kind == "alone") judge_.goes_on_alone(machine);
  if (observer_ != nullptr) observer_->told(*this, machine, event);
  if (tracing()) say(machine, event.kind + " " + event.subject + ": " + event.text);
}

void World::volume_told(Machine& machine, const Volume& volume, const replication::effect::Event& event) {
  note(std::hash<std::string>{}(event.kind) ^ static_cast<std::uint64_t>(scheduler_.now().time_since_epoch().count()));
  ++outcome_.marks["volume:" + event.kind];
  if (observer_ != nullptr) observer_->volume_told(*this, machine, volume, event);
  if (tracing()) say(machine, volume.name() + " " + event.kind + ": " + event.text);
}

/// B6: nobody else is primary under a lease.
void World::promoted(Machine& machine, const Volume& volume) {
  for (const auto& blockd : volume.blockds()) {
    if (&blockd->machine() == &machine || !blockd->alive || !blockd->primary() || !blockd->lease_valid()) continue;
    violation("B6", volume.name() + " is promoted on " + machine.name() + " while " + blockd->machine_name() +
                        " is primary under a lease");
  }
}

// ---- links ------------------------------------------------------------------------------------------------------

void World::send(Machine& from, std::uint32_t to, Datagram datagram) {
  for (const auto& machine : machines_)
    if (machine->node.id == to) return network_.send(from.number, machine->number, std::move(datagram));
}

void World::deliver(std::size_t from, std::size_t to, Datagram datagram) {
  note(from << 8 | to << 4 | datagram.size());
  const std::uint32_t sender = machines_[from]->node.id;
  if (++delivered_ % through_the_codec_every == 0) {
    for (auto& message : datagram) {
      auto decoded = message::decode(message::encode({sender, message}, scenario_.config.name), scenario_.config.name);
      if (!decoded) return violation("M9", "a message does not survive its codec: " + decoded.error().text());
      message = std::move(decoded->message);
    }
  }
  machines_[to]->manager.receive(sender, std::move(datagram));
}

// ---- processes --------------------------------------------------------------------------------------------------

void World::manager_stopped(Machine& machine) {
  scheduler_.after(Duration{0}, [this, &machine] {
    machine.kill_manager();
    restart_later(machine);
  });
}

void World::watchdog_resets(Machine& machine) {
  say(machine, "the watchdog resets it");
  ++outcome_.marks["watchdog-reset"];
  scheduler_.after(Duration{0}, [this, &machine] { fail_power(machine); });
}

void World::run_fence_agent(Machine& by, const manager::effect::RunFenceAgent& effect, std::function<void(int)> done) {
  const std::string node = effect.node.starts_with("unfence:") ? by.name() : effect.node;
  Machine* target = machine(node);
  if (target == nullptr) return;
  const std::string action = effect.run.action;
  if (action == "off" || action == "reboot") judge_.fencing_begins(by, node);
  const bool fails = action != "status" && fencings_to_fail_ > 0;
  if (fails) --fencings_to_fail_;
  const bool late = fencings_to_delay_ > 0;
  if (late) --fencings_to_delay_;
  // One that fails may have done it all the same.
  const bool acts = !fails || prng().chance(1, 2);
  const Duration takes = late ? between(seconds(2), seconds(9)) : between(milliseconds(100), milliseconds(1500));
  say(by, "fence agent: " + action + " " + node + (fails ? ", which will fail" : ""));
  scheduler_.after(takes, [this, target, action, acts, fails, done = std::move(done)] {
    if (acts && (action == "off" || action == "reboot")) target->power_off();
    if (acts && (action == "on" || action == "reboot") && !target->on) target->power_on();
    const int status = target->on ? 0 : 2;
    done(fails ? 1 : action == "status" ? status : 0);
  });
}

// ---- a run ------------------------------------------------------------------------------------------------------

std::string World::unrest() {
  const auto& agreed = judge_.newest();
  for (const auto& service : scenario_.config.services) {
    const auto found = agreed.services.find(service.name);
    if (scenario_.given && !service.autostart) continue;
    if (found == agreed.services.end() || !found->second.owner) return service.name + " has no owner";
    const Machine* owner = machine(*found->second.owner);
    if (owner == nullptr || !owner->agents.runs(service.name)) return service.name + " does not run on its owner";
    const bool reached = scenario_.given ? owner->agents.serves(service.name) : owner->agents.answers(service.name);
    if (!reached) return service.name + " does not answer at its address";
    for (const auto& other : machines_)
      if (other.get() != owner && other->agents.runs_partly(service.name))
        return service.name + " runs partly on " + other->name();
  }
  for (const auto& volume : volumes_) {
    if (volume->agreed_state().in_sync.size() != 2) return volume->name() + " has not both copies in its set";
    for (const auto& blockd : volume->blockds()) {
      if (!blockd->alive) return "a blockd of " + volume->text() + " does not run";
      const auto status = blockd->engine->status();
      if (status.disk != drbd::DiskState::UpToDate || status.connection != drbd::ConnectionState::Connected)
        return volume->text();
    }
  }
  return {};
}

void World::wait_for_rest() {
  const WorldTime limit = scheduler_.now() + rest_patience;
  WorldTime repaired = scheduler_.now();
  std::string why;
  std::uint32_t calm = 0;
  while (scheduler_.now() < limit && outcome_.violation.empty()) {
    scheduler_.run_until(scheduler_.now() + milliseconds(250));
    why = unrest();
    calm = why.empty() ? calm + 1 : 0;
    if (calm >= 8) return;
    if (scenario_.given || scheduler_.now() - repaired < seconds(20)) continue;
    repaired = scheduler_.now();
    repair();
  }
  if (outcome_.violation.empty()) violation("liveness", "the cluster does not come to rest: " + why);
}

void World::compare_at_the_end() {
  working_ = false;
  const WorldTime limit = scheduler_.now() + seconds(60);
  const auto at_rest = [this] {
    return std::all_of(volumes_.begin(), volumes_.end(), [](const auto& volume) { return volume->at_rest(); });
  };
  while (scheduler_.now() < limit && outcome_.violation.empty() && !at_rest())
    scheduler_.run_until(scheduler_.now() + milliseconds(100));
  for (const auto& volume : volumes_) {
    if (!outcome_.violation.empty()) return;
    if (!volume->at_rest()) return violation("B4", "the replicas do not come together: " + volume->text());
    volume->settled();
  }
  if (!outcome_.violation.empty()) return;
  for (const auto& machine : machines_) machine->power_off();
  for (const auto& volume : volumes_) volume->after_blackout();
}

Outcome World::run() {
  for (const auto& machine : machines_) machine->power_on();
  // Nothing is promised of a cluster that has not begun.
  scenario_.given ? begin_given() : scheduler_.run_until(scheduler_.now() + seconds(20));
  plan_trouble();
  const WorldTime end = scheduler_.now() + scenario_.trouble;
  while (scheduler_.now() < end && outcome_.violation.empty()) {
    scheduler_.run_until(std::min(end, scheduler_.now() + coverage_interval));
    for (const auto& volume : volumes_) volume->check_coverage("while it runs");
  }
  make_peace();
  if (outcome_.violation.empty()) wait_for_rest();
  if (observer_ != nullptr) observer_->rests(*this);
  if (outcome_.violation.empty()) compare_at_the_end();
  outcome_.event_hash = mixed(outcome_.event_hash, scheduler_.events_run());
  outcome_.events = scheduler_.events_run();
  outcome_.simulated_ms = static_cast<std::uint64_t>(to_ms(scheduler_.now().time_since_epoch()));
  for (const auto& volume : volumes_) outcome_.acknowledged += volume->acknowledged_writes();
  outcome_.last_events.assign(lines_.begin(), lines_.end());
  return outcome_;
}

Outcome run(const Scenario& scenario, Observer* observer) { return World(scenario, observer).run(); }

}  // namespace bascule::sim::cluster
