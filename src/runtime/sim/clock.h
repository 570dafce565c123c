#pragma once

#include <cstdint>

#include "runtime/sim/world_time.h"

namespace bascule::sim {

/// One node's boot clock: runs at world speed times (1 + drift), from any start value. It cannot go backwards.
class Clock {
 public:
  /// `drift_ppm` in (-1,000,000, 1,000,000]: 100 is 0.01 % fast.
  explicit Clock(WorldTime created = {}, Instant start = Instant{}, std::int32_t drift_ppm = 0);

  /// What the node reads at `world`. Never call it for a moment before the last change of the clock.
  [[nodiscard]] Instant local(WorldTime world) const;
  /// The first world moment at which the node reads at least `local`; WorldTime::max() for `never` or while frozen.
  [[nodiscard]] WorldTime world(Instant local) const;

  void set_drift(WorldTime world, std::int32_t drift_ppm);
  /// A clock that stands still, as in a virtual machine whose host stops its time. A process that is merely not
  /// scheduled keeps a running clock: simulate that by not stepping it.
  void freeze(WorldTime world);
  void thaw(WorldTime world);

 private:
  void rebase(WorldTime world);
  WorldTime base_world_;
  Instant base_local_;
  std::int32_t drift_ppm_;
  bool frozen_ = false;
};

}  // namespace bascule::sim
