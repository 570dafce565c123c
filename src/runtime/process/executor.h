#pragma once

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "runtime/process/cgroup.h"
#include "runtime/process/log.h"

namespace bascule::process {

inline constexpr std::size_t captured_bytes_max = 16 * 1024;  ///< of each of stdout and stderr: the last ones

/// One run of an agent (core/agents makes the path and the environment).
struct Launch {
  std::string step;                                ///< the step whose cgroup the child is born in
  std::string operation;                           ///< start, stop, monitor: for the log
  std::string path;                                ///< absolute
  std::vector<std::string> arguments;              ///< behind argv[0]
  std::map<std::string, std::string> environment;  ///< all of it: nothing of the manager's own is passed on
  Duration timeout{};
  std::string input = {};                              ///< what it reads on stdin; empty: nothing
  std::size_t printed_bytes_max = captured_bytes_max;  ///< of stdout: the last ones are kept
};

/// How it ended. Exactly one for each run(), never from within run().
struct Completion {
  int return_code = 0;  ///< exit code; -1: timed out, cancelled or died of a signal; -2: could not be run
  bool timed_out = false;
  bool cancelled = false;
  std::string printed = {};  ///< the end of stdout, at most Launch::printed_bytes_max
  std::string reason;        ///< the agent's ocf-exit-reason, else the last line of stderr, else what happened to it
  Duration took{};
  std::string output = {};  ///< the last of stderr, or of stdout if it said nothing there: at most told_bytes_max
};

inline constexpr std::size_t told_bytes_max = 1024;

/// Runs the agents of one service. Each child: own session and process group, scheduling, signals, umask and directory
/// as at boot, no descriptor of ours, stdin closed, killed by the kernel when the manager dies. When the time is over
/// the process group of the action gets SIGKILL; the service's other processes stay. One thread only; the thread that
/// calls run() has to live as long as the actions do.
class Executor {
 public:
  /// `processes` outlives the executor. Destroying it kills the running actions and calls nobody.
  Executor(boost::asio::io_context& io, ServiceProcesses& processes, std::string service, Log log);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  void run(Launch launch, std::function<void(const Completion&)> done);
  /// SIGKILL to the process group of every running action; each completes with `cancelled` when it is gone.
  void cancel();
  [[nodiscard]] std::size_t running() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// /run/resource-agents and what else agents expect of a machine: called once before the first action.
[[nodiscard]] Result<void> prepare_agent_directories(const std::string& run_resource_agents = "/run/resource-agents");

}  // namespace bascule::process
