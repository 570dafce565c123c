#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "core/manager/manager.h"
#include "runtime/process/cgroup.h"
#include "runtime/process/executor.h"

namespace bascule::manager_host {

/// Runs fence agents, unmodified, each device's in a cgroup of its own that is killed whole when the time is over.
class FenceRunner {
 public:
  using Sink = std::function<void(manager::Input)>;

  struct Where {
    std::string agents;     ///< the directory of the programs
    std::string directory;  ///< as for the services (process::open_service_processes())
    std::string cgroup;
    std::string cache;  ///< a directory for what the agents said of themselves; empty: they are asked at each start
  };
  /// `sink` gets FenceAgentDone and FenceAbilities, from the io_context.
  FenceRunner(boost::asio::io_context& io, Where where, process::Log log, Sink sink);
  ~FenceRunner();

  /// Asks each agent of the configuration what it can do, once. One that cannot be asked is taken to know everything.
  /// What an agent said is kept until its program is another file: a manager that comes back inside its lease has no
  /// time to wait for an interpreter. Such an answer goes to the sink from within this call.
  void ask_abilities(const config::ClusterConfig& config);
  void run(const std::string& node, const fencing::effect::RunAgent& run);

 private:
  struct Place {
    std::unique_ptr<process::ServiceProcesses> processes;
    std::unique_ptr<process::Executor> executor;
  };
  Place& place(const std::string& name);
  process::Launch launch(const std::string& agent, const std::string& step, const std::string& action,
                         std::string input, Duration timeout) const;

  void ask(const std::string& agent, const std::string& stamp);

  boost::asio::io_context& io_;
  Where where_;
  process::Log log_;
  Sink sink_;
  std::set<std::string> asked_;
  std::map<std::string, Place> places_;
};

}  // namespace bascule::manager_host
