#pragma once

#include <nlohmann/json_fwd.hpp>

#include "core/store/state.h"

namespace bascule::store::detail {

/// The part `fencing` of the snapshot. Reading throws what the library throws; Store::restore() ends it.
[[nodiscard]] nlohmann::ordered_json json_of(const FencingState& fencing);
[[nodiscard]] FencingState fencing_of(const nlohmann::ordered_json& json);

}  // namespace bascule::store::detail
