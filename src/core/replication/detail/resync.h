#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/replication/detail/handshake.h"
#include "core/replication/detail/peer_writes.h"
#include "core/replication/detail/writes.h"

namespace bascule::replication::detail {

/// The running resync, target driven. The target asks for ranges of set bits, writes what comes, flushes, and
/// acknowledges; both sides then clear the bits. A read on the source and an application write to the same blocks
/// exclude each other. When no bit is left the target takes the source's generation, durably, and says so.
class Resync {
 public:
  Resync(Core& core, Metadata& metadata, Handshake& handshake, Writes& writes, PeerWrites& peer_writes);

  // -- as source. False: the packet breaks the protocol.
  bool request(const drbd::ResyncRequest& request);
  void read_done(OperationId operation, int error_number);
  bool acknowledged(const drbd::BlockAck& ack);

  // -- as target
  bool reply(const drbd::ResyncReply& reply, BufferId buffer);
  bool negative_reply(const drbd::BlockAck& ack);

  /// A PING was answered: everything that the peer had been sent on the meta socket before has been seen by it.
  void ping_acknowledged();
  void session_lost();
  void advance();
  [[nodiscard]] Instant deadline() const;

  [[nodiscard]] std::uint64_t total_bytes() const { return total_bytes_; }
  [[nodiscard]] std::uint64_t done_bytes() const;

 private:
  struct Serving {
    Range range;
    BufferId buffer = 0;  ///< 0: waits for local writes
    std::uint32_t session = 0;
    bool used = false;
  };
  enum class Finish : std::uint8_t { No, Writing, Asking };

  void note_state();
  void advance_source();
  void start_reads();
  void finish_as_source();
  void advance_target();
  void ask();
  bool ask_next();
  void take_acknowledgements();
  void begin_finish();
  void finish_as_target();
  [[nodiscard]] bool within_rate(std::uint64_t bytes);

  Core& core_;
  Metadata& metadata_;
  Handshake& handshake_;
  Writes& writes_;
  PeerWrites& peer_writes_;

  std::vector<Serving> serving_;
  std::size_t reading_ = 0;

  std::vector<Range> asked_;   ///< requests without reply
  std::uint32_t writing_ = 0;  ///< replies not yet durable
  std::size_t next_bit_ = 0;
  std::uint32_t failed_ = 0;  ///< blocks that the source could not read
  Finish finish_ = Finish::No;
  std::uint64_t finish_version_ = 0;
  std::uint64_t rate_budget_ = 0;
  Instant rate_since_{};
  Instant rate_retry_ = never;

  ConnectionState seen_ = ConnectionState::Unconnected;
  std::uint64_t total_bytes_ = 0;
  std::uint64_t done_at_end_ = 0;
};

}  // namespace bascule::replication::detail
