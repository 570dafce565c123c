#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

/// The commands of the consensus log: every change of the agreed state is one of these. Encoded as compact JSON, so
/// that a log can be read with a pager.
namespace bascule::message {

// Given by people (through the API of any node).
struct SetStandby {
  std::string node;
  bool standby = false;
  bool wait = false;  ///< drain: also while something there has no other place yet; it leaves as soon as it has one
};
struct SetTarget {
  std::string service;
  bool started = false;
};
struct MoveService {
  std::string service;
  std::string to;
};  ///< `to` empty: away from where it is
struct HoldVolume {
  std::string volume;
  std::string node;
};  ///< primary by hand, no service; `node` empty: let it go
struct ClearFailures {
  std::string service;
  std::string node;           ///< empty: everywhere
  std::uint64_t version = 0;  ///< set by the leader when they fade: only while the last failure is this one
};
/// Changes attributes of a node. A value "value++" or "value+=N" counts on from what was agreed before.
struct UpdateAttributes {
  std::string node;
  bool transient = true;                   ///< lost when the node boots
  std::map<std::string, std::string> set;  ///< at most attribute_changes_max together with `remove`
  std::vector<std::string> remove;
};

/// Nothing is started, stopped, moved or recovered in `scope` ("cluster", "service:shop", "node:alice") until it ends.
struct SetMaintenance {
  std::string scope;
  bool on = false;
  std::string by;                 ///< who asked, for people
  std::string reason;             ///< for people; may be empty
  std::uint64_t at_ms = 0;        ///< wall clock of the node that was asked, for people only
  std::uint64_t duration_ms = 0;  ///< 0: until it is ended by hand
};
/// Stopped and started in place: `step` and those after it, or all of it when that is empty.
struct RestartService {
  std::string service;
  std::string step;
};
/// Every service is stopped and every volume demoted, until this is taken back; each one's own target is kept.
struct SetHalt {
  bool halted = false;
  std::string by;  ///< who asked, for people
};

// Given by the leader's policy.
/// So much of a maintenance is left, as the leader has measured; 0: it is over. Applies only to the one of `version`.
struct AgeMaintenance {
  std::string scope;
  std::uint64_t version = 0;
  std::uint64_t left_ms = 0;
};
/// A first primary for a volume on which no replica ever held data.
struct InitialiseVolume {
  std::string volume;
  std::string node;
};
/// Ownership of a service and of its volume (or of a volume alone: `service` empty). Applies only when both epochs are
/// still those given; each becomes +1. `lost` (may be empty) is a node that leaves the volume's in-sync set in the same
/// step, because its lease has ended and the volume is taken over from it.
struct GrantOwnership {
  std::string service;
  std::string volume;
  std::string node;
  std::string lost;
  std::uint64_t service_epoch = 0;
  std::uint64_t volume_epoch = 0;
  std::string reason;
  std::uint64_t configuration = 0;  ///< applies only while this is the version of the configuration
};
struct RequestStop {
  std::string service;
  std::uint64_t epoch = 0;
  std::string reason;
};  ///< owner: stop and release

// Given by the owner.
/// Everything of this epoch is stopped here and the volume is secondary. Empty `service`: a volume held by hand.
struct ReleaseOwnership {
  std::string service;
  std::string volume;
  std::uint64_t service_epoch = 0;
  std::uint64_t volume_epoch = 0;
};
struct ShrinkInSync {
  std::string volume;
  std::uint64_t epoch = 0;
  std::uint64_t version = 0;
  std::string remove;
};
struct GrowInSync {
  std::string volume;
  std::uint64_t epoch = 0;
  std::uint64_t version = 0;
  std::string add;
};
/// The manager of `node` is about to be restarted, and leases to it may last `lease_ms`; 0: those have all ended.
/// Applies only while the node's restart_version is `version`, which each change makes +1.
struct SetRestartLease {
  std::string node;
  std::uint64_t version = 0;
  std::uint64_t lease_ms = 0;
};
/// `node`, of two that decide together, is about to be switched off, and the other one is to decide alone until it is
/// back: until then it has no vote. It must be in standby and own nothing; an end of the standby ends this too.
struct SayGoodbye {
  std::string node;
  bool back = false;  ///< it is there again, be it in standby
};
/// The restart with this number was carried out in this epoch.
struct RestartDone {
  std::string service;
  std::uint64_t epoch = 0;
  std::uint64_t number = 0;
};
struct RecordFailure {
  std::string service;
  std::string node;
  std::uint64_t epoch = 0;
  bool start_failed = false;
  std::string text;
  std::string step = {};             ///< empty: of the service as a whole
  std::string reaction = "restart";  ///< config::OnFail as a word
  std::string output = {};           ///< the agent's last words, at most failure_output_bytes_max
  std::uint64_t at_ms = 0;           ///< wall clock of the node, for people only; 0: not known
};
/// The node runs since a boot that was not known: what it had before (transient attributes, failures) is gone.
struct NoteBoot {
  std::string node;
  std::string boot;
};

/// The configuration of the cluster from now on. Applies only while `base_version` is the version in force; the next
/// one is +1. `adopts`: it is what the files said until now, and becomes version 0.
struct SetConfig {
  std::uint64_t base_version = 0;
  bool adopts = false;
  std::string text;  ///< cluster.toml, at most config_text_bytes_max
  std::string reason;
  std::string who;
  std::uint64_t at_ms = 0;            ///< wall clock of the proposer, since 1970
  std::uint64_t highest_node_id = 0;  ///< of the nodes in `text`; no id at or below the highest ever is given again
};
inline constexpr std::size_t config_text_bytes_max = 24 * 1024;
/// Whoever proves to have the secret of which this is the SHA-256, in hexadecimal digits, is told the cluster's keys,
/// once, as the node `node`.
struct IssueToken {
  std::string node;
  std::string secret_hash;
  std::uint64_t at_ms = 0;
  std::uint64_t expires_at_ms = 0;
  std::string who;
};
/// Applies once for each token, and not after it has expired. The secrets leave a member only after this is applied.
struct UseToken {
  std::string secret_hash;
  std::uint64_t at_ms = 0;
  std::string from;  ///< the address that it came from
};

/// In the place of a node: attributes of the cluster as a whole (Pacemaker's crm_config).
inline constexpr const char* cluster_attributes = "#cluster";
inline constexpr std::size_t failure_output_bytes_max = 1024;
inline constexpr std::size_t attribute_changes_max = 128;  ///< of one command
inline constexpr std::size_t attributes_max = 256;         ///< of one node and lifetime
inline constexpr std::size_t attribute_name_bytes_max = 128;
inline constexpr std::size_t attribute_value_bytes_max = 1024;
// Fencing.
/// What a person asks of the node that he talks to. It is carried out there and never becomes an entry of the log.
struct FenceByHand {
  std::string node;    ///< whom it is about; start-alone: whom it does not wait for
  std::string act;     ///< "fence", "test", "test-really", "confirm" (it is off) or "start-alone"
  std::string device;  ///< only this one; empty: all of the node
};
/// `node` is to be switched off by `by`, which runs the agents. One order at a time for each node.
struct RequestFencing {
  std::string node;
  std::string by;
  std::uint64_t order = 0;  ///< random
  std::string reason;
};
/// What came of it. Closes the order of that number, if it is open; 0: nobody ordered it here (two nodes).
struct RecordFencing {
  std::string node;
  std::string by;
  std::uint64_t order = 0;
  std::string how;      ///< the devices and what they did, or that a person confirmed it
  bool proven = false;  ///< the node was off at a moment in between
  std::string text;     ///< a sentence
  std::string reason;
  std::uint64_t took_ms = 0;
  std::uint64_t at_ms = 0;  ///< the wall clock of `by`
};
/// A device was tried out by `by` on `node`.
struct RecordFenceTest {
  std::string device;
  std::string node;
  std::string by;
  bool passed = false;
  std::string text;
  std::uint64_t at_ms = 0;       ///< the wall clock of `by`
  std::uint64_t definition = 0;  ///< config::definition_of() the device as it was tried
};

using Command =
    std::variant<SetStandby, SetTarget, MoveService, HoldVolume, ClearFailures, InitialiseVolume, GrantOwnership,
                 RequestStop, ReleaseOwnership, ShrinkInSync, GrowInSync, RecordFailure, SetRestartLease,
                 SetMaintenance, AgeMaintenance, RestartService, RestartDone, SetHalt, SetConfig, IssueToken, UseToken,
                 UpdateAttributes, NoteBoot, RequestFencing, RecordFencing, RecordFenceTest, FenceByHand, SayGoodbye>;

/// A command with the id its proposer gave it, so that a repeated proposal is applied once.
struct Proposal {
  std::uint64_t id = 0;  ///< random 64 bits
  std::string proposer;  ///< node
  Command command;
};

[[nodiscard]] Bytes encode(const Proposal& proposal);
[[nodiscard]] Result<Proposal> decode_proposal(ByteView bytes);
/// "grant shop to bob (epoch 4): alice's lease has ended"
[[nodiscard]] std::string text(const Command& command);

}  // namespace bascule::message
