#pragma once

#include "core/replication/engine.h"
#include "wire/drbd_metadata/metadata.h"

namespace bascule::replication::testing {

/// Puts the metadata of a replica on a device of their own, which has so many bytes.
inline drbd_metadata::Layout move_out(Config& config, Restored& restored, drbd_metadata::Placement placement,
                                      std::uint64_t metadata_bytes) {
  config.placement = placement;
  config.metadata_bytes = metadata_bytes;
  const auto layout = drbd_metadata::layout(placement, config.backing_bytes, metadata_bytes).value();
  auto metadata = drbd_metadata::from_superblock(restored.superblock);
  drbd_metadata::place(metadata, layout);
  restored.superblock = drbd_metadata::to_superblock(metadata);
  restored.bitmap.assign(layout.bitmap_bytes, 0);
  return layout;
}

}  // namespace bascule::replication::testing
