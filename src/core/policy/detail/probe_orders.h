#pragma once

#include <string>
#include <vector>

#include "core/policy/board.h"

namespace bascule::policy::detail {

/// What waits for a resource's stop or start waits for its probes too, even if neither stop nor start happens: only the
/// probes tell. To be called when all orderings have become edges.
void order_probes(Board& board);

/// The actions that a key means for a resource: by the key itself, or with the resource's own name in it.
[[nodiscard]] std::vector<ActionId> actions_meant(const Board& board, ResourceId resource, const std::string& key);

}  // namespace bascule::policy::detail
