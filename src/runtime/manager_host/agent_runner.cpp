#include "runtime/manager_host/agent_runner.h"

#include <boost/asio/post.hpp>
#include <chrono>

#include "core/agents/invocation.h"
#include "core/agents/lsb.h"
#include "core/agents/ocf.h"
#include "core/agents/unit_action.h"

namespace bascule::manager_host {

namespace {
constexpr Duration unmount_patience = seconds(2);
constexpr Duration leftover_patience = seconds(2);
constexpr const char* leftovers_live = "what it left behind cannot be killed";

/// This very program, in a process of its own: reading a device may wait for as long as its writes are held.
process::Launch filesystem_maker(const config::Step& step, const transition::effect::RunAction& action) {
  return {step.name,
          "make",
          "/proc/self/exe",
          {make_filesystem_word, action.device, step.parameters.at("fstype")},
          {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}, {"LC_ALL", "C"}},
          action.timeout};
}

}  // namespace

AgentRunner::AgentRunner(boost::asio::io_context& io, const config::Service& service, std::string node,
                         const Place& place, units::Units& units, process::Log log, Sink sink)
    : io_(io),
      service_(service),
      node_(std::move(node)),
      tools_(place.tools),
      socket_(place.socket),
      units_(units),
      sink_(std::move(sink)),
      processes_(process::open_service_processes(io, place.directory, service.name, log, place.cgroup)),
      executor_(io, *processes_, service.name, log),
      unmounter_(io, log) {
  processes_->watch([this] { look_now(); });
  watch_units();
}

/// systemd says at once that a unit fell; the service's machine asks it again and goes by that.
void AgentRunner::watch_units() {
  for (const auto& step : service_.steps)
    if (step.standard == "systemd")
      units_.watch(agents::unit_of(step.type), [this, guard = std::weak_ptr<int>(alive_)] {
        if (!guard.expired()) look_now();
      });
}

void AgentRunner::run(const transition::effect::RunAction& action) {
  const auto& step = service_.steps.at(action.step_index);
  if (step.standard == config::built_in && step.type == "mount") return run_mount(action, step);
  if (step.standard == config::built_in) return run_built_in(action, step);
  if (step.standard == "systemd") return run_unit(action, step);
  agents::Request request;
  request.service = service_.name;
  request.node = node_;
  request.operation = action.operation;
  request.timeout = action.timeout;
  request.interval = action.interval;
  request.device = action.device;
  request.check_level = action.check_level;
  request.copy = service_.copy;
  if (service_.is_role) request.copy = config::Copy{service_.name, node_, 0, 0};
  request.notify = service_.notify;
  request.promotable = service_.promotable || service_.is_role;
  request.tools = tools_;
  request.socket = socket_;
  if (!action.device.empty()) last_device_ = action.device;
  auto invocation = agents::invocation(step, request);
  for (const auto& [name, value] : action.environment) invocation.environment[name] = value;
  process::Launch launch{step.name,
                         action.operation,
                         std::move(invocation.path),
                         std::move(invocation.arguments),
                         std::move(invocation.environment),
                         action.timeout};
  executor_.run(std::move(launch), [this, lsb = step.standard == "lsb", action](const process::Completion& done) {
    const int code = lsb ? agents::ocf_code_of_lsb(action.operation, done.return_code) : done.return_code;
    const transition::input::ActionDone outcome{action.action, code, done.reason, done.took, done.output};
    if (action.operation != "stop" || code != agents::ocf::success) return sink_(outcome);
    end_leftovers(service_.steps.at(action.step_index).name, outcome);
  });
}

/// What is stopped has no processes: one that answers on would answer beside the next owner's, or beside its own next
/// run.
void AgentRunner::end_leftovers(const std::string& step, transition::input::ActionDone stopped) {
  processes_->kill_step(
      step, leftover_patience,
      [this, guard = std::weak_ptr<int>(alive_), stopped = std::move(stopped)](bool all_gone) mutable {
        if (guard.expired()) return;
        if (!all_gone) stopped.return_code = agents::ocf::error_generic, stopped.reason = leftovers_live;
        sink_(stopped);
      });
}

/// A volume that is to have a file system gets one before it is mounted, if it is blank.
void AgentRunner::run_mount(const transition::effect::RunAction& action, const config::Step& step) {
  if (action.operation != "start" || action.device.empty() || !step.parameters.contains("make"))
    return mount(action, step);
  executor_.run(filesystem_maker(step, action), [this, action, &step](const process::Completion& made) {
    if (made.return_code == 0) return mount(action, step);
    sink_(transition::input::ActionDone{action.action, made.return_code, made.reason, made.took});
  });
}

void AgentRunner::mount(const transition::effect::RunAction& action, const config::Step& step) {
  const auto began = std::chrono::steady_clock::now();
  if (!action.device.empty()) last_device_ = action.device;
  auto& one = mounts_.try_emplace(step.name, io_, step.parameters).first->second;
  one.run(action.operation, action.device, action.timeout,
          [this, id = action.action, began](int code, const std::string& why) {
            sink_(transition::input::ActionDone{id, code, why, std::chrono::steady_clock::now() - began});
          });
}

void AgentRunner::mounts_changed() {
  for (auto& [name, mount] : mounts_)
    if (mount.vanished()) return look_now();
}

/// Done at once, told a moment later, like every agent's end.
void AgentRunner::run_built_in(const transition::effect::RunAction& action, const config::Step& step) {
  const auto began = std::chrono::steady_clock::now();
  auto& address = addresses_.try_emplace(step.name, io_, step.parameters).first->second;
  const address::Answer answer = address.run(action.operation);
  const Duration took = std::chrono::steady_clock::now() - began;
  boost::asio::post(io_, [this, guard = std::weak_ptr<int>(alive_), id = action.action, answer, took] {
    if (!guard.expired()) sink_(transition::input::ActionDone{id, answer.code, answer.why, took});
  });
}

void AgentRunner::run_unit(const transition::effect::RunAction& action, const config::Step& step) {
  const auto done = [this, guard = std::weak_ptr<int>(alive_), id = action.action](const units::Outcome& outcome) {
    if (guard.expired()) return;
    unit_actions_.erase(id);
    sink_(transition::input::ActionDone{id, outcome.return_code, outcome.reason, outcome.took});
  };
  unit_actions_[action.action] = units_.run(agents::unit_of(step.type), action.operation, action.timeout, done);
}

void AgentRunner::cancel() {
  executor_.cancel();
  for (const auto& [id, action] : unit_actions_) units_.cancel(action);
}

/// What runs in the service's own cgroup, and the units' processes, which are systemd's.
void AgentRunner::kill() {
  auto left = std::make_shared<std::size_t>(1);
  const auto killed = [this, left, guard = std::weak_ptr<int>(alive_)] {
    if (--*left == 0 && !guard.expired()) sink_(transition::input::CgroupKilled{});
  };
  for (const auto& step : service_.steps) {
    if (step.standard != "systemd") continue;
    ++*left;
    units_.kill(agents::unit_of(step.type), killed);
  }
  processes_->kill_all(killed);
}

void AgentRunner::unmount(const std::string& link) {
  if (link.empty()) return sink_(transition::input::Unmounted{true});
  const std::string& device = last_device_.empty() ? link : last_device_;
  unmounter_.unmount_all(device, unmount_patience, [this](const process::UnmountResult& result) {
    sink_(transition::input::Unmounted{result.clean});
  });
}

}  // namespace bascule::manager_host
