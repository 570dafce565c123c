#pragma once

#include <cstdint>
#include <string>

#include "wire/drbd/state.h"

namespace bascule::replication {

/// Counters since the engine was made, as `drbdsetup status --statistics` shows them.
struct Statistics {
  std::uint64_t read_bytes = 0;      ///< of the local disk, for applications
  std::uint64_t written_bytes = 0;   ///< to the local disk
  std::uint64_t sent_bytes = 0;      ///< data and resync payload to the peer
  std::uint64_t received_bytes = 0;  ///< data and resync payload from the peer
  std::uint64_t activity_log_writes = 0;
  std::uint64_t bitmap_writes = 0;
  std::uint32_t upper_pending = 0;    ///< requests of applications not answered yet
  std::uint32_t lower_pending = 0;    ///< requests to the local disk not done yet
  std::uint32_t pending = 0;          ///< requests to the peer without an answer
  std::uint32_t unacknowledged = 0;   ///< requests of the peer not answered yet
  std::uint64_t in_flight_bytes = 0;  ///< application writes on their way to the peer
};

/// What an operator sees.
struct Status {
  drbd::Role role{};
  drbd::ConnectionState connection{};
  drbd::DiskState disk{};
  drbd::Role peer_role{};
  drbd::DiskState peer_disk{};
  std::uint64_t epoch = 0;                ///< of the current promotion
  std::uint64_t size_bytes = 0;           ///< of the device; 0 until it is known
  std::uint64_t capacity_bytes = 0;       ///< what the own disk could hold; 0: it has none
  std::uint64_t peer_capacity_bytes = 0;  ///< and the peer's; 0: none, or not known
  std::uint64_t out_of_sync_bytes = 0;
  std::uint64_t resync_total_bytes = 0;  ///< of the running or the last resync, as it began
  std::uint64_t resync_done_bytes = 0;
  std::uint64_t verify_total_bytes = 0;  ///< of the running or the last verify
  std::uint64_t verify_done_bytes = 0;
  std::uint64_t verify_found_bytes = 0;  ///< out of sync, found by it
  std::uint64_t resync_failed_bytes = 0;
  std::uint64_t resync_equal_bytes = 0;  ///< of the running or the last resync: had equal checksums, and were not sent
  std::uint64_t resync_wanted_rate = 0;  ///< bytes per second that the controller wants now
  std::uint64_t writes_acknowledged = 0;
  std::uint32_t writes_held = 0;  ///< completed everywhere they can be, but not yet acknowledged
  bool lease_valid = false;
  bool just_created = false;  ///< this replica never held data (current UUID 4)
  bool wants_shrink = false;
  bool wants_grow = false;
  bool suspended_user = false, suspended_no_data = false, suspended_fencing = false;
  bool resync_paused_user = false, resync_paused_peer = false, resync_paused_dependency = false;
  bool congested = false;
  std::uint32_t agreed_version = 0;  ///< 0: not connected
  std::uint64_t current_uuid = 0, bitmap_uuid = 0, history_uuid_0 = 0, history_uuid_1 = 0;
  std::uint32_t metadata_flags = 0;  ///< of the superblock
  std::string why;                   ///< the reason of the last refusal or hold, in words
  Statistics statistics;
};

}  // namespace bascule::replication
