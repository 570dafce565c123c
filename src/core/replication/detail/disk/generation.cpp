#include "core/replication/detail/disk/generation.h"

namespace bascule::replication::detail {
namespace {

namespace flag = drbd_metadata::flag;

std::uint64_t random_uuid(Core& core) {
  std::uint64_t uuid = 0;
  while (uuid <= drbd::kUuidJustCreated) uuid = core.prng.next() & ~drbd::kUuidPrimaryBit;
  return uuid;
}

void push_history(drbd_metadata::Superblock& superblock, std::uint64_t uuid) {
  superblock.history_uuids[1] = superblock.history_uuids[0];
  superblock.history_uuids[0] = uuid;
}

void put(std::uint32_t& flags, std::uint32_t bit, bool on) { flags = on ? flags | bit : flags & ~bit; }

}  // namespace

void refresh_flags(Core& core) {
  std::uint32_t& flags = core.superblock.flags;
  // WFBitMapT clamps UpToDate to Outdated in memory only: nothing on this disk has been replaced yet.
  const bool undecided = core.connection == ConnectionState::StartingSyncT ||
                         core.connection == ConnectionState::WFBitMapT ||
                         core.connection == ConnectionState::WFSyncUUID;
  if (core.disk_usable() && !undecided) {
    put(flags, flag::kConsistent, core.disk > DiskState::Inconsistent);
    put(flags, flag::kWasUpToDate, core.disk > DiskState::Outdated);
  }
  put(flags, flag::kPrimaryIndicator, core.primary() || core.wrote_for_primary);
  put(flags, flag::kConnectedIndicator, core.connection > ConnectionState::WFReportParams);
  put(flags, flag::kPeerOutdated, core.peer.disk == DiskState::Inconsistent || core.peer.disk == DiskState::Outdated);
  put(flags, flag::kCrashedPrimary, core.crashed_primary);
  put(flags, flag::kActivityLogClean, false);
  core.superblock.unclean = true;
}

void mark_primary_bit(Core& core, bool primary) {
  if (core.just_created()) return;
  std::uint64_t& current = core.superblock.current_uuid;
  current = primary ? current | drbd::kUuidPrimaryBit : current & ~drbd::kUuidPrimaryBit;
}

void new_generation(Core& core) {
  core.superblock.bitmap_uuid = core.superblock.current_uuid;
  core.superblock.current_uuid = random_uuid(core);
  mark_primary_bit(core, core.primary());
  core.event("generation-made", "a new generation begins: this node may now differ from its peer");
}

bool new_generation_due(const Core& core) {
  const bool alone = !is_connected(core.connection) || core.peer.disk < DiskState::Inconsistent;
  if (!alone || core.disk != DiskState::UpToDate || core.superblock.bitmap_uuid != 0 || core.just_created())
    return false;
  if (!core.operator_rules()) return core.primary() && !core.in_sync.peer_counts();
  const bool peer_writes = is_connected(core.connection) && core.peer.role == Role::Primary;
  return (core.primary() || peer_writes) && !core.suspended();
}

void begin_resync_as_source(Core& core) {
  const std::uint64_t old = core.superblock.bitmap_uuid;
  const bool names_data = old != 0 && old != drbd::kUuidJustCreated;
  if (old != 0) push_history(core.superblock, old);  // also "just created", as the kernel does
  core.superblock.bitmap_uuid = names_data ? old + drbd::kUuidNewBitmapOffset : random_uuid(core);
}

void end_resync_as_source(Core& core) {
  if (core.superblock.bitmap_uuid == 0) return;
  push_history(core.superblock, core.superblock.bitmap_uuid);
  core.superblock.bitmap_uuid = 0;
}

void begin_resync_as_target(Core& core, std::uint64_t sync_uuid) {
  core.superblock.current_uuid = sync_uuid & ~drbd::kUuidPrimaryBit;
  core.superblock.bitmap_uuid = 0;
}

void end_resync_as_target(Core& core) {
  const std::uint64_t interim = core.superblock.current_uuid;
  const std::uint64_t source_bitmap = core.peer.uuids.bitmap;
  core.superblock.history_uuids = {interim, source_bitmap != 0 ? source_bitmap : core.peer.uuids.history[0]};
  core.superblock.bitmap_uuid = 0;
  core.superblock.current_uuid = core.peer.uuids.current & ~drbd::kUuidPrimaryBit;
}

void peer_has_the_same(Core& core) { core.peer.uuids = uuid_set_of(core.superblock); }

drbd::UuidSet uuid_set_of(const drbd_metadata::Superblock& superblock) {
  return {superblock.current_uuid, superblock.bitmap_uuid, superblock.history_uuids};
}

void adopt(drbd_metadata::Superblock& superblock, const drbd::UuidSet& set) {
  superblock.current_uuid = set.current;
  superblock.bitmap_uuid = set.bitmap;
  superblock.history_uuids = set.history;
}

}  // namespace bascule::replication::detail
