#include "core/replication/detail/epochs.h"

#include "base/assert.h"
#include "core/replication/detail/write_rules.h"

namespace bascule::replication::detail {
namespace {

constexpr Duration epoch_age = milliseconds(50);

}  // namespace

void Epochs::session_began() {
  BASCULE_ASSERT(epochs_.empty());
  next_ = 0;
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

bool Epochs::matches(const drbd::BarrierAck& ack) const {
  if (epochs_.empty() || !epochs_.front().closed) return false;
  return ack.number == epochs_.front().number && ack.set_size == epochs_.front().members.size();
}

std::vector<WriteLog::Serial> Epochs::take_oldest() {
  std::vector<WriteLog::Serial> members = std::move(epochs_.front().members);
  epochs_.pop_front();
  return members;
}

void Epochs::advance(bool nothing_under_way) {
  const bool full = open() && epochs_.back().members.size() >= core_.config.options.net.max_epoch_size;
  if (full || (open() && epochs_.back().must_close && nothing_under_way)) close();
}

bool Epochs::overdue() const {
  const Duration limit = core_.config.request_timeout;
  return limit != Duration{0} && !epochs_.empty() && epochs_.front().closed &&
         epochs_.front().closed_at + limit <= core_.now;
}

Instant Epochs::deadline() const {
  if (epochs_.empty()) return never;
  Instant when = open() ? epochs_.back().close_at : never;
  const Duration limit = core_.config.request_timeout;
  if (epochs_.front().closed && limit != Duration{0}) when = std::min(when, epochs_.front().closed_at + limit);
  return when;
}

void Epochs::tick() {
  if (open() && epochs_.back().close_at <= core_.now) close();
}

}  // namespace bascule::replication::detail
