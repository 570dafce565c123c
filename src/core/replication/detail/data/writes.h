#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "core/replication/detail/data/congestion.h"
#include "core/replication/detail/data/epochs.h"
#include "core/replication/detail/data/flushes.h"
#include "core/replication/detail/data/reads.h"
#include "core/replication/detail/data/write_entry.h"
#include "core/replication/detail/disk/activity_log.h"

namespace bascule::replication::detail {

/// What the application asks of a primary, protocols A, B and C.
///
///   Write -> (overlap, activity log) -> local disk + Data -> both as far as the protocol asks -> acknowledged when
///   allowed -> barrier
///
/// A write stays in the log until the peer has acknowledged its barrier, or until its bits are set. writes.cpp starts
/// them, write_answers.cpp ends them.
class Writes {
 public:
  Writes(Core& core, Metadata& metadata, ActivityLog& activity_log);

  void write(const input::Write& write);
  void read(const input::Read& read) { reads_.read(read); }
  void flush(const input::Flush& flush);

  void local_write_done(OperationId operation, int error_number);
  void local_read_done(OperationId operation, int error_number) { reads_.local_done(operation, error_number); }
  void local_flush_done(OperationId operation, int error_number) { flushes_.local_done(operation, error_number); }
  /// An ack for one of our writes or reads. False: it matches nothing, a protocol error.
  bool acknowledged(const drbd::BlockAck& ack);
  bool barrier_acknowledged(const drbd::BarrierAck& ack);
  bool read_replied(const drbd::DataReply& reply, BufferId buffer);
  void session_began();
  void session_lost();

  /// Everything not acknowledged yet fails; what is in flight locally ends by itself.
  void fail_all(int error_number);
  /// The disk is Failed: with Authority::Cluster everything fails, else the peer may have it.
  void disk_failed(int error_number);
  /// The local disk is given up: its writes count as failed now, whatever it says later.
  void give_up_local();
  /// The activity log changed, the generation is durable, the set shrank, the lease is back, ...: look again.
  void advance();
  void close_epoch() { epochs_.close(); }

  /// A started write that is not on the local disk yet overlaps the range.
  [[nodiscard]] bool local_write_overlaps(const Range& range) const;
  /// Started writes that overlap the range and are not everywhere yet.
  [[nodiscard]] std::vector<const WriteEntry*> under_way_in(const Range& range) const;
  /// Greater than the serial of all writes until now.
  [[nodiscard]] WriteLog::Serial next_serial() const { return log_.end(); }
  /// The peer has still to answer one of those before that serial which overlap the range.
  [[nodiscard]] bool peer_lacks_before(WriteLog::Serial serial, const Range& range) const;
  [[nodiscard]] bool idle() const { return open_ == 0 && anew_.empty() && flushes_.empty(); }
  /// Nothing that has begun is still to end; what waits while I/O is suspended does not count.
  [[nodiscard]] bool quiet() const { return open_ == waiting_.size() && flushes_.quiet(); }
  [[nodiscard]] bool local_idle() const { return local_in_flight_ == 0; }
  /// Nothing is on its way to the peer, and it has flushed everything.
  [[nodiscard]] bool peer_idle() const { return epochs_.empty(); }
  [[nodiscard]] std::uint32_t held() const { return held_; }
  [[nodiscard]] bool congested() const { return congestion_.congested(); }
  void count(Statistics& statistics) const;
  [[nodiscard]] Instant deadline() const;
  void tick();

 private:
  using Serial = WriteLog::Serial;
  using Entry = WriteEntry;
  struct Split {
    RequestId request = 0;
    std::uint32_t left = 0;
    int error_number = 0;
  };

  // -- writes.cpp
  [[nodiscard]] std::uint64_t piece_bytes(WriteKind kind) const;
  void accept(Entry entry);
  bool may_start(Serial serial);
  void try_start(Serial serial);
  void start(Serial serial);
  void submit_local(Serial serial);
  void send(Serial serial);
  void send_zeroes(Serial serial, std::uint32_t flags);
  [[nodiscard]] bool fits_wire(const Entry& entry) const;
  void mark_lost(Entry& entry);
  bool stirred();
  void advance_waiting();
  void give_way();

  // -- write_answers.cpp
  void settle(Serial serial);
  void conclude(Serial serial);
  [[nodiscard]] bool nowhere(const Entry& entry) const;
  void give_up(Serial serial);
  void begin_anew(Serial serial);
  [[nodiscard]] bool may_answer(const Entry& entry) const;
  [[nodiscard]] bool resynced(const Range& range) const;
  void answer(Entry& entry, int error_number);
  void answer_request(const Entry& entry, int error_number);
  bool apply(Entry& entry, const drbd::BlockAck& ack);
  bool end_epochs(std::size_t count);
  bool flushed(Entry& entry);
  void rely_on_peer(Entry& entry);
  void drop_buffer(Entry& entry);
  void leave_order(Serial serial);
  void release_log(Entry& entry);
  void drop_waiting();
  void advance_ready();
  void note_held();
  template <typename Pending>
  [[nodiscard]] Instant oldest_since(std::deque<Serial>& queue, Pending pending);
  [[nodiscard]] static bool waits_for_disk(const Entry& entry) { return entry.local == Entry::Local::Pending; }
  void check_timeouts();

  Core& core_;
  Metadata& metadata_;
  ActivityLog& activity_log_;
  Epochs epochs_;
  Flushes flushes_;
  Reads reads_;
  Congestion congestion_;
  WriteLog log_;
  std::vector<Serial> waiting_;  ///< not started, in the order given
  std::vector<Serial> ready_;    ///< on every disk, not yet answered
  std::vector<Entry> anew_;      ///< requests that have to be made again
  std::map<std::uint64_t, Split> splits_;
  std::uint64_t next_split_ = 1;
  std::deque<Serial> sent_;       ///< in the order sent; what is answered is taken from the front
  std::deque<Serial> submitted_;  ///< to the local disk, the same
  Instant remote_deadline_ = never;
  Instant local_deadline_ = never;
  std::uint32_t open_ = 0;  ///< not answered
  std::uint32_t local_in_flight_ = 0;
  std::uint32_t remote_in_flight_ = 0;  ///< the protocol waits for the peer
  std::uint64_t in_flight_bytes_ = 0;   ///< sent, their barrier not acknowledged
  std::uint32_t held_ = 0;
  std::uint64_t seen_ = 0;  ///< the sum of the counters that tell that a write may go on
};

}  // namespace bascule::replication::detail
