#include "runtime/watchdog/ledger.h"

#include <algorithm>
#include <cstring>

namespace bascule::watchdog {

Ledger::Ledger(LeasePage& page, Duration lease_max) : page_(page), lease_max_(lease_max), ends_(lease_slots_max) {
  for (std::size_t i = 0; i < page_.slot_count; ++i) ends_[i] = read_slot(page_.slots[i]).end;
}

std::optional<std::size_t> Ledger::slot_of(const LeaseUpdate& update) const {
  for (std::size_t i = 0; i < page_.slot_count; ++i)
    if (std::strncmp(page_.slots[i].name, update.name, sizeof(update.name)) == 0) return i;
  return std::nullopt;
}

Ledger::Applied Ledger::apply(ByteView datagram, Instant now) {
  LeaseUpdate update{};
  if (datagram.size() != sizeof(update)) return Applied::malformed;
  std::memcpy(&update, datagram.data(), sizeof(update));
  if (update.magic == lease_page_magic && update.kind == LeaseUpdate::Kind::configure) return Applied::configure;
  const bool grant = update.kind == LeaseUpdate::Kind::grant;
  if (update.magic != lease_page_magic || (!grant && update.kind != LeaseUpdate::Kind::release))
    return Applied::malformed;
  if (std::memchr(update.name, '\0', sizeof(update.name)) == nullptr) return Applied::malformed;
  const Instant end = grant ? instant_from_ns(update.lease_end_ns) : Instant{};
  if (grant && (end <= Instant{} || end > now + lease_max_)) return Applied::malformed;
  const auto slot = slot_of(update);
  if (!slot) return Applied::malformed;
  if (update.epoch < page_.slots[*slot].epoch.load()) return Applied::stale;
  write_slot(page_.slots[*slot], {update.epoch, end});
  ends_[*slot] = end;
  return grant ? Applied::granted : Applied::released;
}

bool Ledger::anything_armed() const {
  return std::any_of(ends_.begin(), ends_.end(), [](Instant end) { return end != Instant{}; });
}

std::optional<std::size_t> overdue_slot(std::span<const Instant> ends, Duration deadline, Instant now) {
  for (std::size_t i = 0; i < ends.size(); ++i)
    if (ends[i] != Instant{} && now - ends[i] > deadline) return i;
  return std::nullopt;
}

}  // namespace bascule::watchdog
