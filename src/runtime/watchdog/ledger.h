#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "runtime/watchdog/lease_page.h"

namespace bascule::watchdog {

/// What bascule-watchdogd makes of the datagrams on its socket. A slot is *armed* while its end is not zero: a lease
/// was granted, and not released since. Allocates nothing after construction.
class Ledger {
 public:
  /// `lease_max`: no honest grant ends later than this from now.
  Ledger(LeasePage& page, Duration lease_max);

  enum class Applied { granted, released, stale, malformed, configure };
  /// Writes the page when the datagram is a whole, known, plausible update whose epoch is not below the slot's.
  [[nodiscard]] Applied apply(ByteView datagram, Instant now);

  /// No honest grant ends later than this from now.
  void set_lease_max(Duration lease_max) { lease_max_ = lease_max; }
  /// By slot; zero: not armed.
  [[nodiscard]] const std::vector<Instant>& ends() const { return ends_; }
  [[nodiscard]] bool anything_armed() const;

 private:
  [[nodiscard]] std::optional<std::size_t> slot_of(const LeaseUpdate& update) const;
  LeasePage& page_;
  Duration lease_max_;
  std::vector<Instant> ends_;
};

/// How often bascule-watchdogd pets: well within the second that is the shortest time of a watchdog device.
inline constexpr Duration pet_interval = milliseconds(500);

/// The first slot because of which the watchdog must not be petted: its lease ended more than `deadline` ago, and
/// nobody said since that nothing of it runs here. Zero ends are not armed.
[[nodiscard]] std::optional<std::size_t> overdue_slot(std::span<const Instant> ends, Duration deadline, Instant now);

}  // namespace bascule::watchdog
