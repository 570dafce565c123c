#include "core/replication/detail/data/peer_writes.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "core/replication/detail/data/disk_errors.h"

namespace bascule::replication::detail {
namespace {

/// A peer that sends more than this without waiting for answers is out of its mind.
constexpr std::size_t max_peer_writes = 8192;

using AckKind = drbd::BlockAck::Kind;

}  // namespace

PeerWrites::PeerWrites(Core& core, Metadata& metadata, ActivityLog& activity_log, Writes& writes)
    : core_(core),
      metadata_(metadata),
      activity_log_(activity_log),
      writes_(writes),
      conflicts_(core, writes),
      epochs_(core) {}

// ---- from the peer ----------------------------------------------------------------------------------------------

bool PeerWrites::data(const drbd::Data& data, BufferId buffer) {
  Slot slot;
  slot.range = {data.sector * 512, data.size_bytes};
  slot.buffer = buffer;
  slot.block_id = data.block_id;
  slot.sequence = data.sequence;
  slot.flags = data.flags;
  const bool good = data.sector < core_.superblock.effective_sectors && accept(slot, drbd::kMaxDataBytes);
  if (good)
    core_.statistics.received_bytes += data.size_bytes;
  else
    core_.release(buffer);
  return good;
}

/// Where the peer knows no P_ZEROES, a discard is how it asks for zeroes (protocol facts, section 7, discards).
bool PeerWrites::trim(const drbd::Trim& trim) {
  Slot slot;
  slot.range = {trim.sector * 512, trim.size_bytes};
  slot.kind = core_.agreed(drbd::feature::kWriteZeroes) ? WriteKind::discard : WriteKind::zeroes_unmap;
  slot.block_id = trim.block_id;
  slot.sequence = trim.sequence;
  slot.flags = trim.flags;
  return core_.agreed(drbd::feature::kTrim) && trim.sector < core_.superblock.effective_sectors &&
         accept(slot, drbd::kMaxDiscardBytes);
}

bool PeerWrites::zeroes(const drbd::Zeroes& zeroes) {
  Slot slot;
  slot.range = {zeroes.sector * 512, zeroes.size_bytes};
  slot.kind = (zeroes.flags & drbd::data_flag::kDiscard) != 0 ? WriteKind::zeroes_unmap : WriteKind::zeroes;
  slot.block_id = zeroes.block_id;
  slot.sequence = zeroes.sequence;
  slot.flags = zeroes.flags;
  return core_.agreed(drbd::feature::kWriteZeroes) && zeroes.sector < core_.superblock.effective_sectors &&
         accept(slot, drbd::kMaxDiscardBytes);
}

void PeerWrites::resync_data(const Range& range, BufferId buffer) {
  Slot slot;
  slot.range = range;
  slot.buffer = buffer;
  slot.resync = true;
  core_.statistics.received_bytes += range.length;
  order(keep(slot));
}

void PeerWrites::resync_zeroes(const Range& range) {
  Slot slot;
  slot.range = range;
  slot.kind = WriteKind::zeroes_unmap;
  slot.resync = true;
  order(keep(slot));
}

bool PeerWrites::accept(Slot slot, std::uint64_t longest) {
  if (!core_.inside(slot.range, longest) || in_use_ >= max_peer_writes) return false;
  if (core_.primary() && !core_.two_primaries()) return false;
  core_.application_io_at = core_.now;
  slot.epoch = epochs_.join();
  note_only_here(slot);
  if ((slot.flags & drbd::data_flag::kSendReceiveAck) != 0)
    core_.send_ack(AckKind::ReceiveAck, slot.range, slot.block_id);
  if (conflicts_.decides()) {
    parked_.push_back(keep(slot));
    decide_parked();
    return true;
  }
  core_.see_sequence(slot.sequence);
  note_missing_at_peer(slot.range);
  if (!core_.disk_usable())
    refuse(keep(slot), AckKind::NegativeAck);  // no disk: the data goes nowhere
  else
    order(keep(slot));
  return true;
}

std::size_t PeerWrites::keep(Slot slot) {
  std::size_t index = slots_.size();
  if (free_.empty()) {
    slots_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  slot.used = true;
  slot.session = core_.session.number;
  slot.since = core_.now;
  slots_[index] = slot;
  ++in_use_;
  return index;
}

void PeerWrites::forget(std::size_t index) {
  const Slot& slot = slots_[index];
  if (slot.entered) core_.peer_ranges.leave(index, slot.range);
  if (slot.logged) activity_log_.release(slot.range);
  core_.release(slot.buffer);
  slots_[index] = Slot{};
  free_.push_back(index);
  --in_use_;
}

void PeerWrites::refuse(std::size_t index, AckKind kind) {
  core_.send_ack(kind, slots_[index].range, slots_[index].block_id);
  epochs_.finish(slots_[index].epoch, false);
  forget(index);
}

/// Its epoch is not answered before our own write, which stays in its place, is at the peer: until then a peer that is
/// to make its write again counts it among those of the epoch.
void PeerWrites::supersede(std::size_t index, AckKind kind) {
  Slot& slot = slots_[index];
  core_.send_ack(kind, slot.range, slot.block_id);
  core_.release(std::exchange(slot.buffer, 0));
  slot.own_until = writes_.next_serial();
  superseded_.push_back(index);
}

void PeerWrites::withdraw_superseded() {
  std::erase_if(superseded_, [&](std::size_t index) {
    const Slot& slot = slots_[index];
    if (writes_.peer_lacks_before(slot.own_until, slot.range)) return false;
    epochs_.withdraw(slot.epoch);
    forget(index);
    return true;
  });
}

/// The deciding node of two primaries takes the peer's writes in their order, each when all before it was seen.
void PeerWrites::decide_parked() {
  using Ruling = Conflicts::Ruling;
  while (!parked_.empty()) {
    const std::size_t index = parked_.front();
    const Slot& slot = slots_[index];
    if (!conflicts_.is_next(slot.sequence)) return;
    const Ruling ruling = conflicts_.rule(slot.range);
    if (ruling == Ruling::Wait) return;
    parked_.pop_front();
    core_.see_sequence(slot.sequence);
    if (ruling == Ruling::Superseded)
      supersede(index, AckKind::Superseded);
    else if (ruling == Ruling::Retry)
      supersede(index, AckKind::RetryWrite);
    else if (!core_.disk_usable())
      refuse(index, AckKind::NegativeAck);
    else
      order(index);
  }
}

// ---- to the disk ------------------------------------------------------------------------------------------------

void PeerWrites::order(std::size_t index) {
  Slot& slot = slots_[index];
  slot.entered = true;
  slot.admitted = core_.peer_ranges.enter(index, slot.range);
  try_start(index);
  if (!slots_[index].started) waiting_.push_back(index);
}

/// Marked at once, however long it waits for the disk: until then the peer may have got a disk, and the bitmap may have
/// left for it.
void PeerWrites::note_only_here(Slot& slot) {
  if (slot.only_here || !(core_.holds_only_copy() || core_.peer_disk_undecided())) return;
  slot.only_here = true;
  (void)metadata_.mark_out_of_sync(slot.range);
}

/// Sent by a peer whose new disk was Negotiating, and which did not know yet how that ends: it is missing there, and
/// our bitmap had left when it came.
void PeerWrites::note_missing_at_peer(const Range& range) {
  if (core_.connection != ConnectionState::WFBitMapS || !core_.peer.attaching) return;
  if (metadata_.mark_out_of_sync(range))
    core_.send_data(drbd::OutOfSync{range.offset / 512, static_cast<std::uint32_t>(range.length), 0});
}

bool PeerWrites::may_start(Slot& slot) {
  if (!slot.admitted || core_.growing_on_disk) return false;
  // A write that is already the only thing to be done is not decided upon again.
  if (!slot.resync && !conflicts_.decides() && conflicts_.rule(slot.range) == Conflicts::Ruling::Wait) return false;
  if (slot.resync || !core_.disk_usable()) return true;
  if (core_.holds_only_copy()) return may_start_as_only_copy(slot);
  if (!slot.only_here) return true;
  // The peer has a disk again, which has not this write: the bits must say so before the disks differ.
  const std::size_t first_bit = slot.range.offset / block_bytes;
  const std::size_t last_bit = (slot.range.end() + block_bytes - 1) / block_bytes;
  metadata_.write_bits(first_bit, last_bit);
  return metadata_.bits_durable(first_bit, last_bit);
}

bool PeerWrites::may_start_as_only_copy(Slot& slot) {
  // After a crash the activity log counts only if the superblock says that there was a primary.
  const bool told = core_.wrote_for_primary && metadata_.superblock_durable();
  if (!activity_log_.ready() || !told) return false;
  if (slot.logged) return activity_log_.hot(slot.range);
  slot.logged = true;
  note_only_here(slot);
  return activity_log_.acquire(slot.range);
}

void PeerWrites::try_start(std::size_t index) {
  if (may_start(slots_[index])) start(index);
}

void PeerWrites::start(std::size_t index) {
  Slot& slot = slots_[index];
  slot.started = true;
  const bool durable = (slot.flags & drbd::data_flag::kFua) != 0;
  const OperationId operation = operation_of(Owner::PeerWrite, index);
  if (slot.kind == WriteKind::data)
    core_.emit(effect::DiskWrite{operation, slot.range.offset, static_cast<std::uint32_t>(slot.range.length),
                                 slot.buffer, durable});
  else
    core_.emit(effect::DiskZero{operation, slot.range.offset, slot.range.length, slot.kind, durable});
}

void PeerWrites::start_waiting() {
  for (const auto index : core_.peer_ranges.take_admitted()) slots_[index].admitted = true;
  if (waiting_.empty()) return;
  const std::vector<std::size_t> candidates = std::exchange(waiting_, {});
  for (const std::size_t index : candidates) {
    try_start(index);
    if (!slots_[index].started) waiting_.push_back(index);
  }
}

void PeerWrites::local_write_done(OperationId operation, int error_number) {
  const std::size_t index = rest_of(operation);
  BASCULE_ASSERT(index < slots_.size() && slots_[index].started);
  const Slot slot = slots_[index];
  if (error_number == 0)
    core_.statistics.written_bytes += slot.range.length;
  else
    disk_refused(core_, FailedIo::Write, error_number);
  if (is_current(slot)) answer(slot, error_number == 0);
  forget(index);
  start_waiting();
}

void PeerWrites::answer(const Slot& slot, bool good) {
  if (slot.resync) {
    if (good)
      written_.push_back(slot.range);
    else
      core_.send_ack(AckKind::NegativeAck, slot.range, drbd::kSyncerBlockId);
    return;
  }
  const bool resyncing =
      core_.connection >= ConnectionState::SyncSource && core_.connection <= ConnectionState::PausedSyncT;
  const bool in_sync = good && resyncing && (slot.flags & drbd::data_flag::kMaySetInSync) != 0;
  if (!good)
    core_.send_ack(AckKind::NegativeAck, slot.range, slot.block_id);
  else if (in_sync || (slot.flags & drbd::data_flag::kSendWriteAck) != 0)
    core_.send_ack(in_sync ? AckKind::ResyncWriteAck : AckKind::WriteAck, slot.range, slot.block_id);
  if (in_sync) metadata_.mark_in_sync(slot.range);
  epochs_.finish(slot.epoch, good);
}

// ---- resync data ------------------------------------------------------------------------------------------------

void PeerWrites::advance() {
  decide_parked();
  start_waiting();
  withdraw_superseded();
  epochs_.advance();
  if (resync_flushing_ || written_.empty()) return;
  flushing_.swap(written_);
  resync_flushing_ = true;
  resync_flush_session_ = core_.session.number;
  core_.emit(effect::DiskFlush{operation_of(Owner::ResyncFlush, 0)});
}

void PeerWrites::flush_done(OperationId operation, int error_number) {
  if (error_number != 0) {
    disk_refused(core_, FailedIo::Flush, error_number);
    core_.drop(ConnectionState::NetworkFailure, "the disk refused a flush");
  }
  if (owner_of(operation) == Owner::PeerFlush) return epochs_.flush_done(error_number);
  resync_flushing_ = false;
  if (error_number == 0 && core_.session.open && resync_flush_session_ == core_.session.number)
    resynced_.insert(resynced_.end(), flushing_.begin(), flushing_.end());
  flushing_.clear();
}

std::vector<Range> PeerWrites::take_resynced() {
  std::vector<Range> taken;
  for (const Range& range : resynced_) {
    core_.send_ack(AckKind::ResyncWriteAck, range, drbd::kSyncerBlockId);
    metadata_.mark_in_sync(range);
  }
  taken.swap(resynced_);
  return taken;
}

// ---- time and session -------------------------------------------------------------------------------------------

Instant PeerWrites::deadline() const {
  if (parked_.empty() || !core_.session.open) return never;
  return slots_[parked_.front()].since + core_.config.ping_timeout + core_.config.request_timeout;
}

void PeerWrites::tick() {
  if (deadline() <= core_.now)
    core_.drop(ConnectionState::Timeout, "what the peer sent before a write does not arrive");
}

/// What the disk has begun ends by itself. What only waits for its turn there has been received, and under protocol B
/// the peer was told so: it is written although the peer is gone, as the kernel does. Resync data was promised to
/// nobody, nor what two primaries (protocol C) have not ordered yet.
void PeerWrites::session_lost() {
  epochs_.session_lost();
  written_.clear();
  resynced_.clear();
  for (const std::size_t index : std::exchange(parked_, {})) forget(index);
  for (const std::size_t index : std::exchange(superseded_, {})) forget(index);
  for (const std::size_t index : std::exchange(waiting_, {})) {
    if (slots_[index].resync || core_.two_primaries())
      forget(index);
    else
      waiting_.push_back(index);
  }
  start_waiting();
}

}  // namespace bascule::replication::detail
