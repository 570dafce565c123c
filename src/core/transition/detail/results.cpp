#include "core/agents/ocf.h"
#include "core/transition/detail/state.h"

namespace bascule::transition {

using Condition = StepRun::Condition;

void ServiceRunner::State::on(const input::ActionDone& done) {
  const auto found = actions.find(done.action);
  if (found == actions.end()) return;
  const Pending pending = found->second;
  actions.erase(found);
  StepRun& step = steps[pending.step];
  step.action.reset();
  if (pending.operation == "monitor") {
    if (name == ServiceStateName::Unknown) return probe_done(step, done);
    if (!pending.cancelled && name == ServiceStateName::Started) monitor_done(pending.step, pending.monitor, done);
  } else if (pending.cancelled) {
    step.condition = Condition::Failed;  // half started or half stopped
  } else if (pending.operation == "start") {
    start_done(pending.step, done);
  } else {
    stop_done(pending.step, done);
  }
}

std::string ServiceRunner::State::failure_text(std::size_t index, const std::string& operation,
                                               const input::ActionDone& done) const {
  std::string text = config.steps[index].name + " " + operation + ": " + agents::describe(done.return_code);
  if (!done.reason.empty()) text += ": " + done.reason;
  return text;
}

agents::Found ServiceRunner::State::found_by(int return_code, bool probe) const {
  return config.is_role ? agents::found_promoted(return_code) : agents::found_by_monitor(return_code, probe);
}

void ServiceRunner::State::probe_done(StepRun& step, const input::ActionDone& done) {
  switch (found_by(done.return_code, true)) {
    case agents::Found::running:
      step.condition = Condition::Started;
      break;
    case agents::Found::not_running:
      step.condition = Condition::Stopped;
      break;
    case agents::Found::failed:
      step.condition = Condition::Failed;
      break;
  }
}

message::RecordFailure ServiceRunner::State::failure_of(std::size_t index, const std::string& text,
                                                        const input::ActionDone& done) const {
  message::RecordFailure failure;
  failure.text = text;
  failure.step = config.steps[index].name;
  failure.output = done.output;
  return failure;
}

void ServiceRunner::State::monitor_done(std::size_t index, std::size_t which, const input::ActionDone& done) {
  const auto found = found_by(done.return_code, false);
  if (ownership.maintenance) {
    const std::string text = found == agents::Found::running ? "" : failure_text(index, "monitor", done);
    return only_tell(index, which, found, text);
  }
  if (found == agents::Found::running)
    monitor_succeeded(index, which, done);
  else
    monitor_failed(index, which, done);
}

/// 190 and 191 mean that it runs, and that somebody should look at it (OCF 1.1).
void ServiceRunner::State::monitor_succeeded(std::size_t index, std::size_t which, const input::ActionDone& done) {
  StepRun& step = steps[index];
  step.next_monitors[which] = now + monitors[index][which].interval;
  std::string warning;
  if (agents::is_degraded(done.return_code)) warning = failure_text(index, "monitor", done);
  if (warning == step.warnings[which]) return;
  const std::string& step_name = config.steps[index].name;
  if (warning.empty())
    tell("step-recovered", step_name + " is well again", {{"step", step_name}});
  else
    tell("step-degraded", warning, {{"step", step_name}, {"rc", std::to_string(done.return_code)}});
  step.warnings[which] = warning;
}

/// A start or a stop, with what asked for it.
void ServiceRunner::State::tell_action_failed(std::size_t index, const std::string& text,
                                              const input::ActionDone& done) {
  tell("step-failed", text,
       {{"step", config.steps[index].name},
        {"ms", std::to_string(to_ms(done.took))},
        {"rc", std::to_string(done.return_code)},
        {"reason", cause()},
        {"output", done.output}});
}

void ServiceRunner::State::start_done(std::size_t index, const input::ActionDone& done) {
  StepRun& step = steps[index];
  const std::string& step_name = config.steps[index].name;
  const std::string ms = std::to_string(to_ms(done.took));
  if (agents::severity("start", done.return_code) == agents::Severity::success) {
    step.condition = Condition::Started;
    step.start_ms = to_ms(done.took);
    step.forget_warnings();
    tell("step-started", step_name + " started in " + ms + " ms",
         {{"step", step_name}, {"ms", ms}, {"reason", cause()}});
    return;
  }
  step.condition = Condition::Failed;
  const std::string text = failure_text(index, "start", done);
  tell_action_failed(index, text, done);
  // Without a lease writes are held, so a start that fails then says nothing about this node.
  if (in({ServiceStateName::Starting, ServiceStateName::Stopping}) && lease_valid()) start_failed(index, text, done);
}

void ServiceRunner::State::stop_done(std::size_t index, const input::ActionDone& done) {
  StepRun& step = steps[index];
  const std::string& step_name = config.steps[index].name;
  const std::string ms = std::to_string(to_ms(done.took));
  // What does not run at all is not promoted either.
  const bool demoted = config.is_role && done.return_code == agents::ocf::not_running;
  const bool ok = demoted || agents::severity("stop", done.return_code) == agents::Severity::success;
  step.condition = ok ? Condition::Stopped : Condition::Failed;
  if (ok) {
    step.stop_ms = to_ms(done.took);
    step.forget_warnings();
    tell("step-stopped", step_name + " stopped in " + ms + " ms",
         {{"step", step_name}, {"ms", ms}, {"reason", cause()}});
    return;
  }
  const std::string text = failure_text(index, "stop", done);
  tell_action_failed(index, text, done);
  if (name == ServiceStateName::Killing) {
    killing.stop_failed = true;
    return;
  }
  if (lease_valid()) record_failure(failure_of(index, text, done));
  kill(text);
}

}  // namespace bascule::transition
