#pragma once

#include <algorithm>
#include <array>

#include "base/time.h"

namespace bascule {

/// The largest of the values that came during the last `span`, give or take a tenth of it. Fixed size, O(1).
class RecentMaximum {
 public:
  explicit RecentMaximum(Duration span) : step_(span / steps) {}

  void add(Duration value, Instant now) {
    Slot& slot = slots_[static_cast<std::size_t>(turn_of(now)) % slots_.size()];
    if (slot.turn != turn_of(now)) slot = {turn_of(now), Duration{0}};
    slot.largest = std::max(slot.largest, value);
  }

  /// 0 when there was none.
  [[nodiscard]] Duration at(Instant now) const {
    Duration largest{0};
    for (const Slot& slot : slots_)
      if (slot.turn > turn_of(now) - static_cast<std::int64_t>(slots_.size()))
        largest = std::max(largest, slot.largest);
    return largest;
  }

 private:
  static constexpr int steps = 10;
  struct Slot {
    std::int64_t turn = -1;
    Duration largest{0};
  };
  [[nodiscard]] std::int64_t turn_of(Instant now) const { return now.time_since_epoch() / step_; }

  Duration step_;
  std::array<Slot, steps> slots_{};
};

}  // namespace bascule
