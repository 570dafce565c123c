#pragma once

#include <string_view>

#include "core/policy/board.h"

namespace bascule::policy::detail {

/// Notes that the resource runs there, also with its parents, and what follows when it runs in several places.
void add_running(Board& board, ResourceId resource, NodeId node, bool failed);
/// Minus infinity on one node; of a clone or group with all that is in it.
void ban(Board& board, ResourceId resource, NodeId node, const Cause& cause);
void ban_everywhere(Board& board, ResourceId resource, const Cause& cause);
/// A score for the resource and all that is in it.
void add_score_deep(Board& board, ResourceId resource, NodeId node, Score score, const Cause& cause);
/// Calls `visit` with the resource and everything in it, outermost first.
template <typename Visit>
void each_in(const Board& board, ResourceId id, const Visit& visit) {
  visit(id);
  for (const ResourceId child : board.resources[id].children) each_in(board, child, visit);
}
/// Runs somewhere: `all`: everything in it.
[[nodiscard]] bool active(const Board& board, ResourceId resource, bool all);

}  // namespace bascule::policy::detail
