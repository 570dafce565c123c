#pragma once

#include <boost/asio/io_context.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "core/agents/invocation.h"
#include "core/agents/metadata.h"
#include "runtime/process/cgroup.h"
#include "runtime/process/executor.h"

namespace bascule::agent_metadata {

/// Asks OCF agents for their meta-data, one after the other, each in time and up to metadata_bytes_max.
class OcfMetadata {
 public:
  struct Where {
    agents::Roots roots = {};
    std::string directory, cgroup;   ///< as for the services (process::open_service_processes())
    std::string cache = {};          ///< a directory for what they said; empty: nothing is kept
    Duration timeout = seconds(20);  ///< of one agent
  };
  struct Told {
    config::Step agent;  ///< "ocf", provider and type
    /// Errors: it is not installed, was killed when its time was over, or printed something else.
    Result<agents::AgentMetadata> metadata;
    bool installed = false;
  };
  /// `sink` is called once for each agent, from the io_context, or from within ask() where nothing has to be run.
  OcfMetadata(boost::asio::io_context& io, Where where, process::Log log, std::function<void(const Told&)> sink);
  ~OcfMetadata();
  OcfMetadata(const OcfMetadata&) = delete;
  OcfMetadata& operator=(const OcfMetadata&) = delete;

  /// Each OCF agent that the configuration names, if it was not asked yet or its file is another one since.
  void ask(const config::ClusterConfig& config);
  void ask(const config::Step& agent);
  [[nodiscard]] bool busy() const { return running_; }

 private:
  struct Wanted {
    config::Step agent;
    std::string stamp;
  };
  void next();
  void answered(const Wanted& wanted, const process::Completion& done);
  [[nodiscard]] std::string cache_of(const config::Step& agent) const;

  boost::asio::io_context& io_;
  Where where_;
  process::Log log_;
  std::function<void(const Told&)> sink_;
  std::map<std::string, std::string> asked_;  ///< agent -> stamp of its file
  std::deque<Wanted> queue_;
  bool running_ = false;
  std::unique_ptr<process::ServiceProcesses> processes_;
  std::unique_ptr<process::Executor> executor_;
};

/// What the agents of the configuration on this machine say, by agents::agent_name(). Waits for them, for each at most
/// five seconds; nothing is kept.
[[nodiscard]] std::map<std::string, OcfMetadata::Told> ask_here(const config::ClusterConfig& config,
                                                                const agents::Roots& roots = {});
[[nodiscard]] OcfMetadata::Told ask_here(const config::Step& agent, const agents::Roots& roots = {});

/// How a configuration goes with the agents of this machine, a sentence each.
struct Findings {
  std::vector<std::string> wrong;   ///< parameters that are unknown or missing, actions that are not offered
  std::vector<std::string> absent;  ///< agents that are not on this machine, or cannot be asked
  std::vector<std::string> advice;  ///< timeouts that are shorter than advised
};
[[nodiscard]] Findings findings_of(const config::ClusterConfig& config,
                                   const std::map<std::string, OcfMetadata::Told>& told);

}  // namespace bascule::agent_metadata
