#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "wire/drbd_config/options.h"

/// How much of a resync or verify its asking side has under way: pure controllers, fed with the time. All integers.
namespace bascule::replication::detail {

/// After an application's request for so long the next one is expected.
inline constexpr Duration busy_hold = milliseconds(50);

/// Our own controller: a window of bytes under way that finds the rate by itself. While no application I/O is seen it
/// grows for as long as the answers come quickly; while there is some, only little is asked for at once, so that an
/// application's request never stands behind much.
class WindowPacing {
 public:
  explicit WindowPacing(std::uint64_t window_max_bytes);
  [[nodiscard]] std::uint64_t window(bool busy) const { return busy ? busy_window_ : window_; }
  void answered(std::uint64_t bytes, Duration latency, bool busy);

 private:
  void end_round(bool busy);
  void adapt_idle(Duration latency);
  void adapt_busy(Duration latency);

  std::uint64_t window_max_;
  std::uint64_t window_;
  std::uint64_t busy_window_;
  Duration base_idle_{};  ///< the shortest mean latency seen; 0: none yet
  Duration base_busy_{};
  std::uint64_t round_bytes_ = 0;
  std::int64_t round_answers_ = 0;
  Duration round_latency_{};
};

/// DRBD's controller (protocol facts, section 9): every 100 ms a number of sectors, planned c-plan-ahead steps ahead.
class PlanPacing {
 public:
  PlanPacing(const drbd_config::Disk& disk, std::uint32_t max_buffers);
  /// One step of 100 ms. Sectors that have arrived since the last one, and that are under way. Returns sectors to ask
  /// for until the next step, a multiple of 8.
  std::uint64_t step(std::uint64_t arrived_sectors, std::uint64_t in_flight_sectors);

 private:
  [[nodiscard]] std::int64_t wanted_in_flight(std::int64_t arrived, std::int64_t in_flight) const;

  drbd_config::Disk disk_;
  std::uint32_t max_buffers_;
  std::vector<std::int64_t> plan_;  ///< a ring
  std::size_t oldest_ = 0;
  bool started_ = false;
};

/// What the asking side uses: DRBD's controller when one of its options was set, else our own.
class Pacing {
 public:
  /// `rate_max_bytes`: per second, a further limit; 0: none.
  Pacing(const drbd_config::Options& options, std::uint64_t rate_max_bytes);

  void begin(Instant now);
  /// Bytes that may be asked for at `now`; 0: wait for an answer or for deadline().
  std::uint64_t allowance(Instant now);
  /// The largest request that is wise now.
  [[nodiscard]] std::uint64_t request_bytes(Instant now) const;
  void asked(std::uint64_t bytes);
  /// A request made at `asked_at` is dealt with: written and durable, or compared.
  void answered(std::uint64_t bytes, Instant asked_at, Instant now);
  /// An application reads or writes.
  void application_io(Instant when) { application_io_ = when; }
  /// Everything under way is forgotten: the connection was lost, or the run ended.
  void stop();
  [[nodiscard]] Instant deadline() const { return deadline_; }
  /// Bytes per second, as measured (own) or wanted (DRBD's).
  [[nodiscard]] std::uint64_t rate() const { return rate_; }

 private:
  [[nodiscard]] bool busy(Instant now) const;
  void step(Instant now);
  std::uint64_t within_rate_max(std::uint64_t bytes, Instant now);

  std::optional<PlanPacing> plan_;
  WindowPacing window_;
  std::uint64_t rate_max_;
  std::uint64_t in_flight_ = 0;
  std::uint64_t arrived_ = 0;      ///< since the last step
  std::uint64_t planned_ = 0;      ///< by DRBD's controller, not yet asked for
  std::uint64_t rate_budget_ = 0;  ///< of rate_max_
  std::uint64_t rate_ = 0;
  Instant rate_since_{};
  Instant next_step_{};
  Instant deadline_ = never;
  std::optional<Instant> application_io_;
};

/// Has somebody set one of the options that DRBD's controller follows?
[[nodiscard]] bool pacing_configured(const drbd_config::Disk& disk);

}  // namespace bascule::replication::detail
