#include "runtime/sim/cluster/judge.h"

#include <utility>

#include "core/decisions/record.h"
#include "runtime/sim/cluster/machine.h"
#include "runtime/sim/cluster/world.h"

namespace bascule::sim::cluster {
namespace {

std::uint64_t mix(std::uint64_t hash, std::uint64_t word) {
  return (hash ^ word) * 0x9e3779b97f4a7c15ULL + (hash >> 31);
}

std::uint64_t mix(std::uint64_t hash, const std::string& text) { return mix(hash, std::hash<std::string>{}(text)); }

std::uint64_t digest(const store::ClusterState& state) {
  std::uint64_t hash = state.configuration();
  for (const auto& [name, volume] : state.volumes) {
    hash = mix(mix(mix(hash, name), volume.epoch), volume.in_sync_version);
    hash = mix(hash, volume.owner.value_or("-"));
    for (const auto& member : volume.in_sync) hash = mix(hash, member);
  }
  for (const auto& [name, service] : state.services)
    hash = mix(mix(mix(hash, name), service.epoch), service.owner.value_or("-"));
  return hash;
}

constexpr std::uint64_t replay_every = 64;

}  // namespace

// ---- what is agreed ---------------------------------------------------------------------------------------------

void Judge::stepped(Machine& machine) {
  if (!machine.manager.alive()) return;
  const store::ClusterState& state = machine.manager.manager().agreed();
  std::uint64_t& seen = seen_[machine.name()];
  if (state.applied_index == seen) return;
  seen = state.applied_index;
  compare_with_others(machine, state);
  if (state.applied_index > newest_.applied_index) newer(state);
}

/// C1: two nodes that have applied the same entries have the same state.
void Judge::compare_with_others(Machine& machine, const store::ClusterState& state) {
  const auto [known, first] = digests_.try_emplace(state.applied_index, digest(state));
  if (!first && known->second != digest(state))
    world_.violation("C1", machine.name() + " has another state at index " + std::to_string(state.applied_index));
  if (digests_.size() > 4096) digests_.erase(digests_.begin());
}

void Judge::newer(const store::ClusterState& state) {
  const store::ClusterState before = std::exchange(newest_, state);
  // M6: what was acknowledged stays.
  if (state.configuration() < acknowledged_configuration_)
    world_.violation("M6",
                     "configuration " + std::to_string(acknowledged_configuration_) + " was acknowledged and is lost");
  for (const auto& [name, volume] : state.volumes) {
    const auto then = before.volumes.find(name);
    const bool had_owner = then != before.volumes.end() && then->second.owner;
    if (had_owner && volume.owner && *volume.owner != *then->second.owner)
      owner_changed("volume:" + name, "", *then->second.owner, then->second.epoch);
    if (auto* simulated = world_.volume(name)) simulated->agreed(volume);
  }
  for (const auto& [name, service] : state.services) {
    const auto then = before.services.find(name);
    const bool had_owner = then != before.services.end() && then->second.owner;
    if (had_owner && service.owner && *service.owner != *then->second.owner)
      owner_changed("service:" + name, name, *then->second.owner, then->second.epoch);
    if (!service.owner) continue;
    auto& last = last_owner_[name];
    if (!last.empty() && last != *service.owner) world_.failed_over();
    last = *service.owner;
    // M5: whoever has something has it for a reason.
    if (service.reason.empty()) world_.violation("M5", name + " was given to " + *service.owner + " without a reason");
  }
}

/// M2: whoever had it before does not act under it any more.
void Judge::owner_changed(const std::string& slot, const std::string& service, const std::string& before,
                          std::uint64_t epoch_before) {
  Machine* machine = world_.machine(before);
  if (machine == nullptr || !machine->on || !machine->holds(slot) || machine->lease(slot).epoch != epoch_before) return;
  const Blockd* blockd = service.empty() ? world_.blockd(slot.substr(7), *machine) : nullptr;
  const bool acts =
      service.empty() ? blockd != nullptr && blockd->alive && blockd->primary() : machine->agents.runs_partly(service);
  if (acts) world_.violation("M2", slot + " was taken over from " + before + " while its lease was valid");
}

void Judge::configuration_acknowledged(std::uint64_t version) {
  acknowledged_configuration_ = std::max(acknowledged_configuration_, version);
}

// ---- who acts ---------------------------------------------------------------------------------------------------

void Judge::lease_changed(Machine&, const std::string& slot) {
  if (slot.starts_with("service:")) service_changed(slot.substr(8));
}

/// M1: no two machines answer at the address of a service.
void Judge::service_changed(const std::string& service) {
  std::string answering;
  for (const auto& machine : world_.machines()) {
    if (!machine->agents.answers(service)) continue;
    if (!answering.empty())
      return world_.violation("M1",
                              answering + " and " + machine->name() + " both answer at the address of " + service);
    answering = machine->name();
  }
}

/// M5: an agent is started only for who owns the service, and knows why.
void Judge::action(Machine& machine, const std::string& runner, const std::string& operation) {
  if (operation != "start") return;
  const auto& services = machine.manager.manager().agreed().services;
  const auto found = services.find(runner);
  if (found == services.end() || found->second.owner != machine.name() || found->second.reason.empty())
    world_.violation("M5", machine.name() + " starts " + runner + " and nothing says why");
}

void Judge::decided(Machine& machine, const std::string& json) {
  if (++decisions_ % replay_every != 1) return;
  const auto record = decisions::read(json);
  if (!record)
    return world_.violation("M5", "a decision of " + machine.name() + " cannot be read: " + record.error().text());
  if (!decisions::replay(*record).same)
    return world_.violation("M5",
                            "a decision of " + machine.name() + " is another one when it is taken again: " + json);
  world_.replayed_decision();
}

// ---- fencing ----------------------------------------------------------------------------------------------------

void Judge::fencing_begins(Machine& by, const std::string& node) {
  const WorldTime now = world_.scheduler().now();
  fencing_began_.try_emplace(by.name() + " " + node, now);
}

/// C2: whoever goes on without the other has seen it switched off.
void Judge::goes_on_alone(Machine& machine) {
  for (const auto& other : world_.machines()) {
    if (other.get() == &machine) continue;
    const auto began = fencing_began_.find(machine.name() + " " + other->name());
    const bool was_off = !other->on || (began != fencing_began_.end() && other->on_since() >= began->second);
    if (!was_off) world_.violation("C2", machine.name() + " goes on without " + other->name() + ", which was not off");
    if (began != fencing_began_.end()) fencing_began_.erase(began);
  }
}

}  // namespace bascule::sim::cluster
