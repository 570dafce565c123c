#include <algorithm>

#include "core/agents/ocf.h"
#include "core/transition/detail/state.h"

/// What a failed monitor or start leads to: `on_fail`, `start_failure_is_fatal`. The kinds are Pacemaker's.
namespace bascule::transition {

using enum ServiceStateName;
using Condition = StepRun::Condition;

namespace {

/// That a volume cannot be mounted is its disk's doing, and the disk may be gone although nobody was told yet: tried
/// again.
bool is_of_the_disk(const config::Step& step) { return step.standard == config::built_in && step.type == "mount"; }

}  // namespace

std::vector<config::Monitor> monitors_of(const config::Step& step) {
  std::vector<config::Monitor> all{{step.monitor_interval, step.monitor_timeout, 0, step.on_fail}};
  all.insert(all.end(), step.more_monitors.begin(), step.more_monitors.end());
  return all;
}

std::string StepRun::warning() const {
  const auto found = std::find_if(warnings.begin(), warnings.end(), [](const auto& one) { return !one.empty(); });
  return found == warnings.end() ? "" : *found;
}

void ServiceRunner::State::tell_monitor_failed(std::size_t index, const std::string& text,
                                               const input::ActionDone& done) {
  tell("step-failed", text,
       {{"step", config.steps[index].name}, {"rc", std::to_string(done.return_code)}, {"output", done.output}});
}

void ServiceRunner::State::monitor_failed(std::size_t index, std::size_t which, const input::ActionDone& done) {
  const config::OnFail reaction = monitors[index][which].on_fail;
  const std::string text = failure_text(index, "monitor", done);
  if (reaction == config::OnFail::ignore) return ignore_failure(index, which, text, done);
  tell_monitor_failed(index, text, done);
  auto failure = failure_of(index, text, done);
  failure.reaction = config::text(reaction);
  record_failure(failure);
  // "Not running" is a clean state: it is started without a stop before it.
  const bool clean = found_by(done.return_code, false) == agents::Found::not_running;
  steps[index].condition = clean ? Condition::Stopped : Condition::Failed;
  steps[index].forget_warnings();
  cancel_actions();
  if (reaction == config::OnFail::restart) return recover(index, text + "; starting it again");
  if (reaction == config::OnFail::block) return block(failure);
  give_up(text);
}

/// Told once, and again when it fails in another way.
void ServiceRunner::State::ignore_failure(std::size_t index, std::size_t which, const std::string& text,
                                          const input::ActionDone& done) {
  StepRun& step = steps[index];
  step.next_monitors[which] = now + monitors[index][which].interval;
  const std::string warning = text + " (ignored)";
  if (step.warnings[which] == warning) return;
  step.warnings[which] = warning;
  tell_monitor_failed(index, warning, done);
}

/// Stops from the last step down to this one, and starts them again.
void ServiceRunner::State::recover(std::size_t index, const std::string& reason) {
  stop_to = index;
  recovering = true;
  started_at = now;
  // What was promoted may be gone altogether: its copy is looked at first.
  if (config.is_role) next_start = later(now, start_pause);
  become(Stopping, reason);
}

/// `stop`, `standby`, `fence`: what else they mean for the cluster is the policy's matter.
void ServiceRunner::State::give_up(const std::string& reason) {
  failed = true;
  stop_all(reason);
}

void ServiceRunner::State::block(const message::RecordFailure& failure) {
  blocked = true;
  block_record = failure;
  next_block_record = later(now, block_retry);
  become(Blocked, failure.text + "; it is left as it is until the failure is cleared");
  tell("service-blocked", config.name + " is left as it is: " + failure.text, {{"step", failure.step}});
}

/// The proposal may have been lost with a leader.
bool ServiceRunner::State::rule_blocked() {
  if (name != Blocked || now < next_block_record) return false;
  if (ownership.blocked) {
    next_block_record = never;
    return true;
  }
  next_block_record = later(now, block_retry);
  record_failure(block_record);
  return true;
}

/// Cleared by a person: goes on where it is, and what does not run is started.
bool ServiceRunner::State::rule_unblocked() {
  if (name != Blocked || blocked || !lease_valid()) return false;
  started_at = now;
  resume("its failure was cleared");
  return true;
}

/// Fatal for this node, or tried again here after a pause: `start_failure_is_fatal`. Codes that no second try can
/// change are fatal in any case.
void ServiceRunner::State::start_failed(std::size_t index, const std::string& text, const input::ActionDone& done) {
  auto failure = failure_of(index, text, done);
  const bool soft = agents::severity("start", done.return_code) == agents::Severity::soft;
  failure.start_failed = !is_of_the_disk(config.steps[index]) && (config.start_failure_is_fatal || !soft);
  record_failure(failure);
  if (failure.start_failed) {
    failed = true;
    if (name == Starting) return stop_all(text);
    recovering = false;
    stop_to = 0;
    why = text;
  } else if (name == Starting) {
    next_start = later(now, start_pause);
    recover(index, text + "; trying it again");
  }
}

}  // namespace bascule::transition
