#pragma once

#include <vector>

#include "core/policy/board.h"

namespace bascule::simulate {

/// In which order crm_simulate carries a plan out. It goes through the actions again and again, resource by resource
/// and those planned last first, and does each that waits for nothing any more. What waits in a circle is left out. The
/// order shows where what is recorded last counts, as a cancellation after a stop.
[[nodiscard]] std::vector<policy::detail::ActionId> firing_order(const policy::detail::Board& board);

}  // namespace bascule::simulate
