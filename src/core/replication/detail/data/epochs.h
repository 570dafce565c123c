#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "core/replication/detail/data/write_entry.h"

namespace bascule::replication::detail {

/// The epochs of what this node sends: writes between two barriers. The peer answers a barrier when it has flushed what
/// came before. An epoch is closed by a flush and when it has max-epoch-size writes; and, where the application's flush
/// does not wait for the peer, as the kernel closes it: before the first write that may depend on a completed one.
/// Where it does wait, a flush tells what depends on what, and an epoch may be 50 ms old.
///
/// Of two primaries the kernel's DRBD never acknowledges the barrier of an epoch of which it refused a write
/// (superseded, or to be made again): it goes on waiting for that write. Such an epoch is over when a later barrier is
/// acknowledged. If nothing is sent later, a read is: the peer takes what is on the data socket in order, so its answer
/// comes after the flush.
class Epochs {
 public:
  explicit Epochs(Core& core) : core_(core) {}

  void session_began();
  void session_lost();

  /// A write is about to be sent; returns the number of its epoch.
  std::uint32_t add(WriteLog::Serial serial);
  /// A write of this epoch was answered to the application.
  void answered(std::uint32_t number);
  void close();
  /// The peer did not make a write of this epoch.
  void refused(std::uint32_t number);
  /// How many of the oldest epochs are over with this ack. Nothing: it is not what was asked for.
  [[nodiscard]] std::optional<std::size_t> ended_by(const drbd::BarrierAck& ack) const;
  /// The same for the answer to a read. Nothing: it was not asked for here.
  std::optional<std::size_t> ended_by_read(drbd::BlockId answered);
  /// The writes of the oldest epoch, which is over.
  std::vector<WriteLog::Serial> take_oldest();

  [[nodiscard]] bool empty() const { return epochs_.empty(); }
  [[nodiscard]] std::uint32_t newest() const { return epochs_.back().number; }
  /// Its barrier was acknowledged.
  [[nodiscard]] bool is_over(std::uint32_t number) const {
    return epochs_.empty() || static_cast<std::int32_t>(epochs_.front().number - number) > 0;
  }
  /// With nothing more to send, an epoch that has to be closed is closed, and those with refused writes are asked for.
  void advance(bool nothing_under_way);
  /// True: the oldest barrier has been without an answer for too long.
  [[nodiscard]] bool overdue() const;
  [[nodiscard]] Instant deadline() const;
  void tick();

 private:
  struct Epoch {
    std::uint32_t number = 0;
    bool closed = false;
    bool must_close = false;    ///< one of its writes was answered
    std::uint32_t refused = 0;  ///< of its writes
    std::vector<WriteLog::Serial> members;
    Instant close_at = never;
    Instant closed_at{};
  };
  struct Probe {
    std::uint64_t block_id = 0;
    std::uint32_t newest = 0;  ///< the epochs up to this one are over with its answer
    Instant since{};
  };
  [[nodiscard]] bool open() const { return !epochs_.empty() && !epochs_.back().closed; }
  [[nodiscard]] Instant oldest_asked() const;
  void probe();

  Core& core_;
  std::deque<Epoch> epochs_;  ///< of this session, oldest first; only the last may be open
  std::vector<std::vector<WriteLog::Serial>> spare_;
  std::uint32_t next_ = 0;
  std::optional<Probe> probe_;
  std::optional<std::uint32_t> probed_;  ///< the newest one that ended with the answer to a read
  std::uint64_t next_probe_ = 1;
};

}  // namespace bascule::replication::detail
