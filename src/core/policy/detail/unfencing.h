#pragma once

#include <string_view>

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

/// The device is used in another way than before: a node that was switched on with it must be again; where that cannot
/// be done now, each that may run it.
void switch_on_anew(Board& board, ResourceId device, NodeId node, std::string_view reason);

}  // namespace bascule::policy::detail
