#include <algorithm>
#include <array>
#include <string_view>

#include "core/agents/invocation.h"
#include "core/transition/detail/state.h"

namespace bascule::transition {
namespace {

using enum ServiceStateName;
using Condition = StepRun::Condition;

/// Agents that only change the network: they never look at the volume, so they need not wait for it.
bool is_near(const config::Step& step) {
  static constexpr std::array<std::string_view, 8> types = {"address",   "IPaddr2", "IPaddr", "IPv6addr",
                                                            "IPsrcaddr", "VIPArip", "Route",  "portblock"};
  return std::find(types.begin(), types.end(), step.type) != types.end();
}

}  // namespace

void ServiceRunner::State::kill(const std::string& reason) {
  cancel_actions();
  recovering = pausing = false;
  demote_since = never;
  killing = KillProgress{};
  killing.since = now;
  become(Killing, reason);
  tell("service-killed", config.name + " is killed: " + reason);
  emit(effect::KillCgroup{});
  if (has_volume) emit(effect::FailHeldIo{});
  if (!has_volume) killing.unmounted = true;
}

/// A process that hangs in the file system may die only after it is gone, so the unmount waits for the kill, but not
/// long.
bool ServiceRunner::State::rule_kill_unmount() {
  if (name != Killing || !has_volume || killing.unmount_asked) return false;
  if (!killing.cgroup_killed && now < later(killing.since, kill_patience)) return false;
  killing.unmount_asked = true;
  emit(effect::Unmount{});
  return true;
}

/// Agents run in the cgroup too, so none is run before the kill is over.
void ServiceRunner::State::run_kill_stops(bool near) {
  for (std::size_t index = 0; index < steps.size(); ++index) {
    StepRun& step = steps[index];
    const config::Step& one = config.steps[index];
    if (is_near(one) != near || !step.active() || step.action) continue;
    if (has_volume && agents::mounts_the_volume(one)) {
      step.condition = Condition::Stopped;
      continue;
    }
    step.condition = Condition::Stopping;
    run_action(index, "stop", std::min<Duration>(one.stop_timeout, kill_stop_timeout), {});
  }
}

bool ServiceRunner::State::rule_kill_near_stops() {
  if (name != Killing || !killing.cgroup_killed || !actions.empty() || killing.near_stops_run) return false;
  killing.near_stops_run = true;
  run_kill_stops(true);
  return true;
}

bool ServiceRunner::State::rule_kill_demote() {
  if (name != Killing || !killing.unmounted || volume_down()) return false;
  if (demote_since != never && now < next_demote) return false;
  if (demote_since == never) demote_since = now;
  next_demote = now + volume_retry;
  emit(effect::DemoteVolume{true});
  return true;
}

bool ServiceRunner::State::rule_kill_far_stops() {
  if (name != Killing || !killing.near_stops_run || killing.far_stops_run) return false;
  if (!killing.unmounted || !volume_down()) return false;
  killing.far_stops_run = true;
  run_kill_stops(false);
  return true;
}

/// A hanging agent may have left processes behind, and an address may still be there.
void ServiceRunner::State::kill_again() {
  ++killing.rounds;
  killing.stop_failed = killing.near_stops_run = killing.far_stops_run = killing.cgroup_killed = false;
  emit(effect::KillCgroup{});
}

bool ServiceRunner::State::rule_kill_finish() {
  if (name != Killing || !killing.far_stops_run || !actions.empty() || !killing.cgroup_killed) return false;
  if (!killing.unmounted || !volume_down()) return false;
  if (killing.stop_failed && killing.rounds < kill_rounds_max) {
    kill_again();
  } else {
    finish();  // what no stop could undo is left to the kernel's address lease; no process of it runs
  }
  return true;
}

}  // namespace bascule::transition
