#pragma once

#include <cstdint>
#include <deque>

#include "core/replication/detail/core.h"

namespace bascule::replication::detail {

/// The epochs of what the peer sends, of any size. A barrier is answered when all writes before it have been answered
/// and, with write ordering by flush, the disk is flushed; one flush answers all barriers that wait for one.
class PeerEpochs {
 public:
  explicit PeerEpochs(Core& core) : core_(core) { session_lost(); }

  /// A write of the peer has come, and belongs to the epoch returned.
  std::uint32_t join();
  /// It was answered: it is on the disk, or it was refused.
  void finish(std::uint32_t number, bool written);
  /// It was refused: the kernel's DRBD does not expect it to be counted, and no answer at all for an epoch of such.
  void withdraw(std::uint32_t number);
  /// False: more barriers than anybody sends without an answer.
  bool barrier(const drbd::Barrier& barrier);
  void flush_done(int error_number);
  void session_lost();
  void advance();
  [[nodiscard]] bool flushing() const { return flushing_ != 0; }
  /// Are there writes of the peer, made or being made, whose barrier is not answered yet?
  [[nodiscard]] bool unflushed() const;

 private:
  struct Epoch {
    std::uint32_t number = 0;   ///< ours, counts barriers
    std::uint32_t barrier = 0;  ///< the peer's handle
    std::uint32_t writes = 0;
    std::uint32_t unfinished = 0;
    std::uint32_t written = 0;
    bool withdrawn = false;  ///< some of its writes were
    bool closed = false;
  };
  [[nodiscard]] bool orders_by_flush() const;
  void acknowledge(std::size_t count);

  Core& core_;
  std::deque<Epoch> epochs_;  ///< the last one is open
  std::uint32_t next_ = 0;
  std::size_t flushing_ = 0;  ///< epochs that the flush in flight covers
  std::uint32_t flush_session_ = 0;
};

}  // namespace bascule::replication::detail
