#include "runtime/sim/replication/stamp_disk.h"

#include <algorithm>

namespace bascule::sim {

StampDisk::Stamps StampDisk::read(std::uint64_t sector, std::uint64_t count) const {
  const auto first = current_.begin() + static_cast<std::ptrdiff_t>(sector);
  return {first, first + static_cast<std::ptrdiff_t>(count)};
}

void StampDisk::write(std::uint64_t sector, const Stamps& stamps) {
  std::copy(stamps.begin(), stamps.end(), current_.begin() + static_cast<std::ptrdiff_t>(sector));
  pending_.push_back({next_++, sector, stamps});
}

void StampDisk::settle(const Pending& write) {
  std::copy(write.stamps.begin(), write.stamps.end(), durable_.begin() + static_cast<std::ptrdiff_t>(write.sector));
}

void StampDisk::end_flush(FlushToken token) {
  std::size_t settled = 0;
  while (settled < pending_.size() && pending_[settled].number < token) settle(pending_[settled++]);
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(settled));
}

void StampDisk::power_loss(Prng& prng) {
  for (const Pending& write : pending_) {
    const std::uint64_t fate = prng.below(4);
    if (fate == 0) settle(write);
    if (fate != 1) continue;
    for (std::size_t i = 0; i < write.stamps.size(); ++i)
      if (prng.chance(1, 2)) durable_[write.sector + i] = write.stamps[i];
  }
  pending_.clear();
  current_ = durable_;
}

}  // namespace bascule::sim
