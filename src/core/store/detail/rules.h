#pragma once

#include "core/store/store.h"

namespace bascule::store::detail {

/// Applies one command to the state by its rules. Refused: the state is as before.
[[nodiscard]] Applied apply(ClusterState& state, const message::Command& command);

}  // namespace bascule::store::detail
