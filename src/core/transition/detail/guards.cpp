#include "core/transition/detail/state.h"

namespace bascule::transition {

using enum ServiceStateName;

/// The epoch was given away: somebody else may run already, so nothing here is polite any more.
bool ServiceRunner::State::rule_deposed() {
  if (!in({Promoting, Starting, Started, Blocked, Stopping, Held}) && !(name == Unknown && run)) return false;
  if (adopting) return false;
  if (!ownership_known || owned() == run) return false;
  kill("this node no longer owns " + config.name);
  return true;
}

/// The executor kills what takes too long; an agent that is still there after that cannot be killed one by one.
bool ServiceRunner::State::rule_agent_overdue() {
  if (!in({Unknown, Starting, Started, Blocked, Stopping, Held}) || (name != Unknown && resting())) return false;
  for (const auto& [id, pending] : actions) {
    if (now < pending.overdue) continue;
    if (!run) run = found_run();
    adopting = false;
    kill(config.steps[pending.step].name + " " + pending.operation + " neither ends nor can be killed");
    return true;
  }
  return false;
}

/// Without its volume nothing of a service is worth keeping; blockd may only be reconnecting, though.
bool ServiceRunner::State::rule_volume_lost() {
  if (!in({Starting, Started, Blocked, Held, Stopping}) || volume_lost_at == never || demote_since != never)
    return false;
  if (resting()) return false;
  if (!volume.attached && now < later(volume_lost_at, volume_lost_grace)) return false;
  const std::string text = "volume " + *config.volume + " is no longer primary here";
  record_failure(false, text);
  kill(text);
  return true;
}

/// A polite stop without a lease ends with the stop deadline.
bool ServiceRunner::State::rule_stop_too_long() {
  if (name != Stopping || lease_valid() || now < kill_at()) return false;
  kill("the stop took longer than the stop deadline after the lease ended");
  return true;
}

bool ServiceRunner::State::rule_lease_ended() {
  if (!in({Promoting, Starting, Started, Blocked}) && !(name == Unknown && run && !adopting)) return false;
  if (lease_valid()) return false;
  bool only_observed = true;
  for (const auto& [id, pending] : actions) only_observed &= pending.operation == "monitor";
  if (only_observed) cancel_actions();  // a start under way may still be wanted when the lease is back
  become(Held, "the lease ended; writes and address are held");
  tell("service-held", config.name + " is held: its lease ended");
  return true;
}

bool ServiceRunner::State::rule_stop_requested() {
  if (!ownership.stop_requested || owned() != run || resting()) return false;
  if (name == Stopping && recovering) {
    recovering = false;
    stop_to = 0;
    return true;
  }
  if (!in({Promoting, Starting, Started, Blocked})) return false;
  if (name == Started) cancel_actions();
  stop_all(stop_reason());
  return true;
}

}  // namespace bascule::transition
