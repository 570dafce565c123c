#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/transition/service_runner.h"
#include "runtime/address/address_step.h"
#include "runtime/mount/mount_step.h"
#include "runtime/process/cgroup.h"
#include "runtime/process/executor.h"
#include "runtime/process/mounts.h"
#include "runtime/units/units.h"
#include "wire/cluster_config/config.h"

namespace bascule::manager_host {

/// `bascule-managerd WORD DEVICE TYPE` calls files::make_filesystem: a child of the manager for steps with `make`.
inline constexpr const char* make_filesystem_word = "--make-filesystem";

/// Carries out what one service's machine wants of this machine: agents, its cgroup, its mounts.
class AgentRunner {
 public:
  using Sink = std::function<void(transition::Input)>;

  /// Where the processes are kept: process::node_directory() below a cgroup (empty: the root of the tree).
  struct Place {
    std::string directory, cgroup;
    std::string tools, socket;  ///< what agents call (edge/agent_tools), and whom that asks
  };
  /// `sink` gets the answers, from the io_context. `units` outlives it.
  AgentRunner(boost::asio::io_context& io, const config::Service& service, std::string node, const Place& place,
              units::Units& units, process::Log log, Sink sink);

  void run(const transition::effect::RunAction& action);
  /// Something on this machine changed that a monitor would see: it looks at once.
  void look_now() { sink_(transition::input::ProcessesExited{}); }
  /// Something was mounted or unmounted: looks at once when a mount of this service is gone.
  void mounts_changed();
  /// Other settings for the same steps.
  void redefine(const config::Service& service) { service_ = service; }
  void cancel();
  void kill();
  /// The device that the last action was given or, after a restart of the manager, what `link` points to.
  void unmount(const std::string& link);

 private:
  void run_mount(const transition::effect::RunAction& action, const config::Step& step);
  void mount(const transition::effect::RunAction& action, const config::Step& step);
  void run_built_in(const transition::effect::RunAction& action, const config::Step& step);
  void end_leftovers(const std::string& step, transition::input::ActionDone stopped);
  void run_unit(const transition::effect::RunAction& action, const config::Step& step);
  void watch_units();

  boost::asio::io_context& io_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  std::map<std::string, address::AddressStep> addresses_;  ///< by step
  std::map<std::string, mount::MountStep> mounts_;         ///< by step
  config::Service service_;
  std::string node_;
  std::string tools_, socket_;
  std::string last_device_;
  units::Units& units_;
  std::map<transition::ActionId, units::Units::Action> unit_actions_;  ///< under way
  Sink sink_;
  std::unique_ptr<process::ServiceProcesses> processes_;
  process::Executor executor_;
  process::Unmounter unmounter_;
};

}  // namespace bascule::manager_host
