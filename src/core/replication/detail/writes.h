#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "core/replication/detail/activity_log.h"

namespace bascule::replication::detail {

/// The application's writes, flushes and reads on a primary, protocol C.
///
///   Write -> (overlap, activity log) -> local disk + Data -> both done -> acknowledged when allowed -> barrier
///
/// A write stays in the log until the peer has acknowledged its barrier, or until its bits are set.
class Writes {
 public:
  Writes(Core& core, Metadata& metadata, ActivityLog& activity_log);

  void write(const input::Write& write);
  void read(const input::Read& read);
  void flush(const input::Flush& flush);

  void local_write_done(OperationId operation, int error_number);
  void local_read_done(OperationId operation, int error_number);
  void local_flush_done(OperationId operation, int error_number);
  /// An ack for one of our Data packets. False: it matches nothing, a protocol error.
  bool acknowledged(const drbd::BlockAck& ack);
  bool barrier_acknowledged(const drbd::BarrierAck& ack);
  void session_began();
  void session_lost();

  /// Everything not acknowledged yet fails; what is in flight locally ends by itself.
  void fail_all(int error_number);
  /// The activity log changed, the generation is durable, the set shrank, the lease is back, ...: look again.
  void advance();
  void close_epoch();

  /// A started write that is not on the local disk yet overlaps the range.
  [[nodiscard]] bool local_write_overlaps(const Range& range) const;
  [[nodiscard]] bool idle() const { return active_.empty() && ready_.empty() && flushes_.empty(); }
  [[nodiscard]] bool local_idle() const { return local_in_flight_ == 0; }
  /// Nothing is on its way to the peer, and it has flushed everything.
  [[nodiscard]] bool peer_idle() const { return epochs_.empty(); }
  [[nodiscard]] std::uint32_t held() const { return held_; }
  /// Something waits that only a smaller in-sync set, or a lease, can release.
  [[nodiscard]] Instant deadline() const;
  void tick();

 private:
  using Serial = std::uint64_t;
  struct Entry {
    RequestId request = 0;
    Range range;
    BufferId buffer = 0;
    bool fua = false;
    bool started = false;
    bool hot_held = false;  ///< holds references in the activity log
    bool local_done = false;
    bool sent = false;         ///< to the peer of the present session
    bool acked = false;        ///< the peer has it
    bool barrier_done = true;  ///< nothing of it is unflushed at the peer
    bool answered = false;     ///< completed to the application, with or without success
    bool failed = false;       ///< the local disk refused it
  };
  struct Active {  ///< not yet on every disk it is going to: others that overlap it wait
    Serial serial;
    Range range;
    Instant since;
  };
  struct Epoch {
    std::uint32_t number = 0;
    bool closed = false;
    std::vector<Serial> members;
    Instant close_at = never;
  };
  struct FlushWait {
    RequestId request = 0;
    std::uint64_t number = 0;
    bool local_done = false;
    int error_number = 0;
    bool needs_peer = false;             ///< something acknowledged may not be durable there yet
    std::optional<std::uint32_t> epoch;  ///< wait until this one is acknowledged
    std::uint32_t session = 0;
  };

  Entry& at(Serial serial) { return log_[serial - first_]; }
  Entry* find(Serial serial);
  void try_start(Serial serial);
  void start(Serial serial);
  void send(Serial serial);
  void settle(Serial serial);
  [[nodiscard]] bool blocked(Serial serial, const Range& range) const;
  [[nodiscard]] bool may_answer(const Entry& entry) const;
  [[nodiscard]] bool went_on_alone() const;
  [[nodiscard]] bool resynced(const Range& range) const;
  void answer(Entry& entry, int error_number);
  void leave_active(Serial serial);
  void release_log(Entry& entry);
  void trim();
  void mark_lost(Entry& entry);
  Epoch& open_epoch();
  void advance_waiting();
  void give_way();
  void advance_ready();
  void advance_flushes();
  [[nodiscard]] bool flush_done(const FlushWait& wait) const;

  Core& core_;
  Metadata& metadata_;
  ActivityLog& activity_log_;
  std::deque<Entry> log_;
  Serial first_ = 1;  ///< serial of log_.front()
  std::vector<Active> active_;
  std::vector<Serial> waiting_;  ///< not started, in the order given
  std::vector<Serial> ready_;    ///< on every disk, not yet answered
  std::deque<Epoch> epochs_;     ///< of this session, oldest first; only the last may be open
  std::vector<std::vector<Serial>> spare_members_;
  std::uint32_t next_epoch_ = 0;
  std::vector<FlushWait> flushes_;
  std::uint64_t next_flush_ = 1;
  struct ReadWait {
    RequestId request = 0;
    std::uint64_t number = 0;
  };
  std::vector<ReadWait> reads_;
  std::uint64_t next_read_ = 1;
  std::uint32_t local_in_flight_ = 0;
  std::uint32_t held_ = 0;
  std::uint64_t seen_activations_ = 0;
  bool look_again_ = false;
};

}  // namespace bascule::replication::detail
