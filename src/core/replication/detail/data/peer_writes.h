#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "core/replication/detail/data/conflicts.h"
#include "core/replication/detail/data/peer_epochs.h"

namespace bascule::replication::detail {

/// What the peer tells this disk to write: replicated writes, discards, zeroes, and resync data. Overlapping ones keep
/// their order; acks are those that each write asks for (protocols A, B, C), barrier acks are PeerEpochs'.
class PeerWrites {
 public:
  PeerWrites(Core& core, Metadata& metadata, ActivityLog& activity_log, Writes& writes);

  /// False: the packet breaks the protocol.
  bool data(const drbd::Data& data, BufferId buffer);
  bool trim(const drbd::Trim& trim);
  bool zeroes(const drbd::Zeroes& zeroes);
  /// Resync data; when it is durable it appears in take_resynced().
  void resync_data(const Range& range, BufferId buffer);
  /// The same for a range that reads as zeroes at the source.
  void resync_zeroes(const Range& range);
  bool barrier(const drbd::Barrier& barrier) { return epochs_.barrier(barrier); }

  void local_write_done(OperationId operation, int error_number);
  void flush_done(OperationId operation, int error_number);
  void session_lost();
  void advance();
  void tick();
  [[nodiscard]] Instant deadline() const;

  /// Nothing of any session is still on its way to the local disk.
  [[nodiscard]] bool unflushed() const { return epochs_.unflushed(); }
  [[nodiscard]] bool idle() const { return in_use_ == 0 && !epochs_.flushing() && !resync_flushing_; }
  /// Resync ranges that are durable now, to be acknowledged.
  std::vector<Range> take_resynced();
  void count(Statistics& statistics) const { statistics.unacknowledged += static_cast<std::uint32_t>(in_use_); }

 private:
  struct Slot {
    bool used = false;
    Range range;
    WriteKind kind = WriteKind::data;
    BufferId buffer = 0;
    drbd::BlockId block_id{};
    std::uint32_t session = 0;
    std::uint32_t epoch = 0;
    std::uint32_t sequence = 0;
    std::uint32_t flags = 0;  ///< drbd::data_flag
    bool resync = false;
    bool entered = false;    ///< among core_.peer_ranges
    bool admitted = false;   ///< no earlier write of the peer overlaps it
    bool only_here = false;  ///< came when the peer had no disk; marked out of sync
    bool logged = false;     ///< holds references in the activity log
    bool started = false;
    Instant since{};
    WriteLog::Serial own_until = 0;  ///< superseded by one of our writes before this
  };

  bool accept(Slot slot, std::uint64_t longest);
  std::size_t keep(Slot slot);
  void order(std::size_t index);
  void decide_parked();
  void refuse(std::size_t index, drbd::BlockAck::Kind kind);
  void supersede(std::size_t index, drbd::BlockAck::Kind kind);
  void withdraw_superseded();
  bool may_start(Slot& slot);
  bool may_start_as_only_copy(Slot& slot);
  void note_only_here(Slot& slot);
  void try_start(std::size_t index);
  void start(std::size_t index);
  void start_waiting();
  void answer(const Slot& slot, bool good);
  void forget(std::size_t index);
  void note_missing_at_peer(const Range& range);
  [[nodiscard]] bool is_current(const Slot& slot) const {
    return core_.session.open && slot.session == core_.session.number;
  }

  Core& core_;
  Metadata& metadata_;
  ActivityLog& activity_log_;
  Writes& writes_;
  Conflicts conflicts_;
  PeerEpochs epochs_;
  std::vector<Slot> slots_;
  std::vector<std::size_t> free_;
  std::size_t in_use_ = 0;
  std::deque<std::size_t> parked_;       ///< wait for what the peer sent before them, in the order they came
  std::vector<std::size_t> superseded_;  ///< or to be made again; our own writes of the range are still on their way
  std::vector<std::size_t> waiting_;     ///< entered and not started, in the order they came
  std::vector<Range> written_;           ///< resync data on the disk, not yet durable
  std::vector<Range> flushing_;          ///< covered by the flush in flight
  std::vector<Range> resynced_;
  bool resync_flushing_ = false;
  std::uint32_t resync_flush_session_ = 0;
};

}  // namespace bascule::replication::detail
