#pragma once

#include "wire/drbd_metadata/metadata.h"
#include "wire/drbd_metadata/steps.h"

namespace bascule::drbd_metadata {

/// What apply-al does: after a crash of a Primary every bit of a hot extent becomes out of sync, in every slot. Like
/// drbdmeta it does so also for clean metadata with PRIMARY_IND, should the ring hold transactions.
struct AppliedLog {
  bool needed = false;  ///< false: the metadata were clean already
  Metadata metadata;    ///< with AL_CLEAN, PRIMARY_IND kept
  std::uint64_t hot_extents = 0;
  std::uint64_t newly_set_bits = 0;  ///< over all slots
  std::uint64_t dropped_blocks = 0;  ///< damaged blocks of the log
  Steps steps;                       ///< changed bitmap blocks; superblock; a fresh ring; a flush behind each
};

/// `ring` and `area` are the whole activity log and bitmap as on disk. Errors: a log without one valid block on a node
/// that was Primary (then nobody knows what is hot: invalidate, or make the metadata anew).
Result<AppliedLog> apply_activity_log(const Metadata& metadata, const Layout& layout, ByteView ring, ByteView area);

}  // namespace bascule::drbd_metadata
