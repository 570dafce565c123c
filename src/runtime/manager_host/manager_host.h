#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "core/manager/manager.h"
#include "runtime/manager_host/history.h"
#include "runtime/manager_host/journal.h"
#include "wire/cluster_config/config.h"
#include "wire/cluster_message/command.h"

namespace bascule::manager_host {

struct Options {
  std::string node;
  std::string run_dir = "/run/bascule";
  std::string state_dir = "/var/lib/bascule";
  std::string cgroup;       ///< below which the services' processes live; empty: the root of the cgroup 2 tree
  std::string config_file;  ///< where the agreed configuration is kept; empty: nowhere
  std::string config_text;  ///< what stands there at the start
  std::string fence_agents = "/usr/sbin";  ///< where the fence agents are
};

/// Runs a Manager on a real machine: UDP to the others, files, blockd's control sockets, watchdogd, agents. One thread;
/// the consensus log has a worker of its own.
class ManagerHost {
 public:
  using Done = std::function<void(bool accepted, std::string why)>;

  /// Opens everything; fails with one sentence when the surroundings are unusable. `config` may have peers, and is
  /// copied.
  [[nodiscard]] static Result<std::unique_ptr<ManagerHost>> open(boost::asio::io_context& io,
                                                                 const config::ClusterConfig& config, Options options);
  ~ManagerHost();
  ManagerHost(const ManagerHost&) = delete;
  ManagerHost& operator=(const ManagerHost&) = delete;

  [[nodiscard]] std::string status_json() const;
  [[nodiscard]] std::string plan_json(const std::string& text) const;
  [[nodiscard]] std::string history_json(std::optional<std::uint64_t> version) const;
  /// A token with which `node`, which is configured, may join for so long: its text, when the log has agreed to it.
  using TokenDone = std::function<void(Result<std::string>)>;
  void issue_token(const std::string& node, std::uint64_t valid_s, const std::string& who, TokenDone done);
  [[nodiscard]] std::string attributes_json() const;
  /// Of an agent: taken at once, agreed on when it can be.
  [[nodiscard]] Result<void> set_attribute(const manager::input::AgentAttribute& attribute);
  /// Answered once, when the change is committed or refused.
  void change(message::Command command, Done done);
  [[nodiscard]] Journal& journal();
  /// What happened on all nodes; a service counts with its volume. `done` is called once, from the io_context.
  void history(history::Filter filter, const std::string& cursor, History::Done done);
  /// Makes the leases of this node outlast a restart of its manager; `ready` is called once, if a majority agrees.
  void prepare_restart(std::function<void()> ready);
  /// Reads the key file again (SIGHUP). With a bad file the keys stay as they are.
  [[nodiscard]] Result<void> reload_keys();

 private:
  struct State;
  explicit ManagerHost(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace bascule::manager_host
