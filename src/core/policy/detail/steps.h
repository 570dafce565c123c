#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/policy/board.h"

/// The steps of the pipeline, in their order. Each reads what the earlier ones left on the board.
namespace bascule::policy::detail {

// ---- reading the snapshot ---------------------------------------------------------------------------------------

/// Cluster properties with defaults (Pacemaker Explained, "Cluster Options").
void read_properties(Board& board);
/// Nodes of the configuration; remote and guest nodes follow when the resources are known.
void read_nodes(Board& board);
/// The tree of resources, instances of clones included, sorted by priority.
void read_resources(Board& board);
void read_tags_and_tickets(Board& board);
/// Which nodes are up, and which must be fenced (facts, section 19).
void read_node_states(Board& board);
/// What runs where, from the operation history.
void read_histories(Board& board);
void read_constraints(Board& board);

// ---- placement --------------------------------------------------------------------------------------------------

/// Locations, stickiness, failures, health, shutdown locks.
void apply_node_criteria(Board& board);
/// Orders and colocations inside groups, clones and bundles.
void make_internal_constraints(Board& board);
/// Configuration changes since operations ran: restarts, reloads, recurring operations that are not wanted any more.
void check_changes(Board& board);
/// The same for what depends on where resources go.
void check_changes_of_placed(Board& board);
/// A node for each resource that can run.
void assign_resources(Board& board);

// ---- actions ----------------------------------------------------------------------------------------------------

void make_probes(Board& board);
void make_actions(Board& board);
void make_fencing(Board& board);
/// Migrations take the place of starts and stops in orderings.
void order_migrations(Board& board);
/// Until nothing changes.
void resolve_orderings(Board& board);
/// What instances of clones are told, once it is known what happens.
void make_notifications(Board& board);

// ---- helpers of several steps -----------------------------------------------------------------------------------

/// Attributes that every node has which was configured or seen, without anybody setting them; rules use them.
void name_node(const Board& board, Node& node);
/// Takes a node in, with the state of one that nobody has seen.
NodeId add_node(Board& board, Node node);

/// A failed or lost node's need to be fenced; does nothing without fencing but mark the node unclean.
void fence_node(Board& board, NodeId node, std::string_view reason, bool priority_delay = false);
[[nodiscard]] bool can_fence(const Board& board, NodeId node);
[[nodiscard]] bool truth(std::string_view word);
/// Resolves a list of name-value sets; rules see the node's attributes if one is given.
[[nodiscard]] Meta resolve(const Board& board, const cib::NameValueSets& sets, NodeId node = kNone);
[[nodiscard]] Meta resolve_properties(const Board& board);
/// The same for defaults: rules see the resource's agent and the operation.
[[nodiscard]] Meta resolve_for(const Board& board, const cib::NameValueSets& sets, const Resource& resource,
                               std::string_view task, std::uint32_t interval_ms);

}  // namespace bascule::policy::detail
