#pragma once

#include <optional>

#include "core/replication/detail/session/handshake.h"
#include "core/replication/detail/session/verdict.h"
#include "wire/drbd/bitmap_code.h"

namespace bascule::replication::detail {

/// From the verdict to the running resync:
///   source: WFBitMapS: send bitmap, receive the peer's, write it and the new bitmap UUID -> SYNC_UUID -> SyncSource
///   target: WFBitMapT: receive, send ours -> WFSyncUUID: receive, write -> SyncTarget
/// After Behind the bits are known already: receive SYNC_UUID, write -> SyncTarget.
class BitmapExchange {
 public:
  BitmapExchange(Core& core, Metadata& metadata, Handshake& handshake);

  void begin(const Verdict& verdict);
  /// Both have agreed (StartingSyncS, StartingSyncT) to resync every block: no bitmaps are exchanged.
  void begin_full(bool as_source);
  /// This node has asked for one to itself: the peer's first packets on the data socket may overtake its answer.
  void expect_full_resync(bool expected) { expects_full_ = expected; }
  /// The same end without bitmaps, of two Connected nodes that have marked the same new area.
  void begin_on_new_area(bool source);
  /// False: the packet breaks the protocol.
  bool bitmap(const drbd::Packet& packet);
  bool sync_uuid(const drbd::SyncUuid& packet);
  bool out_of_sync(const drbd::OutOfSync& packet);
  void session_lost();
  void advance();
  void tick();
  [[nodiscard]] Instant deadline() const { return until_; }

 private:
  void advance_full();
  void send_bitmap();
  void bitmap_complete();

  Core& core_;
  Metadata& metadata_;
  Handshake& handshake_;
  std::optional<drbd::BitmapReceiver> receiver_;
  std::optional<DiskState> disk_before_;          ///< the target's disk, until its first block may change
  std::optional<std::uint64_t> durable_version_;  ///< waiting for this superblock (and all bits)
  std::optional<drbd::SyncUuid> early_uuid_;      ///< came before the target's bits were durable
  Instant until_ = never;
  bool expects_full_ = false;
};

}  // namespace bascule::replication::detail
