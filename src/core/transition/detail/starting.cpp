#include "core/transition/detail/state.h"

namespace bascule::transition {

using enum ServiceStateName;
using Condition = StepRun::Condition;

bool ServiceRunner::State::rule_start() {
  if (name != Stopped || !may_start()) return false;
  if (has_volume && !volume.attached) {
    why = "waiting for blockd to attach volume " + *config.volume;
    return false;
  }
  run = owned();
  run_lease_end = lease.end;
  started_at = now;
  next_start = now;
  failed = waited = false;
  volume_promoted = false;
  volume_lost_at = never;
  demote_since = never;
  last_refusal.clear();
  if (has_volume) {
    promote_since = next_promote = now;
    become(Promoting, "");
  } else {
    become(Starting, "");
  }
  return true;
}

bool ServiceRunner::State::rule_promote() {
  if (name != Promoting || !lease_valid() || resting() || !volume.attached || now < next_promote) return false;
  next_promote = now + volume_retry;
  promote_in_flight = true;
  emit(effect::PromoteVolume{run->volume, false});
  return true;
}

bool ServiceRunner::State::rule_promoted() {
  if (name != Promoting || !volume_ready()) return false;
  promote_in_flight = false;
  volume_promoted = true;
  const std::string ms = std::to_string(to_ms(now - promote_since));
  tell("volume-promoted", *config.volume + " is primary on " + node + " as " + volume.device,
       {{"volume", *config.volume}, {"device", volume.device}, {"ms", ms}});
  if (volume_only) {
    enter_started("");
  } else {
    become(Starting, "");
  }
  return true;
}

bool ServiceRunner::State::rule_promote_failed() {
  if (name != Promoting || volume.refusal.empty() || resting()) return false;
  if (now >= later(promote_since, promote_patience) && volume.attached) {
    const std::string text = "volume " + *config.volume + " cannot be promoted: " + volume.refusal;
    record_failure(true, text);
    failed = true;
    stop_all(text);
    return true;
  }
  why = volume.refusal;
  if (volume.refusal == last_refusal) return false;
  last_refusal = volume.refusal;
  tell("takeover-refused", *config.volume + " was not promoted: " + volume.refusal, {{"volume", *config.volume}});
  return true;
}

bool ServiceRunner::State::rule_start_next() {
  if (name != Starting || !lease_valid() || !volume_ready()) return false;
  const std::size_t index = first_not_started();
  if (index == steps.size()) {
    enter_started("");
    return true;
  }
  if (steps[index].action || !actions.empty() || resting() || now < next_start) return false;
  steps[index].condition = Condition::Starting;
  run_action(index, "start", config.steps[index].start_timeout, {});
  return true;
}

void ServiceRunner::State::enter_started(const std::string& reason) {
  const bool held = name == Held;
  become(Started, reason);
  for (std::size_t index = 0; index < steps.size(); ++index) {
    for (std::size_t which = 0; which < monitors[index].size(); ++which) {
      const Duration interval = monitors[index][which].interval;
      if (interval > Duration::zero()) steps[index].next_monitors[which] = held ? now : now + interval;
    }
  }
  if (volume_only || held) return;
  const std::string ms = std::to_string(to_ms(now - started_at));
  const std::string how = reason.empty() ? " started in " + ms + " ms" : " goes on: " + reason;
  tell("service-started", config.name + how, {{"ms", ms}});
}

bool ServiceRunner::State::rule_monitor() {
  if (name != Started || !lease_valid() || (was_in_maintenance && !ownership.maintenance)) return false;
  bool any = false;
  for (std::size_t index = 0; index < steps.size(); ++index) {
    StepRun& step = steps[index];
    for (std::size_t which = 0; which < monitors[index].size(); ++which) {
      if (step.action || now < step.next_monitors[which]) continue;
      step.next_monitors[which] = now + monitors[index][which].interval;  // set again when it is answered
      run_monitor(index, which);
      any = true;
    }
  }
  return any;
}

}  // namespace bascule::transition
