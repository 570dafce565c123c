#pragma once

#include <cstdint>
#include <map>

#include "core/replication/detail/disk/metadata.h"

namespace bascule::replication::detail {

/// The application's reads: from the local disk, or from the peer when the local one cannot, failed, or read-balancing
/// says so. A read that one side cannot answer is tried once at the other.
class Reads {
 public:
  Reads(Core& core, Metadata& metadata) : core_(core), metadata_(metadata) {}

  void read(const input::Read& read);
  void local_done(OperationId operation, int error_number);
  /// False: it answers nothing that was asked.
  bool replied(const drbd::DataReply& reply, BufferId buffer);
  bool refused(const drbd::BlockAck& ack);
  void session_lost();
  /// All but those that the local disk will answer: their buffers are in its hands.
  void fail_waiting(int error_number);
  void advance();
  [[nodiscard]] std::size_t size() const { return reads_.size(); }
  [[nodiscard]] std::uint32_t local_pending() const { return local_pending_; }
  [[nodiscard]] std::uint32_t remote_pending() const { return remote_pending_; }

 private:
  using Number = std::uint64_t;
  enum class At : std::uint8_t { Nowhere, Local, Peer };
  struct Pending {
    RequestId request = 0;
    Range range;
    BufferId buffer = 0;
    At at = At::Nowhere;
    bool local_failed = false;
    bool peer_failed = false;
  };
  using Place = std::map<Number, Pending>::iterator;

  [[nodiscard]] bool may_read_local(const Pending& read) const;
  [[nodiscard]] bool may_read_remote(const Pending& read) const;
  bool prefers_peer(const Pending& read);
  void start(Place place);
  void finish(Place place, int error_number);
  void leave(Pending& read);

  Core& core_;
  Metadata& metadata_;
  std::map<Number, Pending> reads_;
  Number next_ = 1;
  std::uint32_t local_pending_ = 0;
  std::uint32_t remote_pending_ = 0;
  bool round_robin_ = false;
};

}  // namespace bascule::replication::detail
