#include "core/replication/detail/machines.h"

namespace bascule::replication::detail {

Status status_of(const Parts& parts) {
  const Core& core = parts.core;
  Status status;
  status.role = core.serving || !core.primary() ? core.role : Role::Secondary;
  if (core.primary() && !core.serving && core.failing_io) status.role = Role::Primary;
  status.connection = core.connection;
  status.disk = core.disk;
  status.peer_role = core.peer.role;
  status.peer_disk = core.peer.disk;
  status.epoch = core.epoch;
  status.size_bytes = core.size_bytes();
  status.capacity_bytes = core.own_disk() >= DiskState::Inconsistent ? core.capacity_sectors() * 512 : 0;
  status.peer_capacity_bytes = core.session.open ? core.peer.capacity_sectors * 512 : 0;
  status.out_of_sync_bytes = core.bitmap.count() * drbd_metadata::kBlockBytes;
  status.resync_total_bytes = parts.resync.total_bytes();
  status.resync_done_bytes = parts.resync.done_bytes();
  status.resync_failed_bytes = parts.resync.failed_bytes();
  status.resync_equal_bytes = parts.resync.equal_bytes();
  status.resync_wanted_rate = parts.resync.wanted_rate();
  status.verify_total_bytes = parts.verify.total_bytes();
  status.verify_done_bytes = parts.verify.done_bytes();
  status.verify_found_bytes = parts.verify.found_bytes();
  status.resync_paused_user = core.resync_paused_user;
  status.resync_paused_peer = core.resync_paused_peer;
  status.resync_paused_dependency = core.resync_paused_dependency;
  status.writes_acknowledged = core.writes_acknowledged;
  status.writes_held = parts.writes.held();
  status.lease_valid = core.lease_valid();
  status.just_created = core.just_created();
  status.wants_shrink = parts.membership.wants_shrink();
  status.wants_grow = parts.membership.wants_grow();
  status.suspended_user = core.suspended_user;
  status.suspended_no_data = core.suspended_no_data;
  status.suspended_fencing = core.suspended_fencing;
  status.agreed_version = core.session.open ? core.session.agreed_version : 0;
  status.metadata_flags = core.superblock.flags;
  status.current_uuid = core.superblock.current_uuid;
  status.bitmap_uuid = core.superblock.bitmap_uuid;
  status.history_uuid_0 = core.superblock.history_uuids[0];
  status.history_uuid_1 = core.superblock.history_uuids[1];
  status.why = core.why;
  status.congested = parts.writes.congested();
  status.statistics = core.statistics;
  parts.writes.count(status.statistics);
  parts.peer_writes.count(status.statistics);
  status.statistics.lower_pending += static_cast<std::uint32_t>(parts.read_server.size());
  return status;
}

}  // namespace bascule::replication::detail
