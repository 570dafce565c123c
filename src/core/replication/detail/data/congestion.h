#pragma once

#include <optional>

#include "core/replication/detail/disk/activity_log.h"

namespace bascule::replication::detail {

/// on-congestion (protocol facts, section 11): when more is on its way to the peer than it shall be, the connection is
/// dropped, or this node pulls ahead and only marks what it writes:
///
///   Connected -> Ahead --(nothing in flight, 1 s)--> the new bitmap UUID durable -> SyncSource
///   the peer: Connected -> Behind --SYNC_UUID--> SyncTarget
class Congestion {
 public:
  Congestion(Core& core, Metadata& metadata, ActivityLog& activity_log)
      : core_(core), metadata_(metadata), activity_log_(activity_log) {}

  /// Before a write is sent. True: it is not to be sent any more.
  bool check(std::uint64_t in_flight_bytes);
  /// `nothing_in_flight`: the last barrier is acknowledged too.
  void advance(bool nothing_in_flight);
  void session_lost();
  [[nodiscard]] Instant deadline() const { return back_at_ ? *back_at_ : never; }
  [[nodiscard]] bool congested() const { return core_.connection == ConnectionState::Ahead; }

 private:
  void pull_ahead();
  void go_back();
  void follow_peer();

  Core& core_;
  Metadata& metadata_;
  ActivityLog& activity_log_;
  std::optional<Instant> back_at_;
  std::optional<std::uint64_t> version_;  ///< of the superblock that has the new bitmap UUID
};

}  // namespace bascule::replication::detail
