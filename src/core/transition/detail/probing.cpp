#include <algorithm>

#include "core/agents/invocation.h"
#include "core/transition/detail/state.h"

namespace bascule::transition {

using enum ServiceStateName;
using Condition = StepRun::Condition;

/// Each step is asked once whether it runs. What mounts a volume that is not primary here cannot run.
bool ServiceRunner::State::rule_probe() {
  if (name != Unknown || probed) return false;
  if (has_volume && !volume_known && now < later(first_seen, probe_volume_wait)) return false;
  probed = true;
  for (std::size_t index = 0; index < steps.size(); ++index) {
    const bool mounts = has_volume && agents::mounts_the_volume(config.steps[index]);
    if (mounts && volume.device.empty()) {
      steps[index].condition = Condition::Stopped;
    } else {
      run_action(index, "monitor", config.steps[index].monitor_timeout, {});
    }
  }
  return true;
}

/// The ownership that is stopped when what was found is not ours: the one we have, else whatever blockd tells.
Epochs ServiceRunner::State::found_run() const {
  return owned().value_or(Epochs{0, volume.promoted_epoch.value_or(0)});
}

/// A primary of an epoch that is not ours needs no probe: probes can hang on a volume that holds its writes.
bool ServiceRunner::State::rule_unowned_primary() {
  if (name != Unknown || !ownership_known || !has_volume || !volume.promoted_epoch) return false;
  const auto epochs = owned();
  if (epochs && epochs->volume == *volume.promoted_epoch) return false;
  adopting = false;
  run = found_run();
  kill("found running without a right to it");
  return true;
}

bool ServiceRunner::State::rule_judge_probes() {
  if (name != Unknown || !probed || !actions.empty()) return false;
  const bool active = std::any_of(steps.begin(), steps.end(), [](const StepRun& step) { return step.active(); });
  if (!active && !volume.promoted_epoch) {
    run.reset();
    become(Stopped, "");
    return true;
  }
  if (!probes_done) adopt_by = now + adopt_wait;
  probes_done = true;
  adopting = true;
  if (rule_adopt()) return true;
  if (now < adopt_by) return false;
  run_lease_end = now;  // the grace begins to count when we know that something runs
  become(Held, "found running; not yet known whether this node may");
  tell("service-held", config.name + " was found running, and no lease for it is known");
  return true;
}

/// What was found running is ours if its volume was promoted in the epoch that we own now. A service without a volume
/// has nothing that remembers its epoch; the owner of now is the only one that may run it, and that is us.
bool ServiceRunner::State::rule_adopt() {
  if (!adopting || !in({Unknown, Held}) || !ownership_known) return false;
  const auto epochs = owned();
  if (!epochs || (volume.promoted_epoch && has_volume && *volume.promoted_epoch != epochs->volume)) {
    adopting = false;
    run = found_run();
    kill("found running without a right to it");
    return true;
  }
  const bool leased = lease.epoch == lease_epoch(*epochs) && now < lease.end;
  if (!leased && !config.keeps_without_quorum) return false;
  const bool looked_again = run.has_value();
  run = epochs;
  run_lease_end = lease.end;
  adopting = false;
  started_at = now;
  resume(looked_again ? "found running after maintenance" : "found running when the manager started");
  return true;
}

bool ServiceRunner::State::rule_lease_back() {
  if (name != Held || adopting || !lease_valid()) return false;
  const bool known = std::none_of(steps.begin(), steps.end(),
                                  [](const StepRun& step) { return step.condition == Condition::Unknown; });
  if (!known) {
    if (volume_lost_at != never) return false;
    if (actions.empty()) look_again("looking at what runs");
    return actions.empty();
  }
  tell("lease-back", config.name + " has its lease again");
  resume("");
  return true;
}

bool ServiceRunner::State::rule_grace_over() {
  if (name != Held || now < hold_until()) return false;
  if (config.keeps_without_quorum && !ownership_known) return false;  // whose it is, is told when there is a majority
  if (adopting) {
    adopting = false;
    run = found_run();
  }
  cancel_actions();
  stop_all("the lease did not come back within the grace");
  return true;
}

/// Goes on from wherever the steps are: up from the first that does not run, after what runs above it was stopped.
void ServiceRunner::State::resume(const std::string& reason) {
  volume_promoted = has_volume && volume.promoted_epoch == run->volume;
  if (blocked) return become(Blocked, "it is left as it is until its failure is cleared");
  const bool only_observed = std::all_of(actions.begin(), actions.end(),
                                         [](const auto& action) { return action.second.operation == "monitor"; });
  if (ownership.maintenance && only_observed) return enter_started(reason);
  const std::size_t first = first_not_started();
  const bool above =
      std::any_of(steps.begin() + static_cast<std::ptrdiff_t>(first), steps.end(),
                  [](const StepRun& step) { return step.active() && step.condition != Condition::Starting; });
  if (above) {
    stop_to = first;
    recovering = true;
    return become(Stopping, "not everything of it runs");
  }
  if (!volume_ready()) {
    next_promote = promote_since = now;
    return become(Promoting, reason);
  }
  if (first < steps.size()) return become(Starting, reason);
  enter_started(reason);
}

}  // namespace bascule::transition
