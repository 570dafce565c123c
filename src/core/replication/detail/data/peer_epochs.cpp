#include "core/replication/detail/data/peer_epochs.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace bascule::replication::detail {
namespace {

constexpr std::size_t max_epochs = 8192;

}  // namespace

std::uint32_t PeerEpochs::join() {
  ++epochs_.back().writes;
  ++epochs_.back().unfinished;
  return epochs_.back().number;
}

void PeerEpochs::finish(std::uint32_t number, bool written) {
  const std::uint32_t index = number - epochs_.front().number;
  BASCULE_ASSERT(index < epochs_.size() && epochs_[index].unfinished > 0);
  --epochs_[index].unfinished;
  epochs_[index].written += written ? 1 : 0;
}

void PeerEpochs::withdraw(std::uint32_t number) {
  finish(number, false);
  Epoch& epoch = epochs_[number - epochs_.front().number];
  --epoch.writes;
  epoch.withdrawn = true;
}

bool PeerEpochs::barrier(const drbd::Barrier& barrier) {
  if (epochs_.size() >= max_epochs) return false;
  epochs_.back().closed = true;
  epochs_.back().barrier = barrier.number;
  epochs_.push_back(Epoch{.number = next_++});
  ++core_.peer_barriers;
  return true;
}

/// disk-flushes; without it the order is kept by waiting for the writes (disk-drain), or not at all. The in-sync set
/// counts on flushed disks, whatever the option.
bool PeerEpochs::orders_by_flush() const {
  if (!core_.disk_usable()) return false;
  return core_.config.authority == Authority::Cluster || core_.config.options.disk.disk_flushes;
}

bool PeerEpochs::unflushed() const {
  return std::any_of(epochs_.begin(), epochs_.end(),
                     [](const Epoch& each) { return each.unfinished + each.written != 0; });
}

void PeerEpochs::acknowledge(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const Epoch& epoch = epochs_.front();
    if (epoch.writes != 0 || !epoch.withdrawn) core_.send_meta(drbd::BarrierAck{epoch.barrier, epoch.writes});
    epochs_.pop_front();
    ++core_.peer_barriers_done;
  }
}

void PeerEpochs::advance() {
  if (flushing_ != 0 || !core_.session.open || core_.dropping) return;
  std::size_t count = 0;
  while (epochs_[count].closed && epochs_[count].unfinished == 0) ++count;
  if (count == 0) return;
  if (!orders_by_flush()) return acknowledge(count);
  flushing_ = count;
  flush_session_ = core_.session.number;
  core_.emit(effect::DiskFlush{operation_of(Owner::PeerFlush, 0)});
}

void PeerEpochs::flush_done(int error_number) {
  const std::size_t covered = std::exchange(flushing_, 0);
  if (error_number != 0 || !core_.session.open || flush_session_ != core_.session.number) return;
  acknowledge(covered);
}

void PeerEpochs::session_lost() {
  epochs_.clear();
  epochs_.push_back(Epoch{.number = next_++});
  core_.peer_barriers_done = core_.peer_barriers;
}

}  // namespace bascule::replication::detail
