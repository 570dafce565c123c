#pragma once

#include <string>

#include "base/result.h"

namespace bascule::uring {

/// Listens on a unix stream socket (mode 0600) and returns the descriptor. A socket file on which nobody listens any
/// more is replaced. Errors: somebody listens there already; the path is too long or cannot be bound.
[[nodiscard]] Result<int> listen_unix(const std::string& path);

}  // namespace bascule::uring
