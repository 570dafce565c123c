#include "core/replication/detail/disk/attach.h"

#include <algorithm>

#include "core/replication/detail/data/disk_errors.h"
#include "core/replication/detail/disk/generation.h"
#include "wire/drbd_metadata/metadata.h"

namespace bascule::replication::detail {

namespace flag = drbd_metadata::flag;

Attach::Attach(Core& core, Metadata& metadata, ActivityLog& activity_log, const std::optional<Restored>& restored)
    : core_(core), metadata_(metadata), activity_log_(activity_log) {
  if (restored) {
    begin(*restored);
  } else {
    core_.disk = DiskState::Diskless;
    phase_ = Phase::Done;
  }
}

std::string Attach::refusal(const input::Attach& attach) const {
  const drbd_metadata::Superblock& found = attach.restored.superblock;
  const std::uint64_t in_use = core_.superblock.effective_sectors;
  Config config = core_.config;
  config.backing_bytes = attach.backing_bytes;
  config.metadata_bytes = attach.metadata_bytes;
  const std::uint64_t room = capacity_of(config, found);
  if (room < found.effective_sectors) return "the disk is smaller than its metadata say";
  const bool connected = is_connected(core_.connection);
  if ((connected || core_.primary()) && room < in_use) return "the disk is smaller than the device in use";
  // With a peer that has the data a resync brings them; alone a Primary would show its applications older ones.
  if (core_.primary() && !connected && (core_.wrote_without_disk || !core_.was_exposed(found.current_uuid)))
    return "this Primary's applications have worked with other data than this disk has";
  return "";
}

void Attach::attach(const input::Attach& attach) {
  const std::uint64_t in_use = core_.superblock.effective_sectors;
  core_.config.backing_bytes = attach.backing_bytes;
  core_.config.metadata_bytes = attach.metadata_bytes;
  core_.superblock = attach.restored.superblock;
  metadata_.take_disk();
  core_.wrote_for_primary = false;
  was_connected_ = is_connected(core_.connection);
  core_.become(DiskState::Attaching, "the operator attaches it");
  phase_ = Phase::Begin;
  begin(attach.restored);
  // The device has grown while this disk was away.
  const bool counts = was_connected_ || core_.primary();
  if (counts && in_use > core_.superblock.effective_sectors) metadata_.resize(in_use, true);
}

void Attach::begin(const Restored& restored) {
  core_.superblock_held = true;
  state_ = initial_state();
  load_bitmap(restored.bitmap);
  core_.crashed_primary = (core_.superblock.flags & flag::kCrashedPrimary) != 0;
  if ((core_.superblock.flags & flag::kPrimaryIndicator) != 0) apply_activity_log(restored.activity_log);
  if ((core_.superblock.flags & flag::kFullSync) != 0) core_.bitmap.set_all();
  core_.superblock.flags &= ~flag::kFullSync;
}

DiskState Attach::initial_state() const {
  const std::uint32_t flags = core_.superblock.flags;
  if (core_.just_created() || (flags & flag::kConsistent) == 0) return DiskState::Inconsistent;
  const bool up_to_date = (flags & flag::kWasUpToDate) != 0;
  if (!up_to_date) return DiskState::Outdated;
  // Unless the peer is known to have less, it may have gone on without us.
  const bool alone_counts =
      core_.config.options.disk.fencing == drbd_config::Fencing::dont_care || (flags & flag::kPeerOutdated) != 0;
  if (core_.operator_rules()) return alone_counts ? DiskState::UpToDate : DiskState::Consistent;
  // Whether an UpToDate replica may be promoted is for the in-sync set to say, not for what the disk remembers.
  return DiskState::UpToDate;
}

void Attach::load_bitmap(const Bytes& bitmap) {
  const std::size_t needed = (core_.bitmap.size() + 63) / 64 * 8;
  if (bitmap.size() < needed) return core_.bitmap.set_all();
  if (!drbd_metadata::decode_bitmap(ByteView(bitmap).first(needed), core_.bitmap)) core_.bitmap.set_all();
}

void Attach::apply_activity_log(const Bytes& ring) {
  core_.crashed_primary = true;
  const auto replayed = drbd_metadata::replay(ring, core_.superblock.shape());
  const bool usable = replayed && (core_.superblock.flags & flag::kActivityLogDisabled) == 0;
  if (usable)
    drbd_metadata::mark_out_of_sync(core_.bitmap, replayed->extents);
  else
    core_.bitmap.set_all();
}

/// A configured size that a resize has overtaken does not make the device smaller.
void Attach::keep_agreed_size() {
  const std::uint64_t limit = core_.size_limit_sectors();
  const std::uint64_t agreed = core_.superblock.effective_sectors;
  if (limit == 0 || limit >= agreed) return;
  core_.set_size_limit_sectors(agreed);
  core_.event("size-limit", "the configured size of " + std::to_string(limit * 512) +
                                " bytes is less than the device has; it keeps its " + std::to_string(agreed * 512));
}

/// Metadata that say so come before anything else: a crash from here on finds every bit.
void Attach::publish() {
  core_.superblock_held = false;
  // Also the hint in the UUID: who is Primary now.
  mark_primary_bit(core_, core_.primary());
  activity_log_.note_use();
  metadata_.superblock_changed();
  phase_ = Phase::Superblock;
}

void Attach::advance() {
  if (phase_ == Phase::Done) return;
  if (core_.disk == DiskState::Failed || core_.disk == DiskState::Diskless) {
    core_.superblock_held = false;
    phase_ = Phase::Done;
    return;
  }
  if (phase_ == Phase::Begin) {
    keep_agreed_size();
    metadata_.all_bits_changed();
    metadata_.write_all_bits();
    phase_ = Phase::Bits;
  }
  if (phase_ == Phase::Bits && metadata_.all_bits_durable()) publish();
  if (phase_ == Phase::Superblock && metadata_.superblock_durable()) phase_ = Phase::Extents;
  // Writes that began with the disk before this one hold extents until the peer has flushed them.
  if (phase_ == Phase::Extents && activity_log_.unused()) {
    activity_log_.reset();
    phase_ = Phase::Ring;
  }
  if (phase_ == Phase::Ring && activity_log_.ready()) settle();
}

void Attach::settle() {
  phase_ = Phase::Done;
  core_.event("attached", core_.crashed_primary ? "this node was Primary when it stopped" : "the disk was left clean");
  core_.remembered_disk = state_;
  if (!is_connected(core_.connection)) return settle_alone();
  core_.become(DiskState::Negotiating, "the peer's generations decide what it is worth");
}

/// Nobody decides about the disk: it is what its metadata say, unless this node knows that others have written since.
void Attach::settle_alone() {
  const bool known = core_.was_exposed(core_.superblock.current_uuid) && !core_.wrote_without_disk;
  if (!known && core_.primary())
    return give_up_disk(core_, "the peer is lost, and this disk has not the data that applications have worked with");
  const bool behind = !known && (!core_.operator_rules() || was_connected_);
  core_.become(behind ? std::min(state_, DiskState::Outdated) : state_,
               behind ? "attached; the peer had other data" : "attached");
  if (behind) metadata_.superblock_changed();
}

void Attach::session_lost() {
  if (core_.disk == DiskState::Negotiating) settle_alone();
}

}  // namespace bascule::replication::detail
