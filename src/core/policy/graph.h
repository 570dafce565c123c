#pragma once

#include <vector>

#include "core/policy/board.h"

namespace bascule::policy::detail {

/// Whether the action is sent, or a point in time that is reached.
[[nodiscard]] bool is_in_graph(const Board& board, const Action& action);
/// What the action waits for when the plan is carried out, by ascending id. Some of it may never happen: then the
/// action does not happen either.
[[nodiscard]] std::vector<ActionId> inputs_of(const Board& board, const Action& action);
/// What happens, each after everything that it waits for; what waits for itself in a circle, or for what never happens,
/// is left out.
[[nodiscard]] std::vector<ActionId> in_graph_order(const Board& board);

}  // namespace bascule::policy::detail
