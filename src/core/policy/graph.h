#pragma once

#include <vector>

#include "core/policy/board.h"

namespace bascule::policy::detail {

/// Whether the action is sent, or a point in time that is reached.
[[nodiscard]] bool is_in_graph(const Board& board, const Action& action);
/// Whether `then` waits for `edge.action` when the plan is carried out.
[[nodiscard]] bool waits(const Board& board, const Action& then, const Edge& edge);
/// What happens, each after everything that it waits for.
[[nodiscard]] std::vector<ActionId> in_graph_order(const Board& board);

}  // namespace bascule::policy::detail
