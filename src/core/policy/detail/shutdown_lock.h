#pragma once

#include "core/policy/board.h"

/// Shutdown locks: what ran on a node that was shut down cleanly waits for it (facts, section 2).
namespace bascule::policy::detail {

/// A lock that stands in the history: the resource is bound to the node, or its history there goes if it has expired.
void read_shutdown_lock(Board& board, ResourceId resource, NodeId node, const cib::ResourceHistory& history);
/// Binds locked resources, and those whose only node is shutting down now, to their node.
void apply_shutdown_locks(Board& board);

}  // namespace bascule::policy::detail
