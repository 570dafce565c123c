#pragma once

#include "core/policy/board.h"

/// Some devices cut a node off from what is shared, and let it in again: such a node must be switched on before
/// anything that needs that starts or is probed there.
namespace bascule::policy::detail {

/// The action waits for its node to be switched on, which is asked for if nobody ever did.
void order_after_unfencing(Board& board, ResourceId resource, NodeId node, ActionId action, OrderFlags flags);
/// What needs it stops before its node is switched on again.
void order_stop_before_unfencing(Board& board, ResourceId resource, NodeId node, ActionId stop);
/// Between a stop and the next start.
void order_restart_around_unfencing(Board& board, ResourceId resource);

}  // namespace bascule::policy::detail
