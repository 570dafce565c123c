#include "core/replication/detail/resync/pacing.h"

#include <algorithm>

namespace bascule::replication::detail {
namespace {

constexpr std::uint64_t page_bytes = 4096;
constexpr std::uint64_t sector_bytes = 512;
constexpr std::uint64_t sectors_per_block = 8;

constexpr std::uint64_t idle_request = 512 * 1024;
constexpr std::uint64_t busy_request = 128 * 1024;
constexpr std::uint64_t window_start = 2 * idle_request;
constexpr std::uint64_t busy_window_max = 1024 * 1024;
constexpr std::int64_t round_answers_min = 8;
/// While nobody waits, answers may be this late: the time hides jitter of disk and link, and nobody feels it.
constexpr Duration idle_latency = milliseconds(20);
constexpr Duration step_length = milliseconds(100);

/// The shortest latency, which forgets slowly: disks and links get slower too.
void learn_base(Duration& base, Duration latency) {
  if (base == Duration{} || latency < base)
    base = latency;
  else
    base += (latency - base) / 128;
}

}  // namespace

// ---- our own ----------------------------------------------------------------------------------------------------

WindowPacing::WindowPacing(std::uint64_t window_max_bytes)
    : window_max_(std::max(window_max_bytes, window_start)), window_(window_start), busy_window_(busy_request) {}

void WindowPacing::answered(std::uint64_t bytes, Duration latency, bool busy) {
  round_bytes_ += bytes;
  round_latency_ += latency;
  ++round_answers_;
  if (round_answers_ >= round_answers_min && round_bytes_ >= window(busy) / 2) end_round(busy);
}

void WindowPacing::end_round(bool busy) {
  const Duration latency = round_latency_ / round_answers_;
  round_bytes_ = 0;
  round_answers_ = 0;
  round_latency_ = Duration{};
  if (busy)
    adapt_busy(latency);
  else
    adapt_idle(latency);
}

/// Up to twice the shortest latency the pipe is filled with what hides its jitter; beyond, only a queue grows.
void WindowPacing::adapt_idle(Duration latency) {
  learn_base(base_idle_, latency);
  const Duration limit = std::max(2 * base_idle_, idle_latency);
  if (latency <= limit)
    window_ = std::min(window_max_, window_ + window_ / 2);
  else
    window_ = std::max(window_start, window_ - window_ / 8);
}

/// Any queue of ours is one that applications stand in.
void WindowPacing::adapt_busy(Duration latency) {
  learn_base(base_busy_, latency);
  if (latency <= base_busy_ + base_busy_ / 4)
    busy_window_ = std::min(busy_window_max, busy_window_ + busy_request / 4);
  else
    busy_window_ = std::max(busy_request, busy_window_ - busy_window_ / 4);
}

// ---- DRBD's -----------------------------------------------------------------------------------------------------

PlanPacing::PlanPacing(const drbd_config::Disk& disk, std::uint32_t max_buffers)
    : disk_(disk), max_buffers_(max_buffers), plan_(disk.c_plan_ahead_ds, 0) {}

std::int64_t PlanPacing::wanted_in_flight(std::int64_t arrived, std::int64_t in_flight) const {
  const auto steps = static_cast<std::int64_t>(plan_.size());
  if (!started_ && arrived == 0 && in_flight == 0) return std::int64_t{disk_.resync_rate_kib_per_s} * 2 * steps / 10;
  if (disk_.c_fill_target_sectors != 0) return disk_.c_fill_target_sectors;
  return arrived * disk_.c_delay_target_ds;
}

std::uint64_t PlanPacing::step(std::uint64_t arrived_sectors, std::uint64_t in_flight_sectors) {
  const auto arrived = static_cast<std::int64_t>(arrived_sectors);
  const auto in_flight = static_cast<std::int64_t>(in_flight_sectors);
  std::int64_t sectors = std::int64_t{disk_.resync_rate_kib_per_s} * 2 / 10;  // c-plan-ahead 0: a fixed rate
  if (!plan_.empty()) {
    std::int64_t planned = 0;
    for (const std::int64_t slot : plan_) planned += slot;
    const auto steps = static_cast<std::int64_t>(plan_.size());
    const std::int64_t correction = (wanted_in_flight(arrived, in_flight) - in_flight - planned) / steps;
    for (std::int64_t& slot : plan_) slot += correction;
    sectors = std::clamp<std::int64_t>(arrived + plan_[oldest_], 0, std::int64_t{disk_.c_max_rate_kib_per_s} * 2 / 10);
    plan_[oldest_] = 0;
    oldest_ = (oldest_ + 1) % plan_.size();
  }
  started_ = true;
  const std::uint64_t blocks = static_cast<std::uint64_t>(sectors) / sectors_per_block;
  const std::uint64_t under_way = in_flight_sectors / sectors_per_block;
  const std::uint64_t most = max_buffers_ / 2 > under_way ? max_buffers_ / 2 - under_way : 0;
  return std::min(blocks, most) * sectors_per_block;
}

bool pacing_configured(const drbd_config::Disk& disk) {
  const drbd_config::Disk plain;
  return disk.c_plan_ahead_ds != plain.c_plan_ahead_ds || disk.c_delay_target_ds != plain.c_delay_target_ds ||
         disk.c_fill_target_sectors != plain.c_fill_target_sectors ||
         disk.c_max_rate_kib_per_s != plain.c_max_rate_kib_per_s ||
         disk.c_min_rate_kib_per_s != plain.c_min_rate_kib_per_s ||
         disk.resync_rate_kib_per_s != plain.resync_rate_kib_per_s;
}

// ---- either -----------------------------------------------------------------------------------------------------

Pacing::Pacing(const drbd_config::Options& options, std::uint64_t rate_max_bytes)
    : window_(options.net.max_buffers * page_bytes), rate_max_(rate_max_bytes) {
  if (pacing_configured(options.disk)) plan_.emplace(options.disk, options.net.max_buffers);
}

void Pacing::begin(Instant now) {
  in_flight_ = arrived_ = planned_ = rate_budget_ = rate_ = 0;
  rate_since_ = next_step_ = now;
  deadline_ = never;
}

void Pacing::stop() {
  in_flight_ = arrived_ = planned_ = rate_ = 0;
  deadline_ = never;
}

bool Pacing::busy(Instant now) const { return application_io_ && now - *application_io_ < busy_hold; }

std::uint64_t Pacing::request_bytes(Instant now) const { return busy(now) ? busy_request : idle_request; }

void Pacing::step(Instant now) {
  if (now < next_step_) return;
  if (plan_) {
    planned_ = plan_->step(arrived_ / sector_bytes, in_flight_ / sector_bytes) * sector_bytes;
    rate_ = planned_ * 10;
  } else {
    const auto passed = std::chrono::duration_cast<milliseconds>(now - next_step_ + step_length).count();
    rate_ = (rate_ + arrived_ * 1000 / static_cast<std::uint64_t>(std::max<std::int64_t>(passed, 1))) / 2;
  }
  arrived_ = 0;
  next_step_ = now + step_length;
}

std::uint64_t Pacing::allowance(Instant now) {
  step(now);
  deadline_ = never;
  if (plan_) {
    deadline_ = next_step_;
    return within_rate_max(planned_, now);
  }
  const std::uint64_t window = window_.window(busy(now));
  const std::uint64_t room = window > in_flight_ ? window - in_flight_ : 0;
  return within_rate_max(room < request_bytes(now) ? 0 : room, now);
}

std::uint64_t Pacing::within_rate_max(std::uint64_t bytes, Instant now) {
  if (rate_max_ == 0) return bytes;
  const auto passed = std::chrono::duration_cast<microseconds>(now - rate_since_).count();
  const std::uint64_t gained =
      rate_max_ * static_cast<std::uint64_t>(std::clamp<std::int64_t>(passed, 0, 1'000'000)) / 1'000'000;
  if (gained != 0) {
    rate_budget_ = std::min(std::max(rate_max_ / 10, idle_request), rate_budget_ + gained);
    rate_since_ = now;
  }
  if (rate_budget_ < bytes) deadline_ = std::min(deadline_, now + milliseconds(10));
  // Crumbs are kept until they make a request.
  return rate_budget_ < std::min(bytes, request_bytes(now)) ? 0 : std::min(bytes, rate_budget_);
}

void Pacing::asked(std::uint64_t bytes) {
  in_flight_ += bytes;
  planned_ -= std::min(planned_, bytes);
  rate_budget_ -= std::min(rate_budget_, bytes);
}

void Pacing::answered(std::uint64_t bytes, Instant asked_at, Instant now) {
  in_flight_ -= std::min(in_flight_, bytes);
  arrived_ += bytes;
  if (!plan_) window_.answered(bytes, now - asked_at, busy(now));
}

}  // namespace bascule::replication::detail
