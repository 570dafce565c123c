#include "core/replication/detail/data/epochs.h"

#include <algorithm>

#include "base/assert.h"
#include "core/replication/detail/data/write_rules.h"

namespace bascule::replication::detail {
namespace {

constexpr Duration epoch_age = milliseconds(50);
/// Ids of our reads are apart from those of the application's.
constexpr std::uint64_t probe_bit = 1ULL << 63;
constexpr std::uint32_t probe_bytes = 4096;

}  // namespace

void Epochs::session_began() {
  BASCULE_ASSERT(epochs_.empty());
  next_ = 0;
}

void Epochs::session_lost() {
  epochs_.clear();
  probe_.reset();
  probed_.reset();
}

std::uint32_t Epochs::add(WriteLog::Serial serial) {
  if (open() && epochs_.back().must_close) close();
  if (!open()) {
    Epoch epoch;
    epoch.number = next_++;
    epoch.close_at = core_.now + epoch_age;
    if (!spare_.empty()) {
      epoch.members.swap(spare_.back());
      spare_.pop_back();
    }
    epochs_.push_back(std::move(epoch));
  }
  epochs_.back().members.push_back(serial);
  return epochs_.back().number;
}

void Epochs::answered(std::uint32_t number) {
  if (open() && epochs_.back().number == number && !flush_asks_peer(core_)) epochs_.back().must_close = true;
}

void Epochs::close() {
  if (!open()) return;
  epochs_.back().closed = true;
  epochs_.back().closed_at = core_.now;
  core_.send_data(drbd::Barrier{epochs_.back().number, 0});
}

void Epochs::refused(std::uint32_t number) {
  for (Epoch& epoch : epochs_) epoch.refused += epoch.number == number ? 1 : 0;
}

std::optional<std::size_t> Epochs::ended_by(const drbd::BarrierAck& ack) const {
  if (probed_ && static_cast<std::int32_t>(ack.number - *probed_) <= 0) return 0;  // on the slower of the two sockets
  for (std::size_t i = 0; i < epochs_.size() && epochs_[i].closed; ++i) {
    const Epoch& epoch = epochs_[i];
    const std::size_t writes = epoch.members.size();
    if (epoch.number == ack.number) {
      // The peer may or may not count what it refused.
      const bool complete = ack.set_size <= writes && ack.set_size + std::size_t{epoch.refused} >= writes;
      return complete ? std::optional(i + 1) : std::nullopt;
    }
    if (epoch.refused == 0) break;
  }
  return std::nullopt;
}

std::optional<std::size_t> Epochs::ended_by_read(drbd::BlockId answered) {
  if (!probe_ || static_cast<std::uint64_t>(answered) != probe_->block_id) return std::nullopt;
  probed_ = probe_->newest;
  probe_.reset();
  std::size_t ended = 0;
  while (ended < epochs_.size() && static_cast<std::int32_t>(epochs_[ended].number - *probed_) <= 0) ++ended;
  return ended;
}

/// Reads something that is always there.
void Epochs::probe() {
  const auto length = static_cast<std::uint32_t>(std::min<std::uint64_t>(probe_bytes, core_.size_bytes()));
  probe_ = Probe{probe_bit | next_probe_++, epochs_.back().number, core_.now};
  core_.send_data(drbd::DataRequest{0, drbd::BlockId{probe_->block_id}, length, 0});
}

std::vector<WriteLog::Serial> Epochs::take_oldest() {
  std::vector<WriteLog::Serial> members = std::move(epochs_.front().members);
  epochs_.pop_front();
  return members;
}

void Epochs::advance(bool nothing_under_way) {
  const bool full = open() && epochs_.back().members.size() >= core_.config.options.net.max_epoch_size;
  if (full || (open() && epochs_.back().must_close && nothing_under_way)) close();
  const auto without_ack = [](const Epoch& epoch) { return epoch.closed && epoch.refused != 0; };
  if (!probe_ && !epochs_.empty() && nothing_under_way && core_.session.open && !core_.dropping &&
      std::all_of(epochs_.begin(), epochs_.end(), without_ack))
    probe();
}

/// Since when the peer owes an answer.
Instant Epochs::oldest_asked() const {
  Instant asked = probe_ ? probe_->since : never;
  for (const Epoch& epoch : epochs_) {
    if (!epoch.closed) break;
    if (epoch.refused == 0) return std::min(asked, epoch.closed_at);
  }
  return asked;
}

bool Epochs::overdue() const {
  const Duration limit = core_.config.request_timeout;
  const Instant asked = oldest_asked();
  return limit != Duration{0} && asked != never && asked + limit <= core_.now;
}

Instant Epochs::deadline() const {
  if (epochs_.empty()) return never;
  const Instant when = open() ? epochs_.back().close_at : never;
  const Duration limit = core_.config.request_timeout;
  const Instant asked = oldest_asked();
  return asked == never || limit == Duration{0} ? when : std::min(when, asked + limit);
}

void Epochs::tick() {
  if (open() && epochs_.back().close_at <= core_.now) close();
}

}  // namespace bascule::replication::detail
