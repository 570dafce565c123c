#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/cluster_message/command.h"

/// What managers say to each other beside consensus, one UDP datagram each (at most 60 KiB): header (magic, version,
/// cluster name hash, sender id, kind, CRC-32C), then the body. Consensus messages travel as kind `consensus` with the
/// bytes of wire/raft as the body. Datagrams may be lost, doubled and reordered.
namespace bascule::message {

/// One step of a service as its owner sees it.
struct StepReport {
  std::string name;
  std::string state;           ///< Stopped, Starting, Started, Stopping, Failed
  std::int64_t start_ms = -1;  ///< how long the last start took; -1: never started
  std::int64_t stop_ms = -1;
  std::string warning = {};  ///< it runs, but: degraded, or a failure that is ignored

  bool operator==(const StepReport&) const = default;
};

struct ServiceReport {
  std::string name;
  std::uint64_t epoch = 0;
  std::string state;  ///< Stopped, Promoting, Starting, Started, Stopping, Held, Killing, Failed
  std::string why;
  std::vector<StepReport> steps;

  bool operator==(const ServiceReport&) const = default;
};

struct VolumeReport {
  std::string name;
  std::uint64_t epoch = 0;
  bool attached = false;                          ///< blockd runs and has its disk
  std::string role, connection, disk, peer_disk;  ///< DRBD's words
  bool just_created = false;
  std::uint64_t size_bytes = 0, out_of_sync_bytes = 0, resync_done_bytes = 0, resync_total_bytes = 0;
  std::uint64_t writes_acknowledged = 0;
  std::uint32_t writes_held = 0;
  std::string device;  ///< "/dev/loop3" while primary
  std::string why;

  bool operator==(const VolumeReport&) const = default;
};

/// Every node to every node, every heartbeat: that it lives and how it is. `sent_at_ns` is the sender's boot clock.
struct NodeReport {
  std::string node;
  std::uint64_t incarnation = 0;  ///< random at each start of managerd
  std::int64_t sent_at_ns = 0;
  std::uint64_t applied_index = 0;
  std::vector<ServiceReport> services;
  std::vector<VolumeReport> volumes;
};

/// Holder to leader: renew what I own. `asked_at_ns` is the holder's boot clock; the lease counts from it.
struct LeaseRequest {
  std::string node;
  std::uint64_t incarnation = 0;
  std::int64_t asked_at_ns = 0;
};
struct GrantedLease {
  std::string name;  ///< "volume:data", "service:shop"
  std::uint64_t epoch = 0;

  bool operator==(const GrantedLease&) const = default;
};
/// Leader to holder: what is yours, for `duration_ms` from `asked_at_ns` (echoed). What is not listed is not yours.
struct LeaseGrant {
  std::uint64_t term = 0;
  std::uint64_t incarnation = 0;  ///< echoed: a grant asked for by an earlier start of managerd is nobody's
  std::int64_t asked_at_ns = 0;
  std::int64_t duration_ms = 0;
  std::uint64_t applied_index = 0;  ///< the leader's, when it granted
  std::vector<GrantedLease> leases;
};

/// A proposal on its way to the leader, and the answer.
struct Forward {
  Proposal proposal;
};
struct ForwardReply {
  std::uint64_t id = 0;
  bool accepted = false;
  std::string why;
};

struct Consensus {
  Bytes body;
};  ///< wire/raft

/// One line of the cluster's story. `at_ns` is the boot clock of `node`, `wall_ms` the wall clock.
struct Event {
  std::uint64_t sequence = 0;
  std::string node;
  std::int64_t at_ns = 0;
  std::int64_t wall_ms = 0;
  std::string kind;  ///< stable, see docs/architecture.md: node-lost, lease-ended, service-granted, volume-promoted ...
  std::string subject;  ///< "shop", "data", "alice"
  std::string text;     ///< a sentence
  std::map<std::string, std::string> fields;
};

/// Asks a node for what its own story has after that number.
struct HistoryRequest {
  std::uint64_t after = 0;
  std::int64_t asked_at_ms = 0;  ///< wall clock of who asks
};
/// The events after `after`, without a gap, as many as fit; also told unasked when there is news (`asked_at_ms` 0).
struct HistoryReply {
  std::int64_t asked_at_ms = 0;  ///< echoed
  std::int64_t wall_ms = 0;      ///< wall clock of who answers
  std::uint64_t after = 0;       ///< the number before the first of `events`: older ones are not kept any more
  std::uint64_t last = 0;        ///< the newest number of its story
  std::vector<Event> events;
};

/// One copy of a service, as it was before the operation.
struct NoticedCopy {
  std::string node;  ///< empty: it runs nowhere
  std::uint32_t number = 0;
  bool active = false;
  bool promoted = false;
  bool acts = false;  ///< the operation is its own
};
struct NoticedNode {
  std::string name;
  bool available = false;  ///< services may run there now
};
/// Tells a node's copy of a service with `notify` of an operation of another copy, or of its own. Sent again until it
/// is answered.
struct Notice {
  std::uint64_t round = 0;  ///< random; of each half of each operation its own
  std::string service;      ///< as it was written
  std::string step;         ///< whose agent is told
  std::string type;         ///< pre, post
  std::string operation;    ///< start, stop, promote, demote
  bool promotable = false;
  std::vector<NoticedCopy> copies;
  std::vector<NoticedNode> nodes;
};
/// The agent was run, or there is nothing there to be told.
struct NoticeDone {
  std::uint64_t round = 0;
};

using Message = std::variant<Consensus, NodeReport, LeaseRequest, LeaseGrant, Forward, ForwardReply, HistoryRequest,
                             HistoryReply, Notice, NoticeDone>;

struct Envelope {
  std::uint32_t sender_id = 0;
  Message message;
};

inline constexpr std::size_t datagram_bytes_max = 60 * 1024;

[[nodiscard]] Bytes encode(const Envelope& envelope, const std::string& cluster);
/// Refuses anything that is not whole, not of this version, or not of this cluster.
[[nodiscard]] Result<Envelope> decode(ByteView datagram, const std::string& cluster);

}  // namespace bascule::message
