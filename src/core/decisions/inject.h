#pragma once

#include "core/decisions/record.h"
#include "core/explain/inject.h"

namespace bascule::decisions {

/// Lets it have happened before the decision: what the deciding node would then have seen and known. A node that fails
/// is one whose leases have ended. What the manager has no word for (tickets, a node in maintenance) is refused.
[[nodiscard]] Result<void> apply(Record& record, const explain::Injection& injection);

}  // namespace bascule::decisions
