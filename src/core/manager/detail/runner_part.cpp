// The services' machines on this node.

#include "core/manager/detail/state.h"
#include "core/membership/lease_names.h"
#include "core/reconfiguration/definition.h"
#include "core/store/operations.h"

namespace bascule::manager {

std::string Manager::State::Runner::slot() const {
  return by_hand ? membership::volume_lease(*volume) : membership::service_lease(name);
}

/// The machines follow the configuration: one per service, and one per volume for the times when it is held by hand.
/// What runs by a definition that is another one by now is first stopped by the definition that it was started with.
void Manager::State::reconcile_runners() {
  std::set<std::string> names;
  for (const auto& service : config.services) names.insert(service.name);
  for (const auto& [name, service] : store.state().services)
    if (service.owner == self->name) names.insert(name);
  for (const auto& runner : runners)
    if (!runner.by_hand) names.insert(runner.name);
  for (const auto& name : names) reconcile_service(name);
  reconcile_volume_runners();
  keep_volumes_of_runners();
  tell_ownership();
}

void Manager::State::reconcile_service(const std::string& name) {
  const bool runs_services = self->role == config::NodeRole::data;
  const auto* wanted = is_configured && runs_services ? config.service(name) : nullptr;
  const bool elsewhere = wanted != nullptr && wanted->copy && !wanted->copy->node.empty();
  if (elsewhere && wanted->copy->node != self->name) wanted = nullptr;  // another node's copy
  const auto* runs = runs_services ? definition_that_runs(name) : nullptr;
  const bool stale = runs != nullptr && (wanted == nullptr || reconfiguration::needs_restart(*runs, *wanted));
  const auto* target = stale ? runs : wanted;
  auto* runner = find_runner(name);
  if (runner == nullptr) {
    if (target != nullptr) add_runner(*target, false).retiring = stale;
    return;
  }
  if (!runner->ever_told && target != nullptr && reconfiguration::needs_restart(runner->definition, *target)) {
    define(*runner, *target);
    runner->retiring = stale;
  } else if (wanted != nullptr && !reconfiguration::needs_restart(runner->definition, *wanted)) {
    runner->retiring = false;
    if (runner->definition == *wanted && runner->timing == config.timing) return;
    runner->definition = *wanted;
    runner->timing = config.timing;
    runner->machine->redefine(*wanted, config.timing);
    out->push_back(effect::DefineRunner{name, *wanted, false});
  } else if (!is_idle(*runner)) {
    runner->retiring = true;
  } else if (wanted != nullptr) {
    define(*runner, *wanted);
  } else {
    close_runner(name);
  }
}

void Manager::State::reconcile_volume_runners() {
  const bool runs_services = self->role == config::NodeRole::data && is_configured;
  for (const auto& volume : config.volumes) {
    const auto name = runner_of_volume(volume.name);
    if (!runs_services || find_runner(name) != nullptr) continue;
    config::Service by_hand;
    by_hand.name = name;
    by_hand.volume = volume.name;
    (void)add_runner(by_hand, true);
  }
  std::vector<std::string> gone;
  for (auto& runner : runners) {
    if (!runner.by_hand) continue;
    runner.retiring = !runs_services || config.volume(*runner.volume) == nullptr;
    if (runner.retiring && is_idle(runner)) gone.push_back(runner.name);
  }
  for (const auto& name : gone) close_runner(name);
}

/// A blockd is spoken with as long as a machine could need it.
void Manager::State::keep_volumes_of_runners() {
  std::set<std::string> used;
  for (const auto& runner : runners)
    if (runner.volume) used.insert(*runner.volume);
  for (const auto& name : used) {
    if (!volumes.try_emplace(name).second) continue;
    const auto* volume = config.volume(name);
    if (volume == nullptr || volume->disk.count(self->name) != 0) out->push_back(effect::AttendVolume{name, true});
  }
  for (auto it = volumes.begin(); it != volumes.end();) {
    if (used.count(it->first) == 0) out->push_back(effect::AttendVolume{it->first, false});
    it = used.count(it->first) == 0 ? volumes.erase(it) : std::next(it);
  }
}

Manager::State::Runner* Manager::State::find_runner(const std::string& name) {
  for (auto& runner : runners)
    if (runner.name == name) return &runner;
  return nullptr;
}

/// Nothing of it runs here, and nothing here is its own.
bool Manager::State::is_idle(const Runner& runner) const {
  if (!running || !state_is_current) return false;
  const auto ownership = ownership_of(runner);
  if (ownership.service_epoch || ownership.volume_epoch) return false;
  const auto state = runner.machine->report().state;
  return state == "Stopped" || state == "Failed";
}

/// By what a service that this node has was started; null when this node does not have it.
const config::Service* Manager::State::definition_that_runs(const std::string& name) {
  const auto found = store.state().services.find(name);
  if (found == store.state().services.end() || found->second.owner != self->name) return nullptr;
  const auto* then = configuration_at(found->second.configuration);
  return then == nullptr ? nullptr : then->service(name);
}

Manager::State::Runner& Manager::State::add_runner(const config::Service& definition, bool by_hand) {
  Runner runner;
  runner.name = definition.name;
  runner.by_hand = by_hand;
  runners.push_back(std::move(runner));
  define(runners.back(), definition);
  return runners.back();
}

void Manager::State::define(Runner& runner, const config::Service& definition) {
  runner.definition = definition;
  runner.volume = definition.volume;
  runner.timing = config.timing;
  runner.retiring = runner.ever_told = false;
  runner.told = {};
  runner.lease = {};
  forget_actions(runner.name);
  runner.machine = std::make_unique<transition::ServiceRunner>(definition, self->name, config.timing);
  out->push_back(effect::DefineRunner{runner.name, definition, true});
  if (runner.volume && volumes.count(*runner.volume) != 0) tell_volume(*runner.volume, "");
}

void Manager::State::close_runner(const std::string& name) {
  std::erase_if(runners, [&](const Runner& runner) { return runner.name == name; });
  out->push_back(effect::CloseRunner{name});
}

void Manager::State::step_runner(Runner& runner, const transition::Input& input) {
  transition::Effects effects;
  const auto before = runner.machine->report().state;
  runner.machine->step(input, now, effects);
  for (auto& effect : effects) carry_out(runner, effect);
  const auto after = runner.machine->report().state;
  if (after != before) runner_went_on = true;
  if (before == "Killing" && after != before) tell_gone(runner.definition, self->name);
  if (effects.empty()) return;
  plan_dirty = true;
  report_soon();
}

void Manager::State::carry_out(Runner& runner, transition::Effect& effect) {
  namespace te = transition::effect;
  if (auto* run = std::get_if<te::RunAction>(&effect)) return begin_action(runner, *run);
  if (std::holds_alternative<te::CancelActions>(effect)) {
    cancel_deferred(runner.name);
    return void(out->push_back(effect::CancelActions{runner.name}));
  }
  if (auto* wanted = std::get_if<te::PromoteVolume>(&effect)) return promote(runner, *wanted);
  if (auto* demote = std::get_if<te::DemoteVolume>(&effect))
    return void(out->push_back(effect::Demote{runner.volume.value_or(""), demote->force}));
  if (std::holds_alternative<te::FailHeldIo>(effect))
    return void(out->push_back(effect::FailIo{runner.volume.value_or("")}));
  if (std::holds_alternative<te::KillCgroup>(effect)) return kill_cgroup(runner);
  if (std::holds_alternative<te::Unmount>(effect)) {
    // What a person mounts on a volume that is primary by hand is none of the service's.
    const bool own = runner.volume && (runner.by_hand || promoted_by(*runner.volume) == runner.name);
    return void(out->push_back(effect::Unmount{runner.name, own ? *runner.volume : ""}));
  }
  if (auto* wanted = std::get_if<te::Propose>(&effect)) {
    if (auto* failure = std::get_if<message::RecordFailure>(&wanted->command)) failure->at_ms = wall_now_ms();
    return propose(std::move(wanted->command));
  }
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
  ownership.stop_requested = ownership.stop_requested || runner.retiring;
  if (runner.by_hand) return ownership;
  if (const auto service = state.services.find(runner.name); service != state.services.end()) {
    if (service->second.owner == self->name) ownership.service_epoch = service->second.epoch;
    ownership.stop_requested = service->second.stop_requested || runner.retiring;
    ownership.reason = service->second.reason;
    if (service->second.restarts_asked > service->second.restarts_done)
      ownership.restart = service->second.restarts_asked, ownership.restart_step = service->second.restart_step;
    const auto failure = service->second.failures.find(self->name);
    ownership.blocked = failure != service->second.failures.end() && failure->second.reaction == "block";
  }
  add_relations(runner, ownership);
  return ownership;
}

void Manager::State::note_currentness(std::uint64_t leader_applied_index) {
  if (state_is_current || store.state().applied_index < leader_applied_index) return;
  state_is_current = true;
  tell_ownership();
}

void Manager::State::tell_ownership() {
  if (!state_is_current || !unfenced()) return;
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
