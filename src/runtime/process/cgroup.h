#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "runtime/process/log.h"

namespace bascule::process {

/// Every process of one service, whoever started it and whatever it forked: found, watched and killed as one. It
/// outlives the manager: a manager that starts again opens the same service and finds what runs there. One thread only.
class ServiceProcesses {
 public:
  virtual ~ServiceProcesses() = default;
  ServiceProcesses() = default;
  ServiceProcesses(const ServiceProcesses&) = delete;
  ServiceProcesses& operator=(const ServiceProcesses&) = delete;

  /// False if it is the fallback that scans /proc: the kernel gave no writable cgroup2 tree.
  [[nodiscard]] virtual bool is_cgroup() const = 0;
  /// Any process, running agents included.
  [[nodiscard]] virtual bool populated() const = 0;
  /// Pids in this pid namespace; a snapshot.
  [[nodiscard]] virtual std::vector<pid_t> processes() const = 0;
  /// SIGKILL to everything, again until nothing is left; `done` is called once, from the io_context, when all are gone.
  /// It waits as long as it takes (a process in uninterruptible I/O dies only when the I/O is answered).
  virtual void kill_all(std::function<void()> done) = 0;
  /// SIGKILL to what is left of one step whose stop has ended; nobody else's. `done` is called once, from the
  /// io_context: true when nothing is left of it, false after `patience` (a process in uninterruptible I/O). The
  /// fallback, which cannot tell steps apart, kills nothing and says true.
  virtual void kill_step(const std::string& step, Duration patience, std::function<void(bool)> done) = 0;
  /// `on_exit` is called whenever a step's own processes (not its running agents) are gone by themselves: a hint only.
  virtual void watch(std::function<void()> on_exit) = 0;
  /// Removes the cgroup; fails while it is populated.
  virtual Result<void> remove() = 0;

  // For the executor.
  /// A directory descriptor of the step's cgroup for CLONE_INTO_CGROUP, valid as long as this object; -1 in the
  /// fallback.
  [[nodiscard]] virtual int cgroup_of_step(const std::string& step) = 0;
  /// `NAME=value` that the fallback recognises its processes by (inherited by every child); empty with a cgroup.
  [[nodiscard]] virtual std::string marker() const = 0;
  virtual void action_started(const std::string& step, pid_t process_group) = 0;
  virtual void action_ended(const std::string& step, pid_t process_group) = 0;
};

/// The name of a node's directory in the cgroup2 tree: "bascule-boutique-alice", with the pid namespace's number behind
/// it outside of the first pid namespace, since hosts in namespaces share one tree and come back with the same name.
[[nodiscard]] std::string node_directory(const std::string& cluster, const std::string& node);

/// The mount point of cgroup2 in the text of /proc/self/mountinfo that is mounted writable; empty: there is none.
[[nodiscard]] std::string find_cgroup2_mount(std::string_view mountinfo);

/// Opens (creates or finds again) the processes of `service`: MOUNT/DIRECTORY/SERVICE/STEP. Without a writable cgroup2
/// tree it says so in one warning line and gives the fallback, so this never fails. `cgroup2_mount` empty: look it up;
/// "none": the fallback, for tests.
[[nodiscard]] std::unique_ptr<ServiceProcesses> open_service_processes(boost::asio::io_context& io,
                                                                       const std::string& directory,
                                                                       const std::string& service, Log log,
                                                                       std::string cgroup2_mount = {});

}  // namespace bascule::process
