#pragma once

#include <vector>

#include "core/policy/board.h"

/// What nodes can carry (facts, section 5, "Placement strategy").
namespace bascule::policy::detail {

/// Bans the resource from nodes without room for it and what must be with it; where no node has room for all of them,
/// from those without room for it alone, and returns the node with most room then, which is to be preferred.
NodeId ban_without_capacity(Board& board, ResourceId resource);
/// What starts on a node waits for what leaves it.
void order_by_load(Board& board, ResourceId resource);
/// With a strategy the most important resources choose first: by priority, by the score where they run, by the best.
void sort_for_strategy(Board& board);
/// Positive: `left` has more left.
[[nodiscard]] int compare_capacity(const Node& left, const Node& right);

}  // namespace bascule::policy::detail
