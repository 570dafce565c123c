#include <algorithm>

#include "core/transition/detail/state.h"

namespace bascule::transition {

using enum ServiceStateName;

/// Safety does not rest: without the lease, or deposed, everything goes its way as if there were no maintenance.
bool ServiceRunner::State::resting() const {
  if (!ownership.maintenance) return false;
  return in({Stopped, Failed, Unknown}) || (owned() == run && lease_valid());
}

/// What a person did meanwhile is found out before anything is done: as after a restart of the manager.
bool ServiceRunner::State::rule_maintenance_over() {
  if (ownership.maintenance) was_in_maintenance = true;
  if (ownership.maintenance || !was_in_maintenance) return false;
  if (!in({Started, Stopped, Starting, Stopping, Promoting}) || (run && !lease_valid())) return false;
  if (volume_lost_at != never) return false;  // first it comes back, or what stands on it is killed
  if (promote_in_flight || (name == Stopping && demote_since != never)) return false;
  if (name == Started) cancel_actions();  // monitors: they are asked again below
  if (!actions.empty()) return false;
  was_in_maintenance = false;
  look_again("maintenance is over; looking at what runs");
  return true;
}

void ServiceRunner::State::look_again(const std::string& reason) {
  recovering = adopting = failed = probed = probes_done = false;
  promote_since = next_promote = never;
  for (StepRun& step : steps) step.condition = StepRun::Condition::Unknown;
  first_seen = now;
  become(Unknown, reason);
}

bool ServiceRunner::State::rule_restart() {
  if (name != Started || ownership.restart == 0 || ownership.restart == restarting) return false;
  if (owned() != run || !lease_valid() || ownership.maintenance || ownership.stop_requested) return false;
  restarting = ownership.restart;
  stop_to = 0;
  for (std::size_t index = 0; index < steps.size(); ++index)
    if (config.steps[index].name == ownership.restart_step) stop_to = index;
  cancel_actions();
  recovering = true;
  started_at = next_release = now;
  become(Stopping, "restarted by hand");
  return true;
}

/// A monitor in maintenance: what it found is told when it changes, and nothing is done.
void ServiceRunner::State::only_tell(std::size_t index, std::size_t which, agents::Found found,
                                     const std::string& text) {
  StepRun& step = steps[index];
  step.next_monitors[which] = now + monitors[index][which].interval;
  const auto before = step.condition;
  step.condition = found == agents::Found::running       ? StepRun::Condition::Started
                   : found == agents::Found::not_running ? StepRun::Condition::Stopped
                                                         : StepRun::Condition::Failed;
  if (step.condition == before) return;
  const std::string& step_name = config.steps[index].name;
  const bool runs = step.condition == StepRun::Condition::Started;
  why = runs ? "" : text;
  if (runs)
    tell("step-started", step_name + " runs again; it was not started by the manager", {{"step", step_name}});
  else
    tell("step-failed", text + "; nothing is done about it in maintenance", {{"step", step_name}});
}

/// Told to the cluster again and again until it is agreed, so that no later start does it a second time.
bool ServiceRunner::State::rule_restarted() {
  if (restarting == 0 || name != Started || now < next_release) return false;
  if (ownership.restart != restarting) {
    restarting = 0;
    next_release = never;
    return true;
  }
  next_release = now + proposal_retry;
  emit(effect::Propose{message::RestartDone{config.name, run->service, restarting}});
  return false;
}

/// What it comes after has gone: it stops, and waits where it is.
bool ServiceRunner::State::rule_pause() {
  if (!ownership.pause || !in({Promoting, Starting, Started}) || owned() != run || resting()) return false;
  if (!lease_valid() || ownership.stop_requested) return false;
  if (name == Started) cancel_actions();
  stop_all(ownership.waits_for);
  pausing = true;
  return true;
}

/// Says for what it waits. A lease that ended meanwhile was disarmed for good: then it is given back, to be given anew.
bool ServiceRunner::State::rule_waits() {
  if (name != Stopped || releasing || !owned()) return false;
  if (!ownership.waits_for.empty()) why = ownership.waits_for;
  waited = waited || !ownership.waits_for.empty();
  if (!waited || lease.epoch != lease_epoch(*owned()) || now < lease.end) return false;
  waited = false;
  releasing = owned();
  next_release = now;
  return true;
}

std::string ServiceRunner::State::cause() const { return why.empty() ? ownership.reason : why; }

std::string ServiceRunner::State::stop_reason() const {
  return "stop requested" + (ownership.reason.empty() ? "" : ": " + ownership.reason);
}

}  // namespace bascule::transition
