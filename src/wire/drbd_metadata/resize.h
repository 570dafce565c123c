#pragma once

#include "wire/drbd_metadata/metadata.h"
#include "wire/drbd_metadata/steps.h"

namespace bascule::drbd_metadata {

/// Metadata that go to another place on their device: its size changes, or the activity log gets another shape.
struct Resize {
  Metadata metadata;  ///< as found, clean
  Layout from;        ///< where it was found
  Layout to;          ///< where it shall be, for the same number of slots
  ActivityLogShape activity_log{};
  Bytes ring{};  ///< what the log shall hold at the new place, because it is in use; empty: nothing, it is applied
};
struct ResizePlan {
  Metadata metadata;  ///< as it will be
  Steps steps;        ///< empty: nothing to do
};

/// An ordered plan that may be cut anywhere, also inside a step and with any of the writes since the last flush lost or
/// torn in sectors: valid metadata are then at the old place or at the new one (`locate` in the order of the README),
/// they can be attached, and they either hold the bitmap as it was or are marked FULL_SYNC and AL_DISABLED, as DRBD
/// marks an interrupted resize. `area` is the bitmap as on disk. Running a plan again, made from what was found,
/// completes it.
///
/// The last agreed size stays: it changes when both nodes have agreed (facts 9). Errors: the activity log is not
/// applied and no `ring` is given; the agreed data would not fit (shrink them first).
Result<ResizePlan> plan_resize(const Resize& resize, ByteView area);

/// The mark of an interrupted resize is set: everything is out of sync.
bool everything_out_of_sync(const Metadata& metadata);

}  // namespace bascule::drbd_metadata
