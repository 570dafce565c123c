#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/policy/action.h"
#include "core/policy/ledger.h"
#include "core/policy/role.h"
#include "core/policy/score.h"
#include "core/policy/snapshot.h"
#include "wire/cib/model.h"

/// The working state of one plan: what the steps of the pipeline (pipeline.h) read and write. Nodes, resources and
/// actions are named by index; indices never change while a plan is made.
namespace bascule::policy::detail {

using NodeId = std::uint32_t;
using ResourceId = std::uint32_t;
inline constexpr std::uint32_t kNone = 0xffffffff;
/// A node that may not be used at all (not symmetric and no constraint names it); below every score.
inline constexpr Score kNotAllowed = -kInfinity - 1;

using Meta = std::map<std::string, std::string, std::less<>>;

// ---- cluster ----------------------------------------------------------------------------------------------------

enum class NoQuorumPolicy : std::uint8_t { freeze, stop, ignore, suicide, demote };
enum class PlacementStrategy : std::uint8_t { standard, utilization, minimal, balanced };

/// Cluster properties with their defaults applied (facts, section 2).
struct Properties {
  Meta all;
  bool symmetric = true;
  bool fencing = true;  ///< stonith-enabled
  std::string fencing_action = "reboot";
  std::int64_t fencing_timeout_ms = 60'000;
  bool concurrent_fencing = false;
  bool unfencing = false;  ///< some device switches nodes on
  bool startup_fencing = true;
  std::int64_t priority_fencing_delay_ms = 0;
  bool startup_probes = true;
  bool maintenance = false;
  bool stop_everything = false;  ///< stop-all-resources
  bool stop_orphans = true;
  bool cancel_orphan_actions = true;
  bool remove_after_stop = false;
  bool start_failure_fatal = true;
  bool shutdown_lock = false;
  std::int64_t shutdown_lock_limit_s = 0;
  NoQuorumPolicy no_quorum = NoQuorumPolicy::stop;
  PlacementStrategy placement = PlacementStrategy::standard;
  std::int64_t cluster_delay_ms = 60'000;
  std::string health_strategy = "none";
  bool have_quorum = false;
  bool have_fencing_device = false;
  bool have_remote_nodes = false;
  bool watchdog_fencing = false;  ///< have-watchdog and stonith-watchdog-timeout
};

// ---- nodes ------------------------------------------------------------------------------------------------------

struct Node {
  enum class Kind : std::uint8_t { member, remote };
  std::string id;
  std::string name;
  Kind kind = Kind::member;
  ResourceId connection = kNone;  ///< remote nodes: the resource that is the connection to it
  ResourceId container = kNone;   ///< guest nodes: what it runs in
  bool online = false;
  bool standby = false;
  bool standby_on_fail = false;
  bool pending = false;
  bool unclean = false;
  bool unseen = true;
  bool shutdown = false;
  bool expected_up = false;
  bool maintenance = false;
  bool dc = false;
  bool for_bundle = false;  ///< the guest node of a replica: only what is in the bundle runs there
  bool discovery = true;    ///< resource-discovery-enabled
  bool remote_requires_reset = false;
  bool remote_was_fenced = false;
  bool remote_maintenance = false;
  bool history_unpacked = false;
  Score weight = 0;  ///< `score` of the node element; health is added to each resource's scores
  int priority = 0;  ///< of what runs there, for priority-fencing-delay
  Meta attributes;
  std::map<std::string, int, std::less<>> utilization;  ///< what is left of it, once things are assigned
  std::vector<ResourceId> running;
  std::vector<ResourceId> assigned;
  int assigned_count = 0;
  std::string fence_reason;
  bool fence_delayed = false;  ///< priority-fencing-delay applies
  const cib::NodeState* state = nullptr;

  [[nodiscard]] bool is_remote() const { return kind == Kind::remote; }
  [[nodiscard]] bool is_guest() const { return container != kNone; }
};

/// Names compared as people do: numbers in them by their value, letters without their case.
[[nodiscard]] int natural_order(std::string_view left, std::string_view right);

// ---- resources --------------------------------------------------------------------------------------------------

enum class Variant : std::uint8_t { primitive, group, clone, bundle };
enum class MultipleActive : std::uint8_t { stop_start, stop_only, block, stop_unexpected };
enum class Requires : std::uint8_t { nothing, quorum, fencing, unfencing };
enum class Discovery : std::uint8_t { always, never, exclusive };

/// One location constraint, its rules evaluated.
struct Location {
  std::string id;
  Role role = Role::Unknown;  ///< Unknown: any; Promoted: counts for the promotion priority only
  Discovery discovery = Discovery::always;
  std::vector<std::pair<NodeId, Score>> nodes;
};

struct Colocation {
  std::string id;
  ResourceId dependent = kNone;
  ResourceId primary = kNone;
  Role dependent_role = Role::Unknown;
  Role primary_role = Role::Unknown;
  Score score = 0;
  std::string node_attribute;  ///< empty: the node's name
  bool influence = false;      ///< the dependent's preferences count for the primary
};

struct TicketUse {
  std::string id;
  ResourceId resource = kNone;
  std::string ticket;
  Role role = Role::Unknown;
  enum class Loss : std::uint8_t { stop, demote, fence, freeze } loss = Loss::stop;
};

struct Ticket {
  bool granted = false;
  bool standby = false;
  std::int64_t last_granted_s = -1;
  Meta attributes;
};

struct CloneParts {
  int max = 0;
  int node_max = 1;
  int promoted_max = 0;
  int promoted_node_max = 0;
  int minimum = 0;  ///< clone-min
  bool unique = false;
  bool ordered = false;
  bool interleave = false;
  bool promotable = false;
  bool notify = false;
  int promoted_assigned = 0;
  ActionId start = kNone, started = kNone, stop = kNone, stopped = kNone;
  ActionId promote = kNone, promoted = kNone, demote = kNone, demoted = kNone;
};

struct BundleReplica {
  int offset = 0;
  std::string address;
  ResourceId container = kNone;
  ResourceId ip = kNone;
  ResourceId remote = kNone;  ///< the connection to the guest node
  ResourceId child = kNone;   ///< the instance of the bundle's primitive
  NodeId node = kNone;        ///< the guest node
};

struct BundleParts {
  std::vector<BundleReplica> replicas;
  ResourceId child = kNone;  ///< the clone of the primitive
  int replicas_per_host = 1;
  int promoted_max = 0;
};

struct Resource {
  std::string id;
  std::string history_id;  ///< as the history calls it: without the instance number where that has no meaning
  Variant variant = Variant::primitive;
  ResourceId parent = kNone;
  std::vector<ResourceId> children;
  const cib::Resource* definition = nullptr;  ///< templates merged; null for orphans
  std::string resource_class, provider, type;
  Meta meta;                ///< resolved with all defaults that were written
  int instance = -1;        ///< of a clone's child
  std::uint32_t order = 0;  ///< in the configuration

  // What the meta-attributes mean.
  int priority = 0;
  Score stickiness = 0;
  Score migration_threshold = kInfinity;
  std::int64_t failure_timeout_s = 0;
  Requires needs = Requires::quorum;
  MultipleActive multiple_active = MultipleActive::stop_start;
  std::optional<Role> target_role;
  bool managed = true;
  bool maintenance = false;
  bool critical = true;
  bool unique = false;
  bool notify = false;
  bool allow_migrate = false;
  bool orphan = false;
  bool fence_device = false;
  bool allow_unhealthy = false;

  // Status.
  Role role = Role::Unknown;
  Role next_role = Role::Unknown;
  std::vector<NodeId> running_on;
  std::vector<NodeId> known_on;  ///< where its state is known: no probe
  bool failed = false;
  bool failure_ignored = false;
  bool blocked = false;
  bool start_pending = false;
  bool stop_unexpected = false;  ///< multiple-active=stop_unexpected: where it is expected it stays
  bool reload_needed = false;
  bool must_stop = false;  ///< on-fail=stop
  std::string pending_task;
  NodeId pending_node = kNone;
  NodeId migration_source = kNone;  ///< partial migration
  NodeId migration_target = kNone;
  NodeId lock_node = kNone;  ///< shutdown lock
  std::vector<NodeId> dangling_migrations;

  // Placement.
  std::vector<Score> scores;         ///< by node
  std::vector<Discovery> discovery;  ///< by node; empty: always
  bool exclusive_discovery = false;
  std::vector<std::uint32_t> instances_on;  ///< clones, while assigning: by node
  bool assigned_yet = false;
  bool assigning = false;                  ///< guards against loops of colocations
  bool merging = false;                    ///< the same while preferences are collected
  NodeId node = kNone;                     ///< where it is to run
  std::vector<std::uint32_t> with;         ///< colocations in which it is the dependent, in Board::colocations
  std::vector<std::uint32_t> others_with;  ///< in which it is the primary
  std::vector<Location> locations;
  std::vector<std::uint32_t> tickets;
  int promotion_priority = -1;
  int sort_key = 0;
  std::map<std::string, int, std::less<>> utilization;

  ResourceId container = kNone;     ///< what it runs inside
  bool orphan_filler = false;       ///< the history names a container that is not configured any more
  std::int64_t reconnect_ms = 0;    ///< of a remote connection: how long a failed one is left alone
  bool remote_hosts = false;        ///< of bundles: what it is made of may run on remote nodes
  std::vector<ResourceId> fillers;  ///< what runs inside it
  NodeId remote_node = kNone;       ///< the node that it is the connection to

  std::vector<ActionId> actions;
  std::optional<CloneParts> clone;
  std::optional<BundleParts> bundle;

  [[nodiscard]] bool primitive() const { return variant == Variant::primitive; }
  [[nodiscard]] bool promotable() const { return clone && clone->promotable; }
};

/// How much of a net of colocations is followed. Each path through it counts, and there may be very many of them.
struct ColocationVisits {
  int depth = 0;
  int left = 0;
  int exhausted = 0;  ///< how often a resource had more paths than were followed

  static constexpr int kMost = 50'000;    ///< for one resource
  static constexpr int kMostLater = 500;  ///< the same, once that was too few several times
  static constexpr int kExhaustedMost = 4;
};

// ---- the board --------------------------------------------------------------------------------------------------

/// A result that is compared with the configuration only when it is known where everything goes.
struct LaterCheck {
  ResourceId resource = kNone;
  NodeId node = kNone;
  const cib::OperationResult* result = nullptr;
  bool failure = false;  ///< only whether its failure is to be forgotten
};

/// A probe whose result only means that the resource cannot run there.
struct FailedProbe {
  NodeId node = kNone;
  std::string resource;  ///< as the history calls it
  int rc = 0;
};

struct Board {
  explicit Board(Snapshot from) : snapshot(std::move(from)) {
    if (snapshot.explain) ledger = std::make_shared<Ledger>();
  }

  const Snapshot snapshot;
  Properties properties;
  ColocationVisits colocation_visits;
  std::deque<cib::Resource> merged;   ///< definitions with their templates' parts, and made-up ones
  std::deque<cib::Resource> implied;  ///< connections to guest nodes
  std::vector<Node> nodes;
  std::vector<Resource> resources;  ///< children behind their parents
  std::vector<ResourceId> top;      ///< without a parent, in the order of the configuration
  std::vector<Colocation> colocations;
  std::vector<Ordering> orderings;
  std::vector<Action> actions;
  std::vector<TicketUse> ticket_uses;
  std::map<std::string, Ticket, std::less<>> tickets;
  std::map<std::string, std::vector<std::string>, std::less<>> tags;       ///< tag -> ids
  std::map<std::string, std::vector<std::string>, std::less<>> templates;  ///< template -> ids made of it
  std::unordered_map<std::string, NodeId> node_by_name;
  std::unordered_map<std::string, ResourceId> resource_by_id;
  std::unordered_map<std::string, std::vector<ActionId>> actions_by_key;  ///< of actions without a resource as well
  std::vector<std::pair<ResourceId, NodeId>> stops_needed;  ///< containers, once it is known where they run
  std::vector<FailedProbe> failed_probes;
  std::vector<const cib::OperationResult*> rescheduled;  ///< recurring, their failure has expired: run anew
  std::vector<LaterCheck> later_checks;
  /// By resource, node and operation: what its first result says cannot be reloaded; nothing if it says nothing.
  std::map<std::tuple<ResourceId, NodeId, std::string>, std::optional<std::string>> not_reloadable;
  std::vector<std::string> notices;  ///< what the configuration does that it should not
  std::shared_ptr<Ledger> ledger;    ///< null: nobody asked for explanations

  [[nodiscard]] Node& node(NodeId id) { return nodes[id]; }
  [[nodiscard]] Resource& resource(ResourceId id) { return resources[id]; }
  [[nodiscard]] Action& action(ActionId id) { return actions[id]; }
  [[nodiscard]] const Node& node(NodeId id) const { return nodes[id]; }
  [[nodiscard]] const Resource& resource(ResourceId id) const { return resources[id]; }
  [[nodiscard]] const Action& action(ActionId id) const { return actions[id]; }

  /// By name or id; kNone if there is none.
  [[nodiscard]] NodeId find_node(std::string_view name_or_id) const;
  [[nodiscard]] ResourceId find_resource(std::string_view id) const;
  /// The outermost one that it is part of; what is in a bundle counts for itself.
  [[nodiscard]] ResourceId top_of(ResourceId id) const;
  /// Up, clean, and willing to run something.
  [[nodiscard]] bool usable(NodeId id) const;

  /// Adds to a resource's score, saturating; children are not touched.
  void add_score(ResourceId resource, NodeId node, Score score, const Cause& cause);
};

}  // namespace bascule::policy::detail
