#include "core/replication/detail/peer_writes.h"

#include <algorithm>

#include "base/assert.h"

namespace bascule::replication::detail {
namespace {

/// A peer that sends more than this without waiting for answers is out of its mind.
constexpr std::size_t max_peer_writes = 8192;

drbd::BlockAck ack_of(drbd::BlockAck::Kind kind, const Range& range, drbd::BlockId block_id, std::uint32_t sequence) {
  drbd::BlockAck ack;
  ack.kind = kind;
  ack.sector = range.offset / 512;
  ack.block_id = block_id;
  ack.size_bytes = static_cast<std::uint32_t>(range.length);
  ack.sequence = sequence;
  return ack;
}

}  // namespace

PeerWrites::PeerWrites(Core& core, Metadata& metadata) : core_(core), metadata_(metadata) {
  epochs_.push_back(Epoch{next_epoch_++, 0, 0, 0, false});
}

// ---- from the peer ----------------------------------------------------------------------------------------------

bool PeerWrites::data(const drbd::Data& data, BufferId buffer) {
  const auto range = core_.range_of(data.sector, data.size_bytes);
  if (!range || core_.primary() || in_use_ >= max_peer_writes) {
    core_.release(buffer);
    return false;
  }
  Slot slot;
  slot.range = *range;
  slot.buffer = buffer;
  slot.block_id = data.block_id;
  slot.durable = (data.flags & drbd::data_flag::kFua) != 0;
  slot.set_in_sync = (data.flags & drbd::data_flag::kMaySetInSync) != 0;
  slot.epoch = epochs_.back().number;
  ++epochs_.back().writes;
  ++epochs_.back().unfinished;
  submit(slot);
  return true;
}

void PeerWrites::resync_data(const Range& range, BufferId buffer) {
  Slot slot;
  slot.range = range;
  slot.buffer = buffer;
  slot.resync = true;
  submit(slot);
}

bool PeerWrites::barrier(const drbd::Barrier& barrier) {
  if (epochs_.size() >= max_peer_writes) return false;
  epochs_.back().closed = true;
  epochs_.back().barrier = barrier.number;
  epochs_.push_back(Epoch{next_epoch_++, 0, 0, 0, false});
  return true;
}

// ---- to the disk ------------------------------------------------------------------------------------------------

std::size_t PeerWrites::take_slot() {
  if (free_.empty()) {
    slots_.emplace_back();
    return slots_.size() - 1;
  }
  const std::size_t index = free_.back();
  free_.pop_back();
  return index;
}

void PeerWrites::submit(const Slot& slot) {
  const std::size_t index = take_slot();
  slots_[index] = slot;
  slots_[index].order = next_order_++;
  slots_[index].session = core_.session.number;
  ++in_use_;
  ++not_started_;
  if (!blocked(slots_[index])) start(index);
}

bool PeerWrites::blocked(const Slot& slot) const {
  return std::any_of(slots_.begin(), slots_.end(), [&](const Slot& each) {
    return each.order != 0 && each.order < slot.order && each.range.overlaps(slot.range);
  });
}

void PeerWrites::start(std::size_t index) {
  Slot& slot = slots_[index];
  slot.started = true;
  --not_started_;
  core_.emit(effect::DiskWrite{operation_of(Owner::PeerWrite, index), slot.range.offset,
                               static_cast<std::uint32_t>(slot.range.length), slot.buffer, slot.durable});
}

void PeerWrites::start_unblocked() {
  if (not_started_ == 0) return;
  for (std::size_t index = 0; index < slots_.size(); ++index)
    if (slots_[index].order != 0 && !slots_[index].started && !blocked(slots_[index])) start(index);
}

void PeerWrites::local_write_done(OperationId operation, int error_number) {
  const std::size_t index = rest_of(operation);
  BASCULE_ASSERT(index < slots_.size() && slots_[index].started);
  const Slot slot = slots_[index];
  slots_[index] = Slot{};
  free_.push_back(index);
  --in_use_;
  core_.release(slot.buffer);
  if (error_number != 0) {
    core_.why = "the disk refused a write of the peer (error " + std::to_string(error_number) + ")";
    core_.event("disk-failed", core_.why);
    core_.become(DiskState::Failed, core_.why);
  }
  if (slot.session == core_.session.number && core_.session.open) answer(slot, error_number == 0);
  start_unblocked();
}

void PeerWrites::answer(const Slot& slot, bool good) {
  using Kind = drbd::BlockAck::Kind;
  if (slot.resync) {
    if (good)
      written_.push_back(slot.range);
    else
      core_.send_meta(ack_of(Kind::NegativeAck, slot.range, drbd::kSyncerBlockId, ++core_.session.sequence));
    return;
  }
  const bool in_sync = good && slot.set_in_sync && core_.connection == ConnectionState::SyncTarget;
  const Kind kind = !good ? Kind::NegativeAck : in_sync ? Kind::ResyncWriteAck : Kind::WriteAck;
  core_.send_meta(ack_of(kind, slot.range, slot.block_id, ++core_.session.sequence));
  if (in_sync) metadata_.mark_in_sync(slot.range);
  finish_in_epoch(slot.epoch);
}

void PeerWrites::finish_in_epoch(std::uint32_t number) {
  const std::uint32_t index = number - epochs_.front().number;
  BASCULE_ASSERT(index < epochs_.size() && epochs_[index].unfinished > 0);
  --epochs_[index].unfinished;
}

// ---- flushes ----------------------------------------------------------------------------------------------------

void PeerWrites::advance() {
  if (flushing_barriers_ == 0 && core_.session.open) {
    std::size_t count = 0;
    while (epochs_[count].closed && epochs_[count].unfinished == 0) ++count;
    if (count != 0) {
      flushing_barriers_ = count;
      flush_session_ = core_.session.number;
      core_.emit(effect::DiskFlush{operation_of(Owner::PeerFlush, 0)});
    }
  }
  if (!resync_flushing_ && !written_.empty()) {
    flushing_.swap(written_);
    resync_flushing_ = true;
    resync_flush_session_ = core_.session.number;
    core_.emit(effect::DiskFlush{operation_of(Owner::ResyncFlush, 0)});
  }
}

void PeerWrites::flush_done(OperationId operation, int error_number) {
  if (error_number != 0) {
    core_.why = "the disk refused a flush (error " + std::to_string(error_number) + ")";
    core_.event("disk-failed", core_.why);
    core_.become(DiskState::Failed, core_.why);
    core_.drop(ConnectionState::NetworkFailure, core_.why);
  }
  if (owner_of(operation) == Owner::ResyncFlush) {
    resync_flushing_ = false;
    if (error_number == 0 && core_.session.open && resync_flush_session_ == core_.session.number)
      resynced_.insert(resynced_.end(), flushing_.begin(), flushing_.end());
    flushing_.clear();
    return;
  }
  const std::size_t covered = std::exchange(flushing_barriers_, 0);
  if (error_number != 0 || !core_.session.open || flush_session_ != core_.session.number) return;
  for (std::size_t i = 0; i < covered; ++i) {
    core_.send_meta(drbd::BarrierAck{epochs_.front().barrier, epochs_.front().writes});
    epochs_.pop_front();
  }
}

std::vector<Range> PeerWrites::take_resynced() {
  std::vector<Range> taken;
  for (const Range& range : resynced_) {
    core_.send_meta(
        ack_of(drbd::BlockAck::Kind::ResyncWriteAck, range, drbd::kSyncerBlockId, ++core_.session.sequence));
    metadata_.mark_in_sync(range);
  }
  taken.swap(resynced_);
  return taken;
}

void PeerWrites::session_lost() {
  epochs_.clear();
  epochs_.push_back(Epoch{next_epoch_++, 0, 0, 0, false});
  written_.clear();
  resynced_.clear();
}

}  // namespace bascule::replication::detail
