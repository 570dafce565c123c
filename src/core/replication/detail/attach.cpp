#include "core/replication/detail/attach.h"

#include <algorithm>

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
  const bool known = core_.superblock.effective_sectors != 0 && found.effective_sectors != 0;
  if (known && core_.primary() && found.effective_sectors < core_.superblock.effective_sectors)
    return "the disk is smaller than the device in use";
  const auto data_end =
      static_cast<std::int64_t>(((attach.backing_bytes / 512) & ~std::uint64_t{7})) - 8 + found.bitmap_offset_sectors;
  if (data_end < static_cast<std::int64_t>(found.effective_sectors)) return "the disk is smaller than its metadata say";
  return "";
}

void Attach::attach(const input::Attach& attach) {
  core_.config.backing_bytes = attach.backing_bytes;
  core_.superblock = attach.restored.superblock;
  metadata_.set_size(core_.superblock.effective_sectors);
  core_.bitmap.clear_all();
  core_.become(DiskState::Attaching, "the operator attaches it");
  phase_ = Phase::Begin;
  begin(attach.restored);
}

void Attach::begin(const Restored& restored) {
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

void Attach::advance() {
  if (phase_ == Phase::Done || core_.disk == DiskState::Failed) return;
  if (phase_ == Phase::Begin) {
    keep_agreed_size();
    metadata_.all_bits_changed();
    metadata_.write_all_bits();
    phase_ = Phase::Bits;
  }
  if (phase_ == Phase::Bits && metadata_.all_bits_durable()) {
    core_.become(state_, "attached");
    // Also the hint in the UUID: nobody is Primary now.
    if (!core_.just_created()) core_.superblock.current_uuid &= ~drbd::kUuidPrimaryBit;
    activity_log_.note_use();
    metadata_.superblock_changed();
    phase_ = Phase::Superblock;
  }
  if (phase_ == Phase::Superblock && metadata_.superblock_durable()) {
    activity_log_.reset();
    phase_ = Phase::Ring;
  }
  if (phase_ == Phase::Ring && activity_log_.ready()) {
    phase_ = Phase::Done;
    core_.event("attached",
                core_.crashed_primary ? "this node was Primary when it stopped" : "the disk was left clean");
  }
}

}  // namespace bascule::replication::detail
