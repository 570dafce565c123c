// The services' machines on this node.

#include "core/manager/detail/state.h"
#include "core/membership/lease_names.h"
#include "core/store/operations.h"

namespace bascule::manager {

std::string Manager::State::Runner::slot() const {
  return by_hand ? membership::volume_lease(*volume) : membership::service_lease(name);
}

/// One machine per service, and one per volume for the times when it is held by hand.
void Manager::State::make_runners() {
  if (self->role != config::NodeRole::data) return;
  for (const auto& service : config.services)
    runners.push_back({service.name,
                       service.volume,
                       false,
                       std::make_unique<transition::ServiceRunner>(service, self->name, config.timing),
                       {},
                       false});
  for (const auto& volume : config.volumes) {
    config::Service by_hand;
    by_hand.name = runner_of_volume(volume.name);
    by_hand.volume = volume.name;
    runners.push_back({by_hand.name,
                       volume.name,
                       true,
                       std::make_unique<transition::ServiceRunner>(by_hand, self->name, config.timing),
                       {},
                       false});
    volumes[volume.name];
  }
}

void Manager::State::step_runner(Runner& runner, const transition::Input& input) {
  transition::Effects effects;
  runner.machine->step(input, now, effects);
  for (auto& effect : effects) carry_out(runner, effect);
  if (!effects.empty()) plan_dirty = true;
}

void Manager::State::carry_out(Runner& runner, transition::Effect& effect) {
  namespace te = transition::effect;
  if (auto* run = std::get_if<te::RunAction>(&effect))
    return void(out->push_back(effect::RunAction{runner.name, *run}));
  if (std::holds_alternative<te::CancelActions>(effect))
    return void(out->push_back(effect::CancelActions{runner.name}));
  if (auto* wanted = std::get_if<te::PromoteVolume>(&effect)) return promote(runner, *wanted);
  if (auto* demote = std::get_if<te::DemoteVolume>(&effect))
    return void(out->push_back(effect::Demote{runner.volume.value_or(""), demote->force}));
  if (std::holds_alternative<te::FailHeldIo>(effect))
    return void(out->push_back(effect::FailIo{runner.volume.value_or("")}));
  if (std::holds_alternative<te::KillCgroup>(effect)) return void(out->push_back(effect::KillCgroup{runner.name}));
  if (std::holds_alternative<te::Unmount>(effect))
    return void(out->push_back(effect::Unmount{runner.name, runner.volume.value_or("")}));
  if (auto* wanted = std::get_if<te::Propose>(&effect)) return propose(std::move(wanted->command));
  if (auto* release = std::get_if<te::ReleaseLease>(&effect)) {
    if (!runner.by_hand) release_lease(runner.slot(), release->service_epoch);
    if (runner.volume) release_lease(membership::volume_lease(*runner.volume), release->volume_epoch);
    return;
  }
  if (auto* event = std::get_if<te::Event>(&effect)) {
    const std::string subject = runner.by_hand ? *runner.volume : runner.name;
    return story(event->kind, subject, event->text, event->fields);
  }
}

transition::input::Ownership Manager::State::ownership_of(const Runner& runner) const {
  transition::input::Ownership ownership;
  const auto& state = store.state();
  if (const auto volume = state.volumes.find(runner.volume.value_or("")); volume != state.volumes.end()) {
    const bool mine = volume->second.owner == self->name && volume->second.held_by_hand == runner.by_hand;
    if (mine) ownership.volume_epoch = volume->second.epoch;
    if (mine && runner.by_hand) ownership.stop_requested = volume->second.stop_requested;
  }
  ownership.maintenance = store::in_maintenance(state, runner.by_hand ? "" : runner.name, self->name) != nullptr;
  if (runner.by_hand) return ownership;
  if (const auto service = state.services.find(runner.name); service != state.services.end()) {
    if (service->second.owner == self->name) ownership.service_epoch = service->second.epoch;
    ownership.stop_requested = service->second.stop_requested;
    ownership.reason = service->second.reason;
    if (service->second.restarts_asked > service->second.restarts_done)
      ownership.restart = service->second.restarts_asked, ownership.restart_step = service->second.restart_step;
  }
  return ownership;
}

void Manager::State::note_currentness(std::uint64_t leader_applied_index) {
  if (state_is_current || store.state().applied_index < leader_applied_index) return;
  state_is_current = true;
  tell_ownership();
}

void Manager::State::tell_ownership() {
  if (!state_is_current) return;
  bool gained = false;
  for (auto& runner : runners) {
    const auto ownership = ownership_of(runner);
    if (runner.ever_told && ownership == runner.told) continue;
    gained = gained || ownership.service_epoch != runner.told.service_epoch ||
             ownership.volume_epoch != runner.told.volume_epoch;
    runner.told = ownership;
    runner.ever_told = true;
    step_runner(runner, ownership);
  }
  if (gained) next_heartbeat = now;  // ask for the lease at once
}

/// A volume has two machines that could hold it, and one promotion: only the one it belongs to sees it as its own.
void Manager::State::tell_volume(const std::string& name, const std::string& refusal) {
  const auto& volume = volumes[name];
  const auto owner = promoted_by(name);
  for (auto& runner : runners) {
    if (runner.volume != name) continue;
    transition::input::VolumeChanged changed;
    changed.attached = volume.connected && volume.state.report.attached;
    if (runner.name == owner) {
      changed.promoted_epoch = volume.state.promoted_epoch;
      changed.device = volume.state.report.device;
      changed.refusal = refusal;
    }
    step_runner(runner, changed);
  }
}

void Manager::State::tick_runners() {
  for (auto& runner : runners)
    if (now >= runner.machine->next_deadline()) step_runner(runner, transition::input::Tick{});
}

}  // namespace bascule::manager
