#pragma once

#include <span>

#include "base/bytes.h"
#include "base/result.h"

namespace bascule::keys {

/// Fills at most 256 bytes from the system's random source, for secrets, salts and seeds. Fails where there is none.
[[nodiscard]] Result<void> fill_at_random(std::span<Byte> bytes);

}  // namespace bascule::keys
