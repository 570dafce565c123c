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
    if (!pending.cancelled && name == ServiceStateName::Started) monitor_done(pending.step, done);
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

void ServiceRunner::State::probe_done(StepRun& step, const input::ActionDone& done) {
  switch (agents::found_by_monitor(done.return_code, true)) {
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

void ServiceRunner::State::monitor_done(std::size_t index, const input::ActionDone& done) {
  StepRun& step = steps[index];
  const auto found = agents::found_by_monitor(done.return_code, false);
  if (found == agents::Found::running && ownership.maintenance) return only_tell(index, found, "");
  if (found == agents::Found::running) {
    step.next_monitor = now + config.steps[index].monitor_interval;
    return;
  }
  const std::string text = failure_text(index, "monitor", done);
  if (ownership.maintenance) return only_tell(index, found, text);
  tell("step-failed", text, {{"step", config.steps[index].name}, {"rc", std::to_string(done.return_code)}});
  record_failure(false, text);
  // "Not running" is a clean state: it is started without a stop before it.
  step.condition = found == agents::Found::not_running ? Condition::Stopped : Condition::Failed;
  cancel_actions();
  stop_to = index;
  recovering = true;
  started_at = now;
  become(ServiceStateName::Stopping, text + "; starting it again");
}

void ServiceRunner::State::start_done(std::size_t index, const input::ActionDone& done) {
  StepRun& step = steps[index];
  const std::string& step_name = config.steps[index].name;
  const std::string ms = std::to_string(to_ms(done.took));
  if (agents::severity("start", done.return_code) == agents::Severity::success) {
    step.condition = Condition::Started;
    step.start_ms = to_ms(done.took);
    tell("step-started", step_name + " started in " + ms + " ms",
         {{"step", step_name}, {"ms", ms}, {"reason", cause()}});
    return;
  }
  step.condition = Condition::Failed;
  const std::string text = failure_text(index, "start", done);
  tell("step-failed", text,
       {{"step", step_name}, {"ms", ms}, {"rc", std::to_string(done.return_code)}, {"reason", cause()}});
  // Without a lease writes are held, so a start that fails then says nothing about this node.
  if (!in({ServiceStateName::Starting, ServiceStateName::Stopping}) || !lease_valid()) return;
  record_failure(true, text);
  failed = true;
  if (name == ServiceStateName::Starting) return stop_all(text);
  recovering = false;
  stop_to = 0;
  why = text;
}

void ServiceRunner::State::stop_done(std::size_t index, const input::ActionDone& done) {
  StepRun& step = steps[index];
  const std::string& step_name = config.steps[index].name;
  const std::string ms = std::to_string(to_ms(done.took));
  const bool ok = agents::severity("stop", done.return_code) == agents::Severity::success;
  step.condition = ok ? Condition::Stopped : Condition::Failed;
  if (ok) {
    step.stop_ms = to_ms(done.took);
    tell("step-stopped", step_name + " stopped in " + ms + " ms",
         {{"step", step_name}, {"ms", ms}, {"reason", cause()}});
    return;
  }
  const std::string text = failure_text(index, "stop", done);
  tell("step-failed", text,
       {{"step", step_name}, {"ms", ms}, {"rc", std::to_string(done.return_code)}, {"reason", cause()}});
  if (name == ServiceStateName::Killing) {
    killing.stop_failed = true;
    return;
  }
  if (lease_valid()) record_failure(false, text);
  kill(text);
}

}  // namespace bascule::transition
