#pragma once

#include <string>

#include "core/policy/board.h"

namespace bascule::simulate {

/// The scores at the steps where crm_simulate shows them ("-s"), one line each; the board must have a ledger.
[[nodiscard]] std::string scores_text(const policy::detail::Board& board);

}  // namespace bascule::simulate
