#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"
#include "core/fencing/fencer.h"
#include "core/membership/links.h"
#include "core/transition/service_runner.h"
#include "wire/cluster_config/config.h"
#include "wire/cluster_message/message.h"
#include "wire/raft/types.h"

/// One node's manager: consensus, leases, liveness, policy and the services' machines composed into one pure machine.
/// The driver (runtime/manager_host) carries its effects out; a simulator can run the same object.
namespace bascule::store {
struct ClusterState;
}

namespace bascule::manager {

using RequestId = std::uint64_t;

/// What a blockd says of its volume (docs/architecture.md, "Control of blockd").
struct VolumeState {
  message::VolumeReport report;
  std::optional<std::uint64_t> promoted_epoch;
  std::string peer;
  std::uint64_t in_sync_version = 0;  ///< of the set that it goes by
  bool wants_shrink = false;
  bool wants_grow = false;
  bool failed_io = false;
};

namespace input {
struct Tick {};
/// A datagram of another manager, decoded and checked (wire/cluster_message).
struct Received {
  std::uint32_t from = 0;
  message::Message message;
  std::size_t link = 0;  ///< over which it came first
};
/// What was received already came over another link too.
struct LinkHeard {
  std::uint32_t from = 0;
  std::size_t link = 0;
};
struct Persisted {
  std::uint64_t sequence = 0;
};
struct PersistFailed {
  std::string reason;
};
/// blockd's state; `connected` false: its control socket is gone.
struct VolumeChanged {
  std::string volume;
  bool connected = false;
  VolumeState state;
};
/// blockd refused a command (promote, demote): the sentence.
struct VolumeRefused {
  std::string volume;
  std::string operation;
  std::string why;
};
/// A story line of blockd.
struct VolumeStory {
  std::string volume;
  std::string kind;
  std::string text;
  std::map<std::string, std::string> fields;
};
/// For the runner of `service` (or of a volume without a service: "volume:NAME").
struct ForRunner {
  std::string runner;
  transition::Input input;
};
/// What the machine says of itself; once at the start, and the clock again from time to time.
struct Machine {
  std::string boot;           ///< of this boot of the machine; empty: as before
  std::uint64_t wall_ms = 0;  ///< wall clock, for people only
};
/// An agent sets (or deletes) a transient attribute. Taken at once and told to nobody: the cluster agrees on it when it
/// can, together with what else comes within `delay` of the first change.
struct AgentAttribute {
  std::string node;  ///< empty: this one
  std::string name;
  std::optional<std::string> value;  ///< none: deleted
  Duration delay{};
};
/// This manager is about to be restarted on purpose: make its leases last until it is back, then RestartReady.
struct PrepareRestart {};
/// A change that a person asked for.
struct Change {
  RequestId request = 0;
  message::Command command;
};
/// How a RunFenceAgent ended.
struct FenceAgentDone {
  std::string node;
  fencing::input::AgentDone done;
};
/// What an agent says of itself. Told for each agent of the configuration once, also when it could not be asked.
struct FenceAbilities {
  std::string agent;
  fencing::Abilities abilities;
};
/// What an OCF agent says of itself. One that was not asked, or could not be, is taken to offer everything.
struct AgentSays {
  std::string agent;  ///< "ocf:heartbeat:pgsql"
  bool offers_notify = false;
};
}  // namespace input
using Input = std::variant<input::Tick, input::Received, input::LinkHeard, input::Persisted, input::PersistFailed,
                           input::VolumeChanged, input::VolumeRefused, input::VolumeStory, input::ForRunner,
                           input::Machine, input::AgentAttribute, input::PrepareRestart, input::Change,
                           input::FenceAgentDone, input::FenceAbilities, input::AgentSays>;

namespace effect {
struct Send {
  std::uint32_t to = 0;
  message::Message message;
  membership::LinkMask links = 1;  ///< over each of these
};
/// Durable, in order; answered by Persisted{sequence}.
struct Persist {
  std::uint64_t sequence = 0;
  raft::LogChange change;
};
struct Promote {
  std::string volume;
  std::uint64_t epoch = 0;
  bool initial = false;
};
struct Demote {
  std::string volume;
  bool force = false;
};
struct FailIo {
  std::string volume;
};
struct InSync {
  std::string volume;
  std::uint64_t version = 0;
  std::vector<std::string> members;
};
struct PeerLost {
  std::string volume;
  std::string reason;
};
struct RunAction {
  std::string runner;
  transition::effect::RunAction action;
};
struct CancelActions {
  std::string runner;
};
struct KillCgroup {
  std::string runner;
};
struct Unmount {
  std::string runner;
  std::string volume;
};
/// To watchdogd.
struct GrantLease {
  std::string slot;
  std::uint64_t epoch = 0;
  Instant end{};
};
struct ReleaseLease {
  std::string slot;
  std::uint64_t epoch = 0;
};
/// Answered by FenceAgentDone.
struct RunFenceAgent {
  std::string node;
  fencing::effect::RunAgent run;
};
struct ChangeDone {
  RequestId request = 0;
  bool accepted = false;
  std::string why;
};
struct Story {
  message::Event event;
};  ///< `at_ns` set; the driver adds the wall clock and keeps it
/// A decision and all that it was taken on, to be kept on disk so that it can be replayed (core/decisions/FORMAT.md).
struct KeepDecision {
  std::string json;
};
/// After PrepareRestart, once: the leases last, and another node leads. It may never come, for want of a majority.
struct RestartReady {};
struct Stop {
  std::string reason;
};  ///< the process cannot go on
/// The agreed configuration is this one from now on: keep `text` as this node's file, and speak with `linked`.
struct Configured {
  std::uint64_t version = 0;
  std::string text;
  std::shared_ptr<const config::ClusterConfig> config;  ///< of the managers
  std::vector<config::Node> linked;                     ///< members, and those that are on their way out
  bool edited = false;                                  ///< what this node's file said at the start was never agreed on
};
/// What RunAction and the others mean by `runner` from now on. `afresh`: whatever was running of its agents is let go.
struct DefineRunner {
  std::string runner;
  config::Service service;
  bool afresh = true;
};
struct CloseRunner {
  std::string runner;
};
/// There is a blockd of this volume to speak with; with `open` false no more.
struct AttendVolume {
  std::string volume;
  bool open = true;
};
}  // namespace effect
using Effect =
    std::variant<effect::Send, effect::Persist, effect::Promote, effect::Demote, effect::FailIo, effect::InSync,
                 effect::PeerLost, effect::RunAction, effect::CancelActions, effect::KillCgroup, effect::Unmount,
                 effect::GrantLease, effect::ReleaseLease, effect::ChangeDone, effect::Story, effect::KeepDecision,
                 effect::RestartReady, effect::RunFenceAgent, effect::Stop, effect::Configured, effect::DefineRunner,
                 effect::CloseRunner, effect::AttendVolume>;
using Effects = std::vector<Effect>;

/// How this start of a manager came about.
struct Startup {
  std::string file_text;  ///< of the configuration that it was given, as it stands in the file
  /// It joined a cluster that is there already: it is no member until that cluster says so, also with an empty disk.
  bool joined = false;
};

class Manager {
 public:
  /// `self` is a node of `config`. `seed` is from getrandom(): election jitter, proposal ids and the incarnation.
  /// `told_index`: what entries of the log up to this one told was told before this start, and is not told again.
  Manager(const config::ClusterConfig& config, const std::string& self, raft::Restored restored, std::uint64_t seed,
          std::uint64_t told_index, Instant now, Startup startup = {});
  ~Manager();
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  /// Total: every input in every state.
  void step(const Input& input, Instant now, Effects& effects);
  [[nodiscard]] Instant next_deadline() const;
  /// The reply to `{"op":"status"}` (docs/architecture.md, "API").
  [[nodiscard]] std::string status_json(Instant now) const;
  /// The reply to `{"op":"config_plan"}`: what this text as the configuration would do, as far as this node knows.
  [[nodiscard]] std::string plan_json(const std::string& text, Instant now) const;
  /// The reply to `{"op":"config_history"}`: the versions without their texts, or the one that is asked for with it.
  [[nodiscard]] std::string history_json(std::optional<std::uint64_t> version) const;
  /// The configuration in force here, with its peers.
  [[nodiscard]] const std::string& configuration_text() const;
  /// The reply to `{"op":"attributes"}`: node -> {"permanent": {name: value}, "transient": {name: value}}, with what
  /// agents of this node have set and the cluster has not agreed on yet.
  [[nodiscard]] std::string attributes_json() const;
  /// What the cluster has agreed on, as far as this node has applied it. For checkers.
  [[nodiscard]] const store::ClusterState& agreed() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The name of the runner of a volume that no service uses.
[[nodiscard]] std::string runner_of_volume(const std::string& volume);

}  // namespace bascule::manager
