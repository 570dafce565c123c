#pragma once

#include "base/time.h"

namespace bascule::sim {

/// The simulator's own clock, which no simulated node can read. A type of its own, so that a moment of the world and
/// a moment on some node's clock (Instant) cannot be mixed up.
struct WorldClock {
  using duration = Duration;
  using rep = Duration::rep;
  using period = Duration::period;
  using time_point = std::chrono::time_point<WorldClock, Duration>;
  static constexpr bool is_steady = true;
};
using WorldTime = WorldClock::time_point;

}  // namespace bascule::sim
