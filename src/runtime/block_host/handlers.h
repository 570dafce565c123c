#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "runtime/block_host/engine_config.h"
#include "runtime/uring/ring.h"

namespace bascule::block_host {

/// "NAME=value" strings that DRBD's handlers find in their environment (drbd.conf(5), handlers).
[[nodiscard]] std::vector<std::string> handler_environment(const VolumePlan& plan);

/// Runs the configured handlers ("fence-peer", "split-brain", ...) as children of this process, each by /bin/sh -c in a
/// process group of its own, without holding up the event loop.
class Handlers {
 public:
  /// As the shell tells it: 128 plus the signal when a signal ended it; -1: it could not be run, or not in time.
  using Done = std::function<void(int exit_code)>;

  Handlers(uring::Ring& ring, std::map<std::string, std::string> commands, std::vector<std::string> environment,
           Duration timeout = seconds(120));
  /// Handlers that still run are left to themselves.
  ~Handlers();
  Handlers(const Handlers&) = delete;
  Handlers& operator=(const Handlers&) = delete;

  void configure(std::map<std::string, std::string> commands) { commands_ = std::move(commands); }
  /// False: no such handler is configured, and `done` is never called. Else it is called later, never from here.
  bool run(const std::string& name, Done done);
  [[nodiscard]] std::size_t running() const { return running_.size(); }

 private:
  struct Child {
    int process = -1;  ///< pid
    int descriptor = -1;
    uring::OperationHandle watch = 0;
    uring::TimerHandle deadline = 0;
    bool too_late = false;
    Done done;
  };
  void ended(std::uint64_t number);
  void overdue(std::uint64_t number);
  bool start(Child& child, const std::string& name, const std::string& command);

  uring::Ring& ring_;
  std::map<std::string, std::string> commands_;
  std::vector<std::string> environment_;
  Duration timeout_;
  std::map<std::uint64_t, Child> running_;
  std::uint64_t next_ = 1;
};

}  // namespace bascule::block_host
