#include <algorithm>

#include "core/transition/detail/state.h"

namespace bascule::transition {

using enum ServiceStateName;
using Condition = StepRun::Condition;

void ServiceRunner::State::stop_all(const std::string& reason) {
  stop_to = 0;
  recovering = pausing = false;
  demote_since = never;
  become(Stopping, reason);
}

bool ServiceRunner::State::steps_stopped() const {
  return actions.empty() && std::none_of(steps.begin() + static_cast<std::ptrdiff_t>(stop_to), steps.end(),
                                         [](const StepRun& step) { return step.active(); });
}

bool ServiceRunner::State::volume_down() const { return !has_volume || (!promote_in_flight && !volume.promoted_epoch); }

/// The highest step that may run, one at a time; what is under way there is waited for.
bool ServiceRunner::State::rule_stop_next() {
  if (name != Stopping || resting()) return false;
  for (std::size_t index = steps.size(); index > stop_to; --index) {
    StepRun& step = steps[index - 1];
    if (step.action) return false;
    if (!step.active()) continue;
    step.condition = Condition::Stopping;
    run_action(index - 1, "stop", config.steps[index - 1].stop_timeout, {});
    return true;
  }
  return false;
}

bool ServiceRunner::State::rule_stopped_steps() {
  if (name != Stopping || !steps_stopped()) return false;
  if (recovering) {
    recovering = false;
    if (!volume_promoted && has_volume) {
      next_promote = promote_since = now;
      become(Promoting, why);
    } else {
      become(Starting, why);
    }
    return true;
  }
  if (!volume_down()) return false;
  finish();
  return true;
}

bool ServiceRunner::State::rule_demote() {
  if (name != Stopping || recovering || !steps_stopped() || volume_down()) return false;
  if (resting() && demote_since == never) return false;
  if (demote_since == never) {
    demote_since = next_demote = now;
  } else if (now >= later(demote_since, demote_patience)) {
    kill("volume " + *config.volume + " cannot be demoted: " + volume.refusal);
    return true;
  }
  if (now < next_demote) return false;
  next_demote = now + volume_retry;
  emit(effect::DemoteVolume{false});
  return true;
}

/// Nothing runs here any more: the watchdog need not care, and the cluster shall know.
void ServiceRunner::State::finish() {
  for (StepRun& step : steps) step.condition = Condition::Stopped;
  if (volume_promoted) {
    tell("volume-demoted", *config.volume + " is secondary on " + node, {{"volume", *config.volume}});
  }
  volume_promoted = false;
  volume_lost_at = demote_since = promote_since = never;
  const bool stays_ours = pausing && !failed && owned() == run && lease_valid() && !ownership.stop_requested;
  if (!stays_ours) emit(effect::ReleaseLease{run->service, run->volume});
  if (!volume_only) tell("service-stopped", config.name + " is stopped" + (why.empty() ? "" : ": " + why));
  if (failed) tell("service-failed", config.name + " failed on " + node + ": " + why);
  pausing = false;
  if (!stays_ours) releasing = run;
  blocked = ownership.blocked;
  next_release = now;
  if (ownership_known && owned() != run) releasing.reset();
  run.reset();
  restarting = 0;
  become(failed ? Failed : Stopped, why);
}

/// Proposals may be lost, so this one is made again until the ownership is gone.
bool ServiceRunner::State::rule_release() {
  if (!in({Stopped, Failed})) return false;
  if (name == Stopped && !releasing && owned() && ownership.stop_requested && !ownership.maintenance) {
    releasing = owned();
    next_release = now;
    emit(effect::ReleaseLease{releasing->service, releasing->volume});  // nothing runs, yet it was given leases
  }
  if (!releasing || now < next_release) return false;
  next_release = now + proposal_retry;
  message::ReleaseOwnership release;
  if (!volume_only) release.service = config.name;
  if (has_volume) release.volume = *config.volume;
  release.service_epoch = releasing->service;
  release.volume_epoch = releasing->volume;
  emit(effect::Propose{release});
  return true;
}

/// Primary although nothing was started here: a promotion that came late, or what a manager before us left.
bool ServiceRunner::State::rule_unexpected_primary() {
  if (!in({Stopped, Failed}) || !has_volume || !volume.promoted_epoch || !ownership_known) return false;
  const auto epochs = owned();
  const bool wanted = name == Stopped && !releasing && epochs && epochs->volume == *volume.promoted_epoch;
  if (wanted && (!ownership.stop_requested || ownership.maintenance)) return false;
  run = found_run();
  kill("volume " + *config.volume + " is primary here without a reason");
  return true;
}

/// A blockd and a manager that died together leave a mount behind that no probe finds. Once blockd says that it is
/// secondary, such a mount is certainly dead; it is looked for early, so that a takeover need not.
bool ServiceRunner::State::rule_stale_mount() {
  if (name != Stopped || mount_asked || !has_volume || volume_only) return false;
  if (!volume.attached || volume.promoted_epoch) return false;
  mount_asked = true;
  emit(effect::Unmount{});
  return true;
}

bool ServiceRunner::State::rule_failed_over() {
  if (name != Failed || releasing) return false;
  failed = false;
  become(Stopped, why);
  return true;
}

}  // namespace bascule::transition
