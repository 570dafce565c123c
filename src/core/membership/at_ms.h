#pragma once

#include "base/time.h"

namespace bascule::membership {

/// For the tests of this room: an instant by its milliseconds.
inline Instant at(std::int64_t ms) { return Instant(milliseconds(ms)); }

}  // namespace bascule::membership
