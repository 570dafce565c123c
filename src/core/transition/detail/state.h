#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/agents/ocf.h"
#include "core/transition/service_runner.h"

/// The inside of ServiceRunner. Facts are what inputs said; everything else is what we made of them. Each file of this
/// folder holds the rules of some states; a rule returns true if it changed something, and then all are asked again.
namespace bascule::transition {

/// How long we wait for others before we ask again or do without them.
inline constexpr Duration proposal_retry = seconds(1);
inline constexpr Duration volume_retry = seconds(1);
inline constexpr Duration volume_lost_grace = seconds(1);  ///< blockd unreachable: it may only be reconnecting
inline constexpr Duration probe_volume_wait = seconds(2);  ///< for the first word of blockd before we probe without it
inline constexpr Duration adopt_wait = seconds(1);         ///< after the probes, for ownership and lease
inline constexpr Duration promote_patience = seconds(30);
inline constexpr Duration demote_patience = seconds(10);    ///< then it is killed and demoted by force
inline constexpr Duration kill_patience = seconds(2);       ///< for the cgroup before we unmount all the same
inline constexpr Duration kill_stop_timeout = seconds(10);  ///< of a stop action after the kill
inline constexpr int kill_rounds_max = 3;                   ///< of stops that fail after the kill
inline constexpr Duration action_slack = seconds(5);        ///< the executor's, on top of an action's timeout
inline constexpr Duration start_pause = seconds(1);         ///< before a failed start is tried again here
inline constexpr Duration block_retry = seconds(10);        ///< until the cluster says that it knows of the block
inline constexpr Duration hint_pause = seconds(1);          ///< between monitors that a hint asked for

struct Epochs {
  std::uint64_t service = 0;
  std::uint64_t volume = 0;
  bool operator==(const Epochs&) const = default;
};

struct StepRun {
  enum class Condition { Unknown, Stopped, Starting, Started, Stopping, Failed };
  Condition condition = Condition::Unknown;
  std::int64_t start_ms = -1;
  std::int64_t stop_ms = -1;
  std::vector<Instant> next_monitors = {};  ///< of each of monitors_of(); never: not now
  std::optional<ActionId> action = {};      ///< at most one per step
  std::vector<std::string> warnings = {};   ///< of each monitor: it runs, but is degraded, or a failure is ignored

  [[nodiscard]] std::string warning() const;
  void forget_warnings() { warnings.assign(warnings.size(), ""); }
  [[nodiscard]] bool active() const { return condition != Condition::Stopped; }
};

struct Pending {
  std::size_t step = 0;
  std::string operation;
  Instant overdue{};
  bool cancelled = false;   ///< its result says nothing any more, but until it came the agent may still run
  std::size_t monitor = 0;  ///< which of monitors_of()
};

/// The usual monitor first (interval 0: there is none), then the deeper ones.
[[nodiscard]] std::vector<config::Monitor> monitors_of(const config::Step& step);

struct KillProgress {
  Instant since{};
  bool cgroup_killed = false;
  bool unmount_asked = false;
  bool unmounted = false;
  bool near_stops_run = false;  ///< of what never touches the volume: addresses and routes
  bool far_stops_run = false;   ///< of the rest
  bool stop_failed = false;
  int rounds = 1;  ///< of kill and stops
};

struct ServiceRunner::State {
  State(config::Service service, std::string node_name, config::Timing timing_values);

  config::Service config;
  const std::string node;
  config::Timing timing;
  const bool has_volume;
  const bool volume_only;

  // Facts.
  bool ownership_known = false;
  input::Ownership ownership;
  bool volume_known = false;
  input::VolumeChanged volume;
  Instant volume_lost_at = never;  ///< since when it is not primary at our epoch although it should be
  input::Lease lease;              ///< the last one, of whatever epoch

  // What we are doing.
  ServiceStateName name = ServiceStateName::Unknown;
  std::string why;
  std::vector<StepRun> steps;
  std::vector<std::vector<config::Monitor>> monitors;  ///< of each step
  std::map<ActionId, Pending> actions;
  ActionId last_action = 0;
  std::optional<Epochs> run;  ///< the ownership that what runs here belongs to
  Instant run_lease_end{};
  std::optional<Epochs> releasing;  ///< stopped here; the cluster does not know yet
  Instant next_release = never;
  bool failed = false;         ///< ends in Failed
  bool adopting = false;       ///< found running before we knew whether it is ours
  Instant first_seen = never;  ///< of the first input
  bool probed = false;
  bool mount_asked = false;  ///< whether a mount is left of a blockd and a manager that both died
  bool mount_checked = false;
  bool probes_done = false;
  Instant adopt_by = never;
  Instant started_at{};
  Instant promote_since = never;
  Instant next_promote = never;
  bool promote_in_flight = false;
  std::string last_refusal;
  bool volume_promoted = false;  ///< in this run; losing it is a failure
  std::size_t stop_to = 0;       ///< Stopping: the lowest step to be stopped
  bool recovering = false;       ///< Stopping: start again from stop_to
  std::uint64_t restarting = 0;  ///< the restart in place that is under way; 0: none
  bool was_in_maintenance = false;
  Instant demote_since = never;
  Instant next_demote = never;
  bool waited = false;   ///< Stopped: for another service, with a lease that could end meanwhile
  bool pausing = false;  ///< Stopping: what it comes after does not run; it stays ours, and starts again after it
  Instant hint_at{};
  Instant next_start{};  ///< not before: a start failed that is tried again
  bool blocked = false;  ///< a failure with on_fail = "block" holds everything as it is
  message::RecordFailure block_record;
  Instant next_block_record = never;
  KillProgress killing;

  // For the time of one step().
  Instant now{};
  Effects* effects = nullptr;

  void absorb(const Input& input);
  void on(const input::Tick&) {}
  void on(const input::Ownership& input);
  void on(const input::Lease& input);
  void on(const input::VolumeChanged& input);
  void on(const input::ActionDone& input);
  void on(const input::CgroupKilled&);
  void on(const input::Unmounted&);
  void on(const input::ProcessesExited&);
  void apply_rules();
  [[nodiscard]] Instant next_deadline() const;
  Instant deadline{};  ///< as of the last step: it is asked for much more often than anything happens
  [[nodiscard]] message::ServiceReport report() const;

  // facts.cpp
  [[nodiscard]] std::optional<Epochs> owned() const;
  [[nodiscard]] std::uint64_t lease_epoch(const Epochs& epochs) const;
  [[nodiscard]] bool lease_valid() const;  ///< of the run
  [[nodiscard]] bool may_start() const;
  [[nodiscard]] bool volume_ready() const;
  [[nodiscard]] bool in(std::initializer_list<ServiceStateName> names) const;
  [[nodiscard]] Instant hold_until() const;
  [[nodiscard]] Instant kill_at() const;
  [[nodiscard]] std::size_t first_not_started() const;
  void become(ServiceStateName next, const std::string& reason);
  template <typename One>
  void emit(One one) {
    effects->emplace_back(std::in_place_type<One>, std::move(one));
  }
  void tell(const std::string& kind, const std::string& text, std::map<std::string, std::string> fields = {});
  void run_action(std::size_t index, const std::string& operation, Duration timeout, Duration interval);
  [[nodiscard]] Duration time_to_notify(std::size_t index, const std::string& operation) const;
  [[nodiscard]] std::string agent_operation(const std::string& operation) const;
  void run_monitor(std::size_t index, std::size_t which);
  void cancel_actions();
  void record_failure(bool start_failed, const std::string& text);
  void record_failure(message::RecordFailure failure);

  // results.cpp
  [[nodiscard]] agents::Found found_by(int return_code, bool probe) const;
  void probe_done(StepRun& step, const input::ActionDone& done);
  void monitor_done(std::size_t index, std::size_t which, const input::ActionDone& done);
  void monitor_succeeded(std::size_t index, std::size_t which, const input::ActionDone& done);
  [[nodiscard]] message::RecordFailure failure_of(std::size_t index, const std::string& text,
                                                  const input::ActionDone& done) const;

  // reactions.cpp: what a failed monitor or start leads to
  void monitor_failed(std::size_t index, std::size_t which, const input::ActionDone& done);
  void ignore_failure(std::size_t index, std::size_t which, const std::string& text, const input::ActionDone& done);
  void recover(std::size_t index, const std::string& reason);
  void block(const message::RecordFailure& failure);
  void give_up(const std::string& reason);
  void start_failed(std::size_t index, const std::string& text, const input::ActionDone& done);
  bool rule_blocked();
  bool rule_unblocked();
  void start_done(std::size_t index, const input::ActionDone& done);
  void stop_done(std::size_t index, const input::ActionDone& done);
  void tell_action_failed(std::size_t index, const std::string& text, const input::ActionDone& done);
  void tell_monitor_failed(std::size_t index, const std::string& text, const input::ActionDone& done);
  [[nodiscard]] std::string failure_text(std::size_t index, const std::string& operation,
                                         const input::ActionDone& done) const;

  // guards.cpp: rules that hold in many states, before all others
  bool rule_deposed();
  bool rule_agent_overdue();
  bool rule_volume_lost();
  bool rule_stop_too_long();
  bool rule_lease_ended();
  bool rule_stop_requested();

  // operations.cpp: maintenance, restart in place
  bool rule_maintenance_over();
  void look_again(const std::string& reason);
  void only_tell(std::size_t index, std::size_t which, agents::Found found, const std::string& text);
  bool rule_restart();
  bool rule_restarted();
  bool rule_pause();
  bool rule_waits();
  [[nodiscard]] bool resting() const;  ///< in maintenance, with every right to what runs: nothing is done about it
  [[nodiscard]] std::string stop_reason() const;
  [[nodiscard]] std::string cause() const;  ///< why a step is started or stopped

  // probing.cpp: Unknown, Held
  bool rule_probe();
  bool rule_unowned_primary();
  bool rule_judge_probes();
  bool rule_adopt();
  bool rule_lease_back();
  bool rule_grace_over();
  [[nodiscard]] Epochs found_run() const;
  void resume(const std::string& reason);

  // starting.cpp: Stopped, Promoting, Starting, Started
  bool rule_start();
  bool rule_promote();
  bool rule_promote_failed();
  bool rule_promoted();
  bool rule_start_next();
  bool rule_monitor();
  void enter_started(const std::string& reason);

  // stopping.cpp: Stopping, Stopped, Failed
  bool rule_stop_next();
  bool rule_stopped_steps();
  bool rule_demote();
  bool rule_release();
  bool rule_unexpected_primary();
  bool rule_failed_over();
  bool rule_stale_mount();
  void stop_all(const std::string& reason);
  [[nodiscard]] bool steps_stopped() const;
  [[nodiscard]] bool volume_down() const;
  void finish();

  // killing.cpp: Killing
  void kill(const std::string& reason);
  bool rule_kill_near_stops();
  bool rule_kill_unmount();
  bool rule_kill_demote();
  bool rule_kill_far_stops();
  bool rule_kill_finish();
  void run_kill_stops(bool near);
  void kill_again();
};

[[nodiscard]] const char* text(ServiceStateName name);
[[nodiscard]] const char* text(StepRun::Condition condition);
[[nodiscard]] bool allowed(ServiceStateName from, ServiceStateName to);

}  // namespace bascule::transition
