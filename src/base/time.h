#pragma once

#include <chrono>
#include <cstdint>

namespace bascule {

using Duration = std::chrono::nanoseconds;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// The clock of every decision: CLOCK_BOOTTIME in production (runtime/), virtual time in simulation. It has no now()
/// on purpose: cores are given the time, they never read it.
struct BootClock {
  using duration = Duration;
  using rep = Duration::rep;
  using period = Duration::period;
  using time_point = std::chrono::time_point<BootClock, Duration>;
  static constexpr bool is_steady = true;
};

/// A moment on one node's boot clock. Moments of two nodes are never compared.
using Instant = BootClock::time_point;

/// "Never", as a deadline.
inline constexpr Instant never = Instant::max();

/// `instant` + `duration`, and never stays never: the sum itself would overflow.
constexpr Instant later(Instant instant, Duration duration) { return instant == never ? never : instant + duration; }

constexpr std::int64_t to_ms(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}
constexpr std::int64_t to_ns(Instant instant) { return instant.time_since_epoch().count(); }
constexpr Instant instant_from_ns(std::int64_t ns) { return Instant{Duration{ns}}; }

}  // namespace bascule
