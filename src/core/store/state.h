#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

/// What the cluster has agreed on: the state that the consensus log builds. Deterministic, ordered, no clock.
namespace bascule::store {

struct NodeState {
  bool standby = false;
  bool away = false;  ///< it said that it is switched off on purpose; ends with its standby
  /// Its leases may last so long, because its manager is restarted on purpose, and a takeover waits as long. 0: no
  /// longer than all others.
  std::uint64_t restart_lease_ms = 0;
  std::uint64_t restart_version = 0;  ///< +1 with each change of restart_lease_ms; commands compare and set it
  std::string boot = {};              ///< the boot of the machine that its transient attributes belong to
  std::map<std::string, std::string> attributes = {};            ///< permanent
  std::map<std::string, std::string> transient_attributes = {};  ///< until it boots

  bool operator==(const NodeState&) const = default;
};

/// Which replicas may be promoted, and who is primary.
struct VolumeState {
  bool initialised = false;            ///< false until the first primary was chosen: nobody has data yet
  std::set<std::string> in_sync;       ///< replicas that have every acknowledged write
  std::uint64_t in_sync_version = 0;   ///< +1 with each change of in_sync or of the owner; commands compare and set it
  std::optional<std::string> owner;    ///< the only node that may be primary
  std::uint64_t epoch = 0;             ///< +1 each time an owner is given; leases and blockd's promotion carry it
  bool held_by_hand = false;           ///< owner was given by `bascule volume primary`, not by a service
  std::optional<std::string> hold_on;  ///< where an administrator wants it primary by hand; policy grants it
  bool stop_requested = false;         ///< held by hand: the owner is to demote and release it

  bool operator==(const VolumeState&) const = default;
};

enum class Target { Started, Stopped };

struct ServiceFailure {
  std::uint32_t count = 0;
  bool start_failed = false;  ///< a failed start bans the node until it is cleared
  std::string text;           ///< of the last one: "apache start: rc 1 (generic error): ..."
  std::string step = {};
  std::string reaction = "restart";  ///< what it led to (config::OnFail); the strongest that was asked for
  std::string output = {};           ///< the agent's last words
  std::uint64_t at_ms = 0;           ///< wall clock of its node, for people only
  std::uint64_t version = 0;         ///< the log's index of the last one

  bool operator==(const ServiceFailure&) const = default;
};

struct ServiceState {
  std::optional<Target> target;           ///< by hand; otherwise the configuration's autostart
  std::optional<std::string> owner;       ///< the only node that may run it
  std::uint64_t epoch = 0;                ///< +1 each time an owner is given
  bool stop_requested = false;            ///< the owner is to stop and release it (move, standby, stop)
  std::optional<std::string> last_owner;  ///< who had it last (also while it has an owner)
  std::optional<std::string> move_to;     ///< where an administrator sent it; until it was granted again
  std::optional<std::string> move_from;   ///< an administrator sent it away from here; until it was granted again
  bool pinned = false;                    ///< it is where it is because an administrator moved it: no failback
  std::map<std::string, ServiceFailure> failures;  ///< by node
  std::string reason = {};                         ///< why it was last given to its owner, or is to stop; a sentence
  std::uint64_t restarts_asked = 0;                ///< +1 with each restart in place that was asked for
  std::uint64_t restarts_done = 0;                 ///< the last one that was carried out
  std::string restart_step = {};                   ///< the first step to be restarted; empty: all
  std::uint64_t configuration = 0;                 ///< the version by which the last owner was given it

  bool operator==(const ServiceState&) const = default;
};

/// Nothing is started, stopped, moved or recovered while it lasts.
struct Maintenance {
  std::string by;             ///< who asked for it
  std::string reason;         ///< may be empty
  std::uint64_t at_ms = 0;    ///< since when, by the wall clock of the node that was asked; for people only
  std::uint64_t left_ms = 0;  ///< how long it was to last yet when `version` was agreed; 0: until it is ended by hand
  std::uint64_t version = 0;

  bool operator==(const Maintenance&) const = default;
};

/// What the cluster was, or is, configured to be.
struct ConfigurationVersion {
  std::uint64_t version = 0;
  std::string text;  ///< cluster.toml
  std::string reason;
  std::string who;
  std::uint64_t at_ms = 0;  ///< wall clock of the node where it was given

  bool operator==(const ConfigurationVersion&) const = default;
};

/// A permission to join, once.
struct JoinToken {
  std::string node;
  std::uint64_t expires_at_ms = 0;
  bool used = false;

  bool operator==(const JoinToken&) const = default;
};

/// A fencing that is under way.
struct FencingOrder {
  std::uint64_t order = 0;
  std::string by;
  std::string reason;

  bool operator==(const FencingOrder&) const = default;
};

/// A fencing as it ended.
struct Fenced {
  std::string node, by, how, text, reason;
  bool proven = false;
  std::uint64_t took_ms = 0, at_ms = 0;  ///< `at_ms`: wall clock of `by`

  bool operator==(const Fenced&) const = default;
};

/// How the last trials of a fence device went.
struct FenceTest {
  std::uint64_t passed_at_ms = 0;  ///< 0: never
  std::uint64_t tried_at_ms = 0;
  bool passed = false;           ///< the last one
  std::uint64_t definition = 0;  ///< config::definition_of() the device as it was tried
  std::string node, by, text;

  bool operator==(const FenceTest&) const = default;
};

struct FencingState {
  static constexpr std::size_t kept = 64;
  std::map<std::string, FencingOrder> orders;  ///< by node
  std::deque<Fenced> history;                  ///< the newest last, at most `kept`
  std::map<std::string, FenceTest> tests;      ///< by device

  bool operator==(const FencingState&) const = default;
};

struct ClusterState {
  std::map<std::string, NodeState> nodes;
  std::map<std::string, VolumeState> volumes;
  std::map<std::string, ServiceState> services;
  std::map<std::string, Maintenance> maintenance;  ///< by scope (core/store/operations.h)
  std::uint64_t maintenance_version = 0;           ///< +1 with each change of `maintenance`
  bool halted = false;                             ///< nothing is to run, whatever each service's target
  std::string halted_by = {};
  /// Oldest first, the one in force last. Empty: every node goes by its file, which counts as version 0.
  std::vector<ConfigurationVersion> configurations;
  std::uint64_t highest_node_id = 0;        ///< ever given
  std::map<std::string, JoinToken> tokens;  ///< by the hash of the secret
  FencingState fencing;
  std::uint64_t applied_index = 0;

  [[nodiscard]] std::uint64_t configuration() const {
    return configurations.empty() ? 0 : configurations.back().version;
  }

  bool operator==(const ClusterState&) const = default;
};

/// How many versions are kept; one by which something still runs is kept beside them.
inline constexpr std::size_t configurations_kept = 16;
/// Unused and unexpired tokens at a time.
inline constexpr std::size_t tokens_max = 64;

}  // namespace bascule::store
