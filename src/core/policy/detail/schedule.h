#pragma once

#include "core/policy/board.h"

namespace bascule::policy::detail {

/// The actions that take a resource, and what is in it, from its role and place to the ones that were decided.
void schedule(Board& board, ResourceId resource);
/// Monitors and the like for the role that it is to have.
void make_recurring(Board& board, ResourceId resource);
/// Whether it can move without being stopped.
[[nodiscard]] bool can_migrate(const Board& board, ResourceId resource, NodeId current);
void make_migration(Board& board, ResourceId resource, NodeId current);
/// A recurring operation that is not wanted any more.
ActionId make_cancel(Board& board, ResourceId resource, std::string_view task, std::uint32_t interval_ms, NodeId node);
/// Whether a probe is needed, which is made then.
bool make_probe(Board& board, ResourceId resource, NodeId node);

}  // namespace bascule::policy::detail
