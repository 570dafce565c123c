#pragma once

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "core/replication/detail/disk/metadata.h"
#include "wire/drbd_metadata/activity_log.h"

namespace bascule::replication::detail {

/// The hot extents of a primary. After a crash exactly these are resynced, so a write may touch the disk only while its
/// extents are hot on disk too. Least recently used extents without writes are evicted, their bitmap bits first.
class ActivityLog {
 public:
  ActivityLog(Core& core, Metadata& metadata);

  /// Rewrites the whole ring as empty (attach), in the shape that the superblock says. Only while nobody holds an
  /// extent. Nothing is hot until it is durable.
  void reset();
  /// The ring as it would be written anew, with all that is hot; only while idle(). From then on it goes on behind
  /// that.
  [[nodiscard]] Bytes rewritten();
  /// No transaction is on its way.
  [[nodiscard]] bool idle() const { return !in_flight_ && !resetting_; }
  /// Nothing is hot, on disk or here.
  [[nodiscard]] bool empty() const { return slot_of_.empty(); }
  /// Nobody holds an extent either.
  [[nodiscard]] bool unused() const;
  /// Takes a reference on the extents of the range; true when all are hot on disk already.
  bool acquire(const Range& range);
  [[nodiscard]] bool hot(const Range& range) const;
  void release(const Range& range);
  /// A cold extent waits, and every slot is held by writes whose barrier is not acknowledged.
  [[nodiscard]] bool starved() const { return starved_; }
  [[nodiscard]] bool ready() const { return !resetting_; }
  /// Grows whenever extents have become hot.
  [[nodiscard]] std::uint64_t activations() const { return activations_; }

  /// Writes into the superblock in memory whether the log is kept (al-updates): without it a crash of a primary means a
  /// full resync. Must be durable before the first write.
  void note_use();
  /// Extents that writes hold now, and how many there can be.
  [[nodiscard]] std::size_t used() const { return used_; }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

  void done(int error_number);
  void advance();

 private:
  using Slot = std::uint16_t;
  static constexpr Slot none = 0xffff;
  enum class SlotState : std::uint8_t { Free, Logging, Hot };
  struct Entry {
    std::uint32_t extent = drbd_metadata::kFreeExtent;
    std::uint32_t references = 0;
    SlotState state = SlotState::Free;
    Slot older = none;  ///< list of slots without references, least recently used first
    Slot newer = none;
  };

  void link_as_newest(Slot slot);
  void unlink(Slot slot);
  Slot take_slot();
  void reference(std::uint32_t extent);
  void forget_all();
  void write_transaction();
  void describe_window(drbd_metadata::Transaction& transaction) const;
  [[nodiscard]] std::uint64_t ring_offset() const;
  [[nodiscard]] bool kept() const;

  Core& core_;
  Metadata& metadata_;
  std::vector<Entry> entries_;
  std::vector<Slot> free_;
  Slot oldest_ = none;
  Slot newest_ = none;
  std::unordered_map<std::uint32_t, Slot> slot_of_;                      ///< looked up only, never iterated
  std::unordered_map<std::uint32_t, std::uint32_t> waiting_references_;  ///< extents in waiting_
  std::deque<std::uint32_t> waiting_;
  std::vector<Slot> logging_;  ///< slots of the transaction in flight
  drbd_metadata::Transaction transaction_;
  std::uint32_t next_number_ = 0;
  std::uint16_t next_window_ = 0;
  std::uint64_t activations_ = 0;
  std::size_t used_ = 0;
  bool in_flight_ = false;
  bool resetting_ = false;
  bool starved_ = false;
};

}  // namespace bascule::replication::detail
