#pragma once

#include <string>
#include <vector>

#include "core/policy/board.h"
#include "core/policy/summary.h"

namespace bascule::simulate {

/// "Transition Summary" in crm_simulate's layout, without its heading: one line for each change.
[[nodiscard]] std::string summary_text(const policy::detail::Board& board,
                                       const std::vector<policy::detail::Change>& changes);
/// "alice -> bob", "Unpromoted -> Promoted alice": from where to where, and the roles where they matter.
[[nodiscard]] std::string places_text(const policy::detail::Board& board, const policy::detail::Change& change);

}  // namespace bascule::simulate
