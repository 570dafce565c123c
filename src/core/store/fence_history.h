#pragma once

#include <nlohmann/json_fwd.hpp>

#include "core/store/state.h"

namespace bascule::store {

/// What was fenced, the newest last: the list `history` of the snapshot's part `fencing` (FORMAT.md), which `status`
/// shows as it is.
[[nodiscard]] nlohmann::ordered_json fence_history_json(const FencingState& fencing);

}  // namespace bascule::store
