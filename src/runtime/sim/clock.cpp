#include "runtime/sim/clock.h"

#include "base/assert.h"

namespace bascule::sim {
namespace {
__extension__ using Wide = __int128;
constexpr Wide million = 1'000'000;
}  // namespace

Clock::Clock(WorldTime created, Instant start, std::int32_t drift_ppm)
    : base_world_(created), base_local_(start), drift_ppm_(drift_ppm) {
  BASCULE_ASSERT(drift_ppm > -million && drift_ppm <= million);
}

Instant Clock::local(WorldTime world) const {
  BASCULE_ASSERT(world >= base_world_);
  if (frozen_) return base_local_;
  const Wide elapsed = (world - base_world_).count();
  return base_local_ + Duration{static_cast<std::int64_t>(elapsed * (million + drift_ppm_) / million)};
}

WorldTime Clock::world(Instant local) const {
  if (local <= base_local_) return base_world_;
  if (frozen_ || local == never) return WorldTime::max();
  const Wide elapsed = (local - base_local_).count();
  const Wide speed = million + drift_ppm_;
  return base_world_ + Duration{static_cast<std::int64_t>((elapsed * million + speed - 1) / speed)};
}

void Clock::rebase(WorldTime world) {
  base_local_ = local(world);
  base_world_ = world;
}

void Clock::set_drift(WorldTime world, std::int32_t drift_ppm) {
  BASCULE_ASSERT(drift_ppm > -million && drift_ppm <= million);
  rebase(world);
  drift_ppm_ = drift_ppm;
}

void Clock::freeze(WorldTime world) {
  rebase(world);
  frozen_ = true;
}

void Clock::thaw(WorldTime world) {
  rebase(world);
  frozen_ = false;
}

}  // namespace bascule::sim
