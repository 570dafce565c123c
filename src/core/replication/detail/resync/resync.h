#pragma once

#include <cstdint>
#include <optional>

#include "core/replication/detail/resync/resync_source.h"
#include "core/replication/detail/resync/resync_target.h"

namespace bascule::replication::detail {

/// The running resync: which side this node is, begin, pause and end, and the numbers that operators see.
///
///   SyncSource <-> PausedSyncS -> Connected      as long as Core::resync_paused() it is paused; what was
///   SyncTarget <-> PausedSyncT -> Connected      asked for before is still answered
///
/// As target nothing is asked for until the handler before-resync-target has ended, if there is one; when it ends with
/// an error the connection ends as by the operator (drbd.conf(5), handlers).
class Resync {
 public:
  Resync(Core& core, Metadata& metadata, Handshake& handshake, Writes& writes, PeerWrites& peer_writes);

  /// Packets of the data socket. Unset: not one of a resync; the buffer is still the caller's. False: it breaks the
  /// protocol.
  std::optional<bool> data_packet(const drbd::Packet& packet, BufferId buffer);
  /// Acks whose block is kSyncerBlockId, and the answers to resync requests. Unset: not one of a resync.
  std::optional<bool> block_ack(const drbd::BlockAck& ack);
  /// Owner::ResyncRead and Owner::ResyncChecksum.
  void disk_done(const input::DiskDone& done);
  /// False: it is not of the handler that this waits for.
  bool handler_done(const input::HandlerDone& done);
  void session_lost();
  void advance();
  [[nodiscard]] Instant deadline() const;

  [[nodiscard]] std::uint64_t total_bytes() const { return total_bytes_; }
  [[nodiscard]] std::uint64_t done_bytes() const;
  [[nodiscard]] std::uint64_t failed_bytes() const;
  /// One of the two is 0: this node is the source or the target.
  [[nodiscard]] std::uint64_t equal_bytes() const { return source_.equal_bytes() + target_.equal_bytes(); }
  [[nodiscard]] std::uint64_t wanted_rate() const { return target_.rate(); }

 private:
  void note_state();
  void begin();
  void pause_or_go_on();
  void check_source_end();
  void end_as_source();
  void run_before_resync_target();
  void target_ended(ResyncTarget::End end);
  void ended(ResyncTarget::End end);
  [[nodiscard]] std::string equal_text() const;
  void retry();

  Core& core_;
  Metadata& metadata_;
  ResyncSource source_;
  ResyncTarget target_;
  bool running_ = false;
  std::uint64_t awaited_handler_ = 0;  ///< number of the before-resync-target that runs; 0: none
  std::uint64_t next_handler_ = 1;
  std::uint64_t total_bytes_ = 0;
  std::uint64_t done_at_end_ = 0;
};

}  // namespace bascule::replication::detail
