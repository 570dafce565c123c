#include "core/replication/detail/disk/activity_log.h"

#include <algorithm>

#include "base/assert.h"
#include "core/replication/detail/data/disk_errors.h"

namespace bascule::replication::detail {
namespace {

using drbd_metadata::kBitsPerExtent;
using drbd_metadata::kBlockBytes;
using drbd_metadata::kContextPerTransaction;
using drbd_metadata::kExtentBytes;
using drbd_metadata::kFreeExtent;

std::uint32_t first_extent(const Range& range) { return static_cast<std::uint32_t>(range.offset / kExtentBytes); }
std::uint32_t last_extent(const Range& range) { return static_cast<std::uint32_t>((range.end() - 1) / kExtentBytes); }

}  // namespace

ActivityLog::ActivityLog(Core& core, Metadata& metadata) : core_(core), metadata_(metadata) { forget_all(); }

void ActivityLog::forget_all() {
  const std::uint32_t most = drbd_metadata::max_slots(core_.superblock.shape());
  const auto slots = std::clamp<std::uint32_t>(core_.config.al_extents, 2, std::max<std::uint32_t>(most, 2));
  entries_.assign(slots, Entry{});
  free_.clear();
  for (std::size_t slot = slots; slot-- > 0;) free_.push_back(static_cast<Slot>(slot));
  oldest_ = newest_ = none;
  slot_of_.clear();
  waiting_.clear();
  waiting_references_.clear();
  logging_.clear();
  next_window_ = 0;
  used_ = 0;
  core_.superblock.activity_log_extents = slots;
}

bool ActivityLog::unused() const {
  const bool waits = std::any_of(waiting_.begin(), waiting_.end(),
                                 [this](std::uint32_t extent) { return waiting_references_.at(extent) != 0; });
  return !waits && used_ == 0 && idle();
}

bool ActivityLog::kept() const { return core_.config.options.disk.al_updates; }

void ActivityLog::note_use() {
  if (kept())
    core_.superblock.flags &= ~drbd_metadata::flag::kActivityLogDisabled;
  else
    core_.superblock.flags |= drbd_metadata::flag::kActivityLogDisabled;
}

std::uint64_t ActivityLog::ring_offset() const {
  return core_.superblock_offset() +
         static_cast<std::uint64_t>(std::int64_t{core_.superblock.activity_log_offset_sectors} * 512);
}

void ActivityLog::reset() {
  BASCULE_ASSERT(unused());
  forget_all();
  resetting_ = true;
  core_.emit(
      effect::MetadataWrite{operation_of(Owner::ActivityLog, 0), ring_offset(), rewritten(), core_.flushes_metadata()});
}

/// Empty blocks, and behind them, as the newest, those that describe the slots in use.
Bytes ActivityLog::rewritten() {
  const auto blocks = static_cast<std::uint32_t>(core_.superblock.shape().blocks());
  const bool in_use = !slot_of_.empty();
  const std::size_t windows = in_use ? (entries_.size() + kContextPerTransaction - 1) / kContextPerTransaction : 0;
  Bytes ring(std::size_t{blocks} * kBlockBytes);
  for (std::uint32_t number = 0; number < blocks; ++number) {
    drbd_metadata::Transaction transaction;
    transaction.number = number;
    transaction.slots = static_cast<std::uint16_t>(entries_.size());
    transaction.type = drbd_metadata::TransactionType::Initialised;
    if (number + windows >= blocks) {
      transaction.type = drbd_metadata::TransactionType::Update;
      transaction.context_first_slot = static_cast<std::uint16_t>((number + windows - blocks) * kContextPerTransaction);
      describe_window(transaction);
    }
    const Bytes block = drbd_metadata::encode_transaction(transaction);
    const std::uint64_t at = drbd_metadata::ring_block(number, core_.superblock.shape());
    std::copy(block.begin(), block.end(), ring.begin() + static_cast<std::ptrdiff_t>(at * kBlockBytes));
  }
  next_number_ = blocks;
  next_window_ = 0;
  return ring;
}

// ---- least recently used list -----------------------------------------------------------------------------------

void ActivityLog::link_as_newest(Slot slot) {
  entries_[slot].older = newest_;
  entries_[slot].newer = none;
  (newest_ == none ? oldest_ : entries_[newest_].newer) = slot;
  newest_ = slot;
}

void ActivityLog::unlink(Slot slot) {
  const Entry& entry = entries_[slot];
  (entry.older == none ? oldest_ : entries_[entry.older].newer) = entry.newer;
  (entry.newer == none ? newest_ : entries_[entry.newer].older) = entry.older;
}

// ---- references -------------------------------------------------------------------------------------------------

void ActivityLog::reference(std::uint32_t extent) {
  const auto found = slot_of_.find(extent);
  if (found != slot_of_.end()) {
    Entry& entry = entries_[found->second];
    if (entry.references++ == 0) {
      ++used_;
      if (entry.state == SlotState::Hot) unlink(found->second);
    }
    return;
  }
  const auto [waiting, added] = waiting_references_.try_emplace(extent, 0);
  ++waiting->second;
  if (added) waiting_.push_back(extent);
}

bool ActivityLog::acquire(const Range& range) {
  if (!kept()) return true;
  for (std::uint32_t extent = first_extent(range); extent <= last_extent(range); ++extent) reference(extent);
  return hot(range);
}

bool ActivityLog::hot(const Range& range) const {
  if (!kept() || core_.canary_set(canary::kForgetActivityLog)) return true;
  for (std::uint32_t extent = first_extent(range); extent <= last_extent(range); ++extent) {
    const auto found = slot_of_.find(extent);
    if (found == slot_of_.end() || entries_[found->second].state != SlotState::Hot) return false;
  }
  return true;
}

void ActivityLog::release(const Range& range) {
  if (!kept()) return;
  for (std::uint32_t extent = first_extent(range); extent <= last_extent(range); ++extent) {
    const auto found = slot_of_.find(extent);
    if (found == slot_of_.end()) {  // given up before it was logged
      const auto waiting = waiting_references_.find(extent);
      if (waiting != waiting_references_.end() && waiting->second > 0) --waiting->second;
      continue;
    }
    Entry& entry = entries_[found->second];
    BASCULE_ASSERT(entry.references > 0);
    if (--entry.references != 0) continue;
    --used_;
    if (entry.state == SlotState::Hot) link_as_newest(found->second);
  }
}

// ---- transactions -----------------------------------------------------------------------------------------------

ActivityLog::Slot ActivityLog::take_slot() {
  if (!free_.empty()) {
    const Slot slot = free_.back();
    free_.pop_back();
    return slot;
  }
  if (oldest_ == none) {
    starved_ = true;
    return none;
  }
  const Slot slot = oldest_;
  const std::size_t first_bit = std::size_t{entries_[slot].extent} * kBitsPerExtent;
  if (!metadata_.bits_durable(first_bit, first_bit + kBitsPerExtent)) {
    metadata_.write_bits(first_bit, first_bit + kBitsPerExtent);
    return none;
  }
  unlink(slot);
  slot_of_.erase(entries_[slot].extent);
  return slot;
}

void ActivityLog::describe_window(drbd_metadata::Transaction& transaction) const {
  transaction.context.clear();
  for (std::size_t slot = transaction.context_first_slot;
       slot < entries_.size() && transaction.context.size() < kContextPerTransaction; ++slot)
    transaction.context.push_back(entries_[slot].extent);
}

void ActivityLog::write_transaction() {
  transaction_.type = drbd_metadata::TransactionType::Update;
  transaction_.number = next_number_++;
  transaction_.slots = static_cast<std::uint16_t>(entries_.size());
  transaction_.context_first_slot = next_window_;
  describe_window(transaction_);
  const std::size_t after = next_window_ + kContextPerTransaction;
  next_window_ = static_cast<std::uint16_t>(after >= entries_.size() ? 0 : after);
  const std::uint64_t block = drbd_metadata::ring_block(transaction_.number, core_.superblock.shape());
  in_flight_ = true;
  ++core_.statistics.activity_log_writes;
  core_.emit(effect::MetadataWrite{operation_of(Owner::ActivityLog, transaction_.number),
                                   ring_offset() + block * kBlockBytes, drbd_metadata::encode_transaction(transaction_),
                                   core_.flushes_metadata()});
}

void ActivityLog::advance() {
  starved_ = false;
  if (in_flight_ || resetting_ || waiting_.empty() || !core_.disk_usable() || core_.metadata_held) return;
  transaction_.updates.clear();
  while (!waiting_.empty() && transaction_.updates.size() < drbd_metadata::kUpdatesPerTransaction) {
    const std::uint32_t extent = waiting_.front();
    const auto waiting = waiting_references_.find(extent);
    const bool wanted = waiting->second != 0;
    const Slot slot = wanted ? take_slot() : none;
    if (wanted && slot == none) break;
    waiting_.pop_front();
    if (!wanted) {
      waiting_references_.erase(waiting);
      continue;
    }
    entries_[slot] = Entry{extent, waiting->second, SlotState::Logging, none, none};
    ++used_;
    waiting_references_.erase(waiting);
    slot_of_[extent] = slot;
    transaction_.updates.push_back({slot, extent});
    logging_.push_back(slot);
  }
  if (!transaction_.updates.empty()) write_transaction();
}

void ActivityLog::done(int error_number) {
  resetting_ = in_flight_ = false;
  if (error_number != 0) return disk_refused(core_, FailedIo::Metadata, error_number);
  for (const Slot slot : logging_) {
    entries_[slot].state = SlotState::Hot;
    if (entries_[slot].references == 0) link_as_newest(slot);
  }
  if (!logging_.empty()) ++activations_;
  logging_.clear();
}

}  // namespace bascule::replication::detail
