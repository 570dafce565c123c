#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "core/transition/detail/state.h"

namespace bascule::transition {

std::optional<Epochs> ServiceRunner::State::owned() const {
  if (!ownership_known) return std::nullopt;
  if (!volume_only && !ownership.service_epoch) return std::nullopt;
  if (has_volume && !ownership.volume_epoch) return std::nullopt;
  return Epochs{volume_only ? 0 : *ownership.service_epoch, has_volume ? *ownership.volume_epoch : 0};
}

std::uint64_t ServiceRunner::State::lease_epoch(const Epochs& epochs) const {
  return volume_only ? epochs.volume : epochs.service;
}

/// What is kept without a quorum needs a lease only to begin.
bool ServiceRunner::State::lease_valid() const {
  return run && !adopting && (now < run_lease_end || config.keeps_without_quorum);
}

bool ServiceRunner::State::may_start() const {
  const auto epochs = owned();
  if (!epochs || ownership.stop_requested || ownership.maintenance || blocked || releasing || !actions.empty())
    return false;
  if (!ownership.waits_for.empty()) return false;
  if (mount_asked && !mount_checked) return false;
  return lease.epoch == lease_epoch(*epochs) && now < lease.end;
}

bool ServiceRunner::State::volume_ready() const {
  if (!has_volume) return true;
  return run && volume.promoted_epoch == run->volume && !volume.device.empty();
}

bool ServiceRunner::State::in(std::initializer_list<ServiceStateName> names) const {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Nothing in the kernel mutes a role, as it mutes an address and holds a volume's writes: it ends with its lease.
Instant ServiceRunner::State::hold_until() const {
  return config.is_role ? run_lease_end : later(run_lease_end, timing.hold_grace);
}

Instant ServiceRunner::State::kill_at() const {
  return config.is_role ? later(run_lease_end, timing.hold_grace) : later(hold_until(), timing.stop_deadline);
}

std::size_t ServiceRunner::State::first_not_started() const {
  std::size_t index = 0;
  while (index < steps.size() && steps[index].condition == StepRun::Condition::Started) ++index;
  return index;
}

void ServiceRunner::State::become(ServiceStateName next, const std::string& reason) {
  BASCULE_ASSERT(allowed(name, next));
  name = next;
  why = reason;
  for (StepRun& step : steps) step.next_monitors.assign(step.next_monitors.size(), never);
}

void ServiceRunner::State::tell(const std::string& kind, const std::string& text,
                                std::map<std::string, std::string> fields) {
  emit(effect::Event{kind, text, std::move(fields)});
}

void ServiceRunner::State::run_action(std::size_t index, const std::string& operation, Duration timeout,
                                      Duration interval) {
  BASCULE_ASSERT(!steps[index].action);
  const ActionId id = ++last_action;
  steps[index].action = id;
  actions[id] = Pending{index, operation, now + timeout + action_slack + time_to_notify(index, operation)};
  emit(effect::RunAction{id, index, agent_operation(operation), timeout, interval, volume.device, 0, {}});
}

/// It waits for a notification that runs. The other copies hear of it before it begins and when it has ended, and its
/// result comes after that.
Duration ServiceRunner::State::time_to_notify(std::size_t index, const std::string& operation) const {
  if (!config.notify) return {};
  return (operation == "monitor" ? 1 : 3) * (config.steps[index].notify_timeout + action_slack);
}

/// A role is begun by promoting what runs already, and ended by demoting it.
std::string ServiceRunner::State::agent_operation(const std::string& operation) const {
  if (!config.is_role || operation == "monitor") return operation;
  return operation == "start" ? "promote" : "demote";
}

void ServiceRunner::State::run_monitor(std::size_t index, std::size_t which) {
  const config::Monitor& monitor = monitors[index][which];
  run_action(index, "monitor", monitor.timeout, monitor.interval);
  actions[last_action].monitor = which;
  std::get<effect::RunAction>(effects->back()).check_level = monitor.check_level;
}

void ServiceRunner::State::cancel_actions() {
  bool any = false;
  for (auto& [id, pending] : actions) any |= !std::exchange(pending.cancelled, true);
  if (any) emit(effect::CancelActions{});
}

void ServiceRunner::State::record_failure(bool start_failed, const std::string& text) {
  message::RecordFailure failure;
  failure.start_failed = start_failed;
  failure.text = text;
  record_failure(std::move(failure));
}

void ServiceRunner::State::record_failure(message::RecordFailure failure) {
  if (volume_only || !run) return;
  failure.service = config.name;
  failure.node = node;
  failure.epoch = run->service;
  emit(effect::Propose{std::move(failure)});
}

}  // namespace bascule::transition
