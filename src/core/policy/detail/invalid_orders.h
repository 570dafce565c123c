#pragma once

#include "core/policy/board.h"

namespace bascule::policy::detail {

/// Takes out of the resolved orders those that would have the plan wait for itself.
void drop_invalid_orders(Board& board);

}  // namespace bascule::policy::detail
