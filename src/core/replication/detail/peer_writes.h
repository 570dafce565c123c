#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "core/replication/detail/metadata.h"

namespace bascule::replication::detail {

/// What the peer tells this disk to write: replicated writes, and resync data. Overlapping writes keep their order;
/// acks follow the local write, barrier acks follow a flush. One flush answers all barriers that wait for one.
class PeerWrites {
 public:
  PeerWrites(Core& core, Metadata& metadata);

  /// False: the packet breaks the protocol.
  bool data(const drbd::Data& data, BufferId buffer);
  /// Resync data; when it is durable it appears in take_resynced().
  void resync_data(const Range& range, BufferId buffer);
  bool barrier(const drbd::Barrier& barrier);

  void local_write_done(OperationId operation, int error_number);
  void flush_done(OperationId operation, int error_number);
  void session_lost();
  void advance();

  /// Nothing of any session is still on its way to the local disk.
  [[nodiscard]] bool idle() const { return in_use_ == 0 && flushing_barriers_ == 0 && !resync_flushing_; }
  /// Resync ranges that are durable now, to be acknowledged.
  std::vector<Range> take_resynced();

 private:
  struct Slot {
    std::uint64_t order = 0;  ///< 0: free
    Range range;
    BufferId buffer = 0;
    drbd::BlockId block_id{};
    std::uint32_t session = 0;
    std::uint32_t epoch = 0;
    bool resync = false;
    bool durable = false;
    bool set_in_sync = false;
    bool started = false;
  };
  struct Epoch {
    std::uint32_t number = 0;   ///< ours, counts barriers of this session
    std::uint32_t barrier = 0;  ///< the peer's handle
    std::uint32_t writes = 0;
    std::uint32_t unfinished = 0;
    bool closed = false;
  };

  std::size_t take_slot();
  void submit(const Slot& slot);
  [[nodiscard]] bool blocked(const Slot& slot) const;
  void start(std::size_t index);
  void start_unblocked();
  void answer(const Slot& slot, bool good);
  void finish_in_epoch(std::uint32_t number);

  Core& core_;
  Metadata& metadata_;
  std::vector<Slot> slots_;
  std::vector<std::size_t> free_;
  std::size_t in_use_ = 0;
  std::size_t not_started_ = 0;
  std::uint64_t next_order_ = 1;
  std::deque<Epoch> epochs_;  ///< the last one is open
  std::uint32_t next_epoch_ = 0;
  std::size_t flushing_barriers_ = 0;  ///< epochs that the flush in flight covers
  std::uint32_t flush_session_ = 0;
  std::vector<Range> written_;   ///< resync data on the disk, not yet durable
  std::vector<Range> flushing_;  ///< covered by the flush in flight
  std::vector<Range> resynced_;
  bool resync_flushing_ = false;
  std::uint32_t resync_flush_session_ = 0;
};

}  // namespace bascule::replication::detail
