#pragma once

#include <cstdint>
#include <deque>

#include "core/replication/detail/core.h"

namespace bascule::replication::detail {

/// One write of the application, from its acceptance until nothing of it can be missing anywhere unmarked.
struct WriteEntry {
  enum class Local : std::uint8_t { None, Pending, Good, Failed };
  enum class Remote : std::uint8_t {
    None,      ///< not for the peer, or its bits are set
    Sent,      ///< protocol A asks for no more
    Received,  ///< protocol B asks for no more
    Written,   ///< or superseded by a write of the peer's, which is as good
    Retry,     ///< two primaries: the peer's own write came first, this one has to be made again
  };
  RequestId request = 0;
  std::uint64_t split = 0;  ///< the request is answered when all its parts are; 0: this is all of it
  Range range;
  WriteKind kind = WriteKind::data;
  BufferId buffer = 0;
  bool fua = false;
  bool admitted = false;  ///< no earlier write overlaps it
  bool in_order = false;  ///< others wait for it
  bool started = false;
  bool hot_held = false;  ///< holds references in the activity log
  Local local = Local::None;
  bool disk_busy = false;  ///< the disk has not answered yet, even if it was given up
  Remote remote = Remote::None;
  Remote enough = Remote::Written;  ///< what the protocol waits for
  Remote told = Remote::Written;    ///< how far the peer tells by itself; the rest by its barrier ack
  bool may_set_in_sync = false;     ///< was sent during a resync: the peer acknowledges it under any protocol
  bool barrier_done = true;         ///< nothing of it is unflushed at the peer
  bool answered = false;            ///< completed to the application, with or without success, or begun anew
  bool good = false;                ///< answered with success
  bool ready = false;               ///< waits only for the permission to be answered
  std::uint32_t epoch = 0;
  Instant since{};  ///< submitted to the disk and the peer
};

/// Writes by serial number.
class WriteLog {
 public:
  using Serial = std::uint64_t;

  Serial add(const WriteEntry& entry) {
    entries_.push_back(entry);
    return first_ + entries_.size() - 1;
  }
  WriteEntry& at(Serial serial) { return entries_[serial - first_]; }
  [[nodiscard]] const WriteEntry& at(Serial serial) const { return entries_[serial - first_]; }
  WriteEntry* find(Serial serial) {
    return serial < first_ || serial - first_ >= entries_.size() ? nullptr : &at(serial);
  }
  [[nodiscard]] Serial begin() const { return first_; }
  [[nodiscard]] Serial end() const { return first_ + entries_.size(); }
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  /// Forgets the oldest that are over.
  void trim() {
    while (!entries_.empty() && is_over(entries_.front())) {
      entries_.pop_front();
      ++first_;
    }
  }

 private:
  static bool is_over(const WriteEntry& entry) {
    return entry.answered && !entry.disk_busy && entry.barrier_done && !entry.hot_held && !entry.in_order;
  }
  std::deque<WriteEntry> entries_;
  Serial first_ = 1;
};

}  // namespace bascule::replication::detail
