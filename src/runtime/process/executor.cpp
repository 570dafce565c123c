#include "runtime/process/executor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <utility>

#include "core/agents/ocf.h"
#include "runtime/process/detail/spawn.h"

namespace bascule::process {
namespace {

namespace asio = boost::asio;
using Stream = asio::posix::stream_descriptor;

constexpr std::size_t drained_bytes_max = 1024 * 1024;  // of one pipe after the end: others may still write into it
constexpr std::size_t logged_lines_max = 40;

Instant boot_now() {
  timespec time{};
  ::clock_gettime(CLOCK_BOOTTIME, &time);
  return instant_from_ns(time.tv_sec * 1'000'000'000LL + time.tv_nsec);
}

}  // namespace

namespace detail {

/// The last bytes of what an agent prints.
struct Capture {
  Capture(asio::io_context& io, Descriptor descriptor, std::size_t kept_bytes_max)
      : stream(io, descriptor.release()), kept_max(kept_bytes_max) {}
  Stream stream;
  std::size_t kept_max;
  std::array<char, 4096> buffer{};
  std::string tail;

  /// As read(2), once.
  ssize_t take() {
    const ssize_t count = ::read(stream.native_handle(), buffer.data(), buffer.size());
    if (count > 0) tail.append(buffer.data(), static_cast<std::size_t>(count));
    if (tail.size() > 2 * kept_max) tail.erase(0, tail.size() - kept_max);
    return count;
  }

  /// What is left in the pipe. Daemons may hold the other end open, so there may never be an end of file.
  void drain() {
    for (std::size_t total = 0; total < drained_bytes_max;) {
      const ssize_t count = take();
      if (count <= 0) break;
      total += static_cast<std::size_t>(count);
    }
    if (tail.size() > kept_max) tail.erase(0, tail.size() - kept_max);
  }
};

struct Action {
  Action(asio::io_context& io, Launch one, Spawned child)
      : launch(std::move(one)),
        pid(child.pid),
        exited(io, child.pidfd.release()),
        output(io, std::move(child.output), launch.printed_bytes_max),
        errors(io, std::move(child.errors), captured_bytes_max),
        failure(std::move(child.failure)),
        timer(io) {}

  Launch launch;
  pid_t pid;
  Stream exited;
  Capture output, errors;
  Descriptor failure;
  asio::steady_timer timer;
  Instant started = boot_now();
  bool timed_out = false;
  bool cancelled = false;
  std::function<void(const Completion&)> done;

  /// The child may not have made its group yet, so it is named too. It is not reaped before, so the pid is its own.
  void kill() const {
    ::kill(-pid, SIGKILL);
    ::kill(pid, SIGKILL);
  }
};

}  // namespace detail

namespace {

using detail::Action;
using detail::Capture;

/// The end of what was printed, from the beginning of a line where there is one.
std::string last_words(const std::string& printed) {
  if (printed.size() <= told_bytes_max) return printed;
  std::string words = printed.substr(printed.size() - told_bytes_max);
  const auto line = words.find('\n');
  if (line + 1 < words.size()) words.erase(0, line + 1);
  return words;
}

/// The exit code, or -1 with the reason.
int exit_code(const siginfo_t& info, std::string& reason) {
  if (info.si_code == CLD_EXITED) return info.si_status;
  reason = std::string("the agent was killed by ") + ::strsignal(info.si_status);
  return agents::ocf::timed_out;
}

}  // namespace

struct Executor::State : std::enable_shared_from_this<Executor::State> {
  State(asio::io_context& context, ServiceProcesses& all, std::string name, Log sink)
      : io(context), processes(&all), service(std::move(name)), log(std::move(sink)) {}

  asio::io_context& io;
  ServiceProcesses* processes;
  std::string service;
  Log log;
  bool closed = false;
  std::uint64_t last_id = 0;
  std::map<std::uint64_t, std::shared_ptr<Action>> actions;

  void run(Launch launch, std::function<void(const Completion&)> done);
  void not_run(const std::string& reason, std::function<void(const Completion&)> done);
  void read_more(std::uint64_t id, const std::shared_ptr<Action>& action, Capture& capture);
  void wait_for_end(std::uint64_t id, const std::shared_ptr<Action>& action);
  void time_out(Action& action);
  void ended(std::uint64_t id);
  [[nodiscard]] Completion completion_of(Action& action) const;
  void log_lines(const Action& action, const Completion& completion) const;
  void say(const Action& action, const std::string& text) const {
    if (log) log(service + "/" + action.launch.step + " " + action.launch.operation + ": " + text);
  }
};

void Executor::State::not_run(const std::string& reason, std::function<void(const Completion&)> done) {
  Completion completion;
  completion.return_code = agents::ocf::could_not_run;
  completion.reason = reason;
  asio::post(io, [self = shared_from_this(), completion, done = std::move(done)] {
    if (!self->closed) done(completion);
  });
}

void Executor::State::run(Launch launch, std::function<void(const Completion&)> done) {
  auto child = spawn(launch, processes->marker(), processes->cgroup_of_step(launch.step));
  if (!child) return not_run(child.error().text(), std::move(done));
  const std::uint64_t id = ++last_id;
  auto action = std::make_shared<Action>(io, std::move(launch), std::move(*child));
  action->done = std::move(done);
  actions[id] = action;
  processes->action_started(action->launch.step, action->pid);
  read_more(id, action, action->output);
  read_more(id, action, action->errors);
  action->timer.expires_after(action->launch.timeout);
  action->timer.async_wait([self = shared_from_this(), action](const boost::system::error_code& error) {
    if (!error) self->time_out(*action);
  });
  wait_for_end(id, action);
}

/// Readiness is a hint (an event of a closed descriptor can reach the one that got its number): it counts when the
/// child can be reaped.
void Executor::State::wait_for_end(std::uint64_t id, const std::shared_ptr<Action>& action) {
  action->exited.async_wait(Stream::wait_read,
                            [self = shared_from_this(), id, action](const boost::system::error_code& error) {
                              if (error || self->closed) return;
                              siginfo_t info{};
                              const auto pidfd = static_cast<id_t>(action->exited.native_handle());
                              const int result = ::waitid(P_PIDFD, pidfd, &info, WEXITED | WNOHANG | WNOWAIT);
                              const bool lives = result == 0 ? info.si_pid == 0 : errno == EAGAIN;
                              if (lives) return self->wait_for_end(id, action);
                              self->ended(id);
                            });
}

/// What can be read is waited for and read at once: bytes that were read for somebody who is told of them later would
/// be lost, or come behind the last ones, when the agent ends in between.
void Executor::State::read_more(std::uint64_t id, const std::shared_ptr<Action>& action, Capture& capture) {
  capture.stream.async_wait(Stream::wait_read,
                            [self = shared_from_this(), id, action, &capture](const boost::system::error_code& error) {
                              if (error || !self->actions.contains(id)) return;
                              const ssize_t count = capture.take();
                              if (count > 0 || (count < 0 && errno == EAGAIN)) self->read_more(id, action, capture);
                            });
}

void Executor::State::time_out(Action& action) {
  if (action.timed_out || action.cancelled) return;
  action.timed_out = true;
  say(action, "timed out after " + std::to_string(to_ms(action.launch.timeout)) + " ms, killed");
  action.kill();
}

Completion Executor::State::completion_of(Action& action) const {
  Completion completion;
  completion.took = boot_now() - action.started;
  completion.timed_out = action.timed_out;
  completion.cancelled = action.cancelled;
  siginfo_t info{};
  std::string fate;
  const bool reaped =
      ::waitid(P_PIDFD, static_cast<id_t>(action.exited.native_handle()), &info, WEXITED | WNOHANG) == 0;
  if (!reaped) fate = std::string("its exit code is not known: ") + ::strerror(errno);
  completion.return_code = reaped ? exit_code(info, fate) : agents::ocf::timed_out;
  completion.printed = action.output.tail;
  completion.reason = agents::exit_reason(action.errors.tail, agents::exit_reason_prefix);
  completion.output = last_words(action.errors.tail.empty() ? action.output.tail : action.errors.tail);
  int error = 0;
  if (::read(action.failure.get(), &error, sizeof error) == static_cast<ssize_t>(sizeof error)) {
    completion.return_code = error == ENOENT ? agents::ocf::error_installed : agents::ocf::could_not_run;
    completion.reason = action.launch.path + ": " + ::strerror(error);
  }
  if (action.timed_out) fate = "timed out after " + std::to_string(to_ms(action.launch.timeout)) + " ms";
  if (action.cancelled) fate = "cancelled";
  if (action.timed_out || action.cancelled) completion.return_code = agents::ocf::timed_out;
  if (!fate.empty()) completion.reason = fate + (completion.reason.empty() ? "" : "; " + completion.reason);
  return completion;
}

void Executor::State::log_lines(const Action& action, const Completion& completion) const {
  if (!log || completion.cancelled) return;
  const bool quiet = action.launch.operation == "monitor" && completion.return_code == 0;
  if (!quiet) {
    say(action, agents::describe(completion.return_code) + " in " + std::to_string(to_ms(completion.took)) + " ms" +
                    (completion.reason.empty() ? "" : ": " + completion.reason));
  }
  std::string_view rest = quiet ? std::string_view{} : std::string_view(action.errors.tail);
  for (std::size_t lines = 0; !rest.empty() && lines < logged_lines_max; ++lines) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    if (!line.empty()) say(action, "| " + std::string(line.substr(0, 400)));
    rest = line.size() == rest.size() ? std::string_view{} : rest.substr(line.size() + 1);
  }
}

void Executor::State::ended(std::uint64_t id) {
  const auto action = actions.at(id);
  actions.erase(id);
  action->timer.cancel();
  action->output.drain();
  action->errors.drain();
  if (action->timed_out || action->cancelled) ::kill(-action->pid, SIGKILL);  // what was forked in between
  const Completion completion = completion_of(*action);
  boost::system::error_code ignored;
  action->exited.close(ignored);
  action->output.stream.close(ignored);
  action->errors.stream.close(ignored);
  log_lines(*action, completion);
  processes->action_ended(action->launch.step, action->pid);
  action->done(completion);
}

Executor::Executor(asio::io_context& io, ServiceProcesses& processes, std::string service, Log log)
    : state_(std::make_shared<State>(io, processes, std::move(service), std::move(log))) {}

Executor::~Executor() {
  state_->closed = true;
  for (auto& [id, action] : state_->actions) {
    action->kill();
    action->timer.cancel();
    boost::system::error_code ignored;
    action->exited.close(ignored);
    action->output.stream.close(ignored);
    action->errors.stream.close(ignored);
    ::waitpid(action->pid, nullptr, WNOHANG);
  }
  state_->actions.clear();
}

void Executor::run(Launch launch, std::function<void(const Completion&)> done) {
  state_->run(std::move(launch), std::move(done));
}

void Executor::cancel() {
  for (auto& [id, action] : state_->actions) {
    action->cancelled = true;
    action->kill();
  }
}

std::size_t Executor::running() const { return state_->actions.size(); }

Result<void> prepare_agent_directories(const std::string& run_resource_agents) {
  if (::mkdir(run_resource_agents.c_str(), 01755) == 0 || errno == EEXIST) return {};
  return fail_errno("agents cannot keep their state", run_resource_agents, errno);
}

}  // namespace bascule::process
