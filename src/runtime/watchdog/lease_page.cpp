#include "runtime/watchdog/lease_page.h"

namespace bascule::watchdog {

Lease read_slot(const LeaseSlot& slot) {
  constexpr int attempts = 1000;  // the writer needs nanoseconds; more means that it stopped inside
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const auto before = slot.sequence.load(std::memory_order_acquire);
    const auto epoch = slot.epoch.load(std::memory_order_acquire);
    const auto end = slot.lease_end_ns.load(std::memory_order_acquire);
    if (before % 2 == 0 && slot.sequence.load(std::memory_order_relaxed) == before)
      return {epoch, instant_from_ns(end)};
  }
  return {slot.epoch.load(std::memory_order_acquire), Instant{}};
}

void write_slot(LeaseSlot& slot, Lease lease) {
  const auto odd = slot.sequence.load(std::memory_order_relaxed) | 1u;
  slot.sequence.store(odd, std::memory_order_relaxed);
  slot.epoch.store(lease.epoch, std::memory_order_release);
  slot.lease_end_ns.store(to_ns(lease.end), std::memory_order_release);
  slot.sequence.store(odd + 1, std::memory_order_release);
}

}  // namespace bascule::watchdog
