#include "core/transition/service_runner.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"
#include "core/transition/detail/state.h"

namespace bascule::transition {

ServiceRunner::State::State(config::Service service, std::string node_name, config::Timing timing_values)
    : config(std::move(service)),
      node(std::move(node_name)),
      timing(timing_values),
      has_volume(config.volume.has_value()),
      volume_only(config.steps.empty()),
      steps(config.steps.size()) {
  for (std::size_t index = 0; index < steps.size(); ++index) {
    monitors.push_back(monitors_of(config.steps[index]));
    steps[index].next_monitors.assign(monitors[index].size(), never);
    steps[index].warnings.assign(monitors[index].size(), "");
  }
}

void ServiceRunner::State::absorb(const Input& input) {
  if (first_seen == never) first_seen = now;
  std::visit([this](const auto& one) { on(one); }, input);
}

void ServiceRunner::State::on(const input::Ownership& input) {
  ownership_known = true;
  // The agreed failure came and went; while our own report of it is still on its way, the block is ours.
  if (ownership.blocked && !input.blocked) blocked = false;
  if (input.blocked) blocked = true;
  ownership = input;
  if (releasing && owned() != releasing) releasing.reset();
}

void ServiceRunner::State::on(const input::Lease& input) {
  lease = input;
  if (run && lease_epoch(*run) == input.epoch) run_lease_end = input.end;
}

void ServiceRunner::State::on(const input::VolumeChanged& input) {
  const bool attached_now = input.attached && !volume.attached;
  volume = input;
  volume_known = true;
  const bool demote_asked = demote_since != never;
  if (input.promoted_epoch || !input.refusal.empty() || !input.attached || demote_asked) promote_in_flight = false;
  if (attached_now && promote_since != never) promote_since = now;
  const bool lost = volume_promoted && run && input.promoted_epoch != run->volume;
  if (!lost) volume_lost_at = never;
  if (lost && volume_lost_at == never) volume_lost_at = now;
}

void ServiceRunner::State::on(const input::CgroupKilled&) {
  if (name == ServiceStateName::Killing) killing.cgroup_killed = true;
}

void ServiceRunner::State::on(const input::Unmounted&) {
  if (mount_asked) mount_checked = true;
  if (name == ServiceStateName::Killing && (killing.unmount_asked || !has_volume)) killing.unmounted = true;
}

/// A hint in the pause after another one is not forgotten: monitors look when the pause is over.
void ServiceRunner::State::on(const input::ProcessesExited&) {
  if (name != ServiceStateName::Started) return;
  const Instant look_at = std::max(now, hint_at);
  if (now >= hint_at) hint_at = now + hint_pause;
  for (StepRun& step : steps) {
    if (step.next_monitors[0] != never) step.next_monitors[0] = std::min(step.next_monitors[0], look_at);
  }
}

void ServiceRunner::State::apply_rules() {
  static constexpr std::array rules = {
      // what ends everything else
      &State::rule_deposed,
      &State::rule_agent_overdue,
      &State::rule_volume_lost,
      &State::rule_stop_too_long,
      &State::rule_lease_ended,
      &State::rule_maintenance_over,
      &State::rule_blocked,
      &State::rule_unblocked,
      // Unknown, Held
      &State::rule_probe,
      &State::rule_unowned_primary,
      &State::rule_judge_probes,
      &State::rule_adopt,
      &State::rule_lease_back,
      &State::rule_grace_over,
      &State::rule_stop_requested,
      &State::rule_pause,
      // Promoting, Starting, Started
      &State::rule_promoted,
      &State::rule_promote_failed,
      &State::rule_promote,
      &State::rule_start_next,
      &State::rule_restart,
      &State::rule_restarted,
      &State::rule_monitor,
      // Stopping
      &State::rule_stop_next,
      &State::rule_stopped_steps,
      &State::rule_demote,
      // Killing
      &State::rule_kill_unmount,
      &State::rule_kill_near_stops,
      &State::rule_kill_demote,
      &State::rule_kill_far_stops,
      &State::rule_kill_finish,
      // Stopped, Failed
      &State::rule_failed_over,
      &State::rule_stale_mount,
      &State::rule_unexpected_primary,
      &State::rule_waits,
      &State::rule_release,
      &State::rule_start,
  };
  int rounds = 0;
  for (std::size_t index = 0; index < rules.size();) {
    if ((this->*rules[index])()) {
      BASCULE_ASSERT(++rounds < 1000);
      index = 0;
    } else {
      ++index;
    }
  }
}

message::ServiceReport ServiceRunner::State::report() const {
  message::ServiceReport result;
  result.name = config.name;
  if (run) {
    result.epoch = lease_epoch(*run);
  } else if (const auto epochs = owned()) {
    result.epoch = lease_epoch(*epochs);
  }
  result.state = text(name);
  result.why = why;
  for (std::size_t index = 0; index < steps.size(); ++index) {
    const StepRun& step = steps[index];
    result.steps.push_back(
        {config.steps[index].name, text(step.condition), step.start_ms, step.stop_ms, step.warning()});
  }
  return result;
}

ServiceRunner::ServiceRunner(config::Service service, std::string node, config::Timing timing)
    : state_(std::make_shared<State>(std::move(service), std::move(node), timing)) {}

void ServiceRunner::step(const Input& input, Instant now, Effects& effects) {
  state_->now = now;
  state_->effects = &effects;
  state_->absorb(input);
  state_->apply_rules();
  state_->effects = nullptr;
  state_->deadline = state_->next_deadline();
}

Instant ServiceRunner::next_deadline() const { return state_->deadline; }

message::ServiceReport ServiceRunner::report() const { return state_->report(); }

void ServiceRunner::redefine(config::Service service, config::Timing timing) {
  BASCULE_ASSERT(service.steps.size() == state_->steps.size() && service.volume == state_->config.volume);
  state_->config = std::move(service);
  state_->timing = timing;
  state_->deadline = state_->next_deadline();
}

}  // namespace bascule::transition
