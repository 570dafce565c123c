#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"
#include "wire/cluster_config/config.h"
#include "wire/cluster_message/message.h"

/// What one node does with one service (and its volume): the pure machine behind start, stop, monitor, recovery, hold
/// and kill. One object per configured service per data node, and one per volume without a service (steps empty).
namespace bascule::transition {

using ActionId = std::uint64_t;

namespace input {
struct Tick {};
/// What the applied state says about this node: `owned_*_epoch` is set while this node is the owner.
struct Ownership {
  std::optional<std::uint64_t> service_epoch;
  std::optional<std::uint64_t> volume_epoch;
  bool stop_requested = false;
  bool blocked = false;       ///< a failure with `on_fail = "block"` is not cleared yet
  bool maintenance = false;   ///< nothing is started, stopped or recovered; monitors only tell
  std::string reason = {};    ///< why it was given to this node, or is to stop
  std::uint64_t restart = 0;  ///< the restart in place that is to be done; 0: none
  std::string restart_step = {};
  std::string waits_for = {};  ///< what it comes after and what does not run; a sentence: nothing is started
  bool pause = false;          ///< that is certainly so: what runs is stopped, and stays this node's

  bool operator==(const Ownership&) const = default;
};
struct Lease {
  std::uint64_t epoch = 0;
  Instant end{};
};  ///< of the service (of the volume, where there is no service)
/// From blockd. `promoted_epoch` is set while it is primary; `device` when the block device is there.
struct VolumeChanged {
  bool attached = false;
  std::optional<std::uint64_t> promoted_epoch;
  std::string device;
  std::string refusal;  ///< why the last promote or demote was refused; empty if it was not
};
struct ActionDone {
  ActionId action = 0;
  int return_code = 0;  ///< OCF return code; -1: timed out and killed; -2: could not be run
  std::string reason;   ///< the agent's ocf-exit-reason, or the last line of stderr
  Duration took{};
  std::string output = {};  ///< its last words, at most message::failure_output_bytes_max
};
struct CgroupKilled {};  ///< every process of the service is gone
struct Unmounted {
  bool clean = false;
};                          ///< nothing of the volume's device is mounted any more
struct ProcessesExited {};  ///< the service's cgroup became empty by itself (a hint: monitor now)
}  // namespace input
using Input = std::variant<input::Tick, input::Ownership, input::Lease, input::VolumeChanged, input::ActionDone,
                           input::CgroupKilled, input::Unmounted, input::ProcessesExited>;

namespace effect {
struct RunAction {
  ActionId action = 0;
  std::size_t step_index = 0;
  std::string operation;  ///< start, stop, monitor; of a role promote, demote, monitor
  Duration timeout{};
  Duration interval{};            ///< of a recurring monitor; 0 otherwise
  std::string device;             ///< of the volume, for a Filesystem step without its own device parameter
  std::uint32_t check_level = 0;  ///< of a monitor: how deep it looks
  /// Beside what every agent gets: what a notification is about (core/agents/notification.h).
  std::map<std::string, std::string> environment = {};
};
struct CancelActions {};  ///< kill whatever agent is running
struct PromoteVolume {
  std::uint64_t epoch = 0;
  bool initial = false;
};
struct DemoteVolume {
  bool force = false;
};
struct FailHeldIo {};
struct KillCgroup {};  ///< SIGKILL to everything of the service; answered by CgroupKilled
struct Unmount {};     ///< lazily if need be; answered by Unmounted
struct Propose {
  message::Command command;
};
struct ReleaseLease {
  std::uint64_t service_epoch = 0;
  std::uint64_t volume_epoch = 0;
};  ///< watchdogd: disarmed, nothing runs here
struct Event {
  std::string kind;
  std::string text;
  std::map<std::string, std::string> fields;
};
}  // namespace effect
using Effect = std::variant<effect::RunAction, effect::CancelActions, effect::PromoteVolume, effect::DemoteVolume,
                            effect::FailHeldIo, effect::KillCgroup, effect::Unmount, effect::Propose,
                            effect::ReleaseLease, effect::Event>;
using Effects = std::vector<Effect>;

/// Spelled as `bascule status` shows them.
enum class ServiceStateName {
  Unknown,
  Stopped,
  Promoting,
  Starting,
  Started,
  Blocked,
  Stopping,
  Held,
  Killing,
  Failed
};

class ServiceRunner {
 public:
  /// `service` may have no steps (a volume without a service). `node` is this node.
  ServiceRunner(config::Service service, std::string node, config::Timing timing);

  /// Total: every input in every state. The first thing it does is to probe (monitor each step once): Unknown ->
  /// Stopped or Started, because managerd may have been restarted under a running service.
  void step(const Input& input, Instant now, Effects& effects);
  [[nodiscard]] Instant next_deadline() const;
  [[nodiscard]] message::ServiceReport report() const;
  /// Other settings for the same steps, in every state: timeouts, intervals, patience. They count from the next action
  /// on. The steps themselves and the volume are as before (reconfiguration::needs_restart says no).
  void redefine(config::Service service, config::Timing timing);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace bascule::transition
