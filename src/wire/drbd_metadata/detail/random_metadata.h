#pragma once

#include <algorithm>
#include <array>

#include "base/prng.h"
#include "wire/drbd_metadata/metadata.h"

namespace bascule::drbd_metadata::detail {

/// One state a device may be in, for tests.
struct RandomMetadata {
  Placement placement;
  std::uint64_t device_bytes = 0;  ///< of the device that holds the metadata
  Layout layout;
  Metadata metadata;
  Bytes area;  ///< the bitmap as far as it is in use
};

/// 0 x 0, the last, is the default of v08 and wrong in v09.
inline ActivityLogShape random_ring(Prng& prng, Format format) {
  constexpr std::array<ActivityLogShape, 5> kShapes{{{1, 8}, {2, 8}, {4, 16}, {3, 5}, {0, 0}}};
  return kShapes[prng.below(kShapes.size() - (format == Format::V09 ? 1 : 0))];
}

inline std::uint64_t random_uuid(Prng& prng) { return prng.chance(1, 3) ? prng.below(5) : prng.next(); }

inline Bytes random_area(Prng& prng, std::uint64_t bytes) {
  Bytes area(bytes, 0);
  const std::uint64_t runs = area.empty() ? 0 : prng.below(12);
  for (std::uint64_t run = 0; run < runs; ++run) {
    const std::uint64_t first = prng.below(area.size());
    const std::uint64_t length = prng.below(std::min<std::uint64_t>(area.size() - first, 3000)) + 1;
    const bool noise = prng.chance(1, 2);
    for (std::uint64_t i = first; i < std::min<std::uint64_t>(first + length, area.size()); ++i)
      area[i] = noise ? static_cast<Byte>(prng.next()) : 0xff;
  }
  return area;
}

inline void randomise_peers(Prng& prng, Metadata& metadata) {
  metadata.node_id = static_cast<std::int32_t>(prng.below(33)) - 1;
  metadata.members = prng.next();
  std::int32_t slot = 0;
  for (PeerRecord& peer : metadata.peers) {
    if (!prng.chance(1, 6)) continue;
    peer.bitmap_uuid = random_uuid(prng);
    peer.bitmap_dagtag = prng.chance(1, 2) ? 0 : prng.next();
    peer.flags = prng.chance(1, 4) ? static_cast<std::uint32_t>(prng.next())
                                   : static_cast<std::uint32_t>(prng.below(32)) | peer_flag::kNodeExists;
    if (slot < static_cast<std::int32_t>(metadata.slots)) peer.bitmap_slot = slot++;
  }
  for (std::uint64_t& history : metadata.history_uuids)
    if (prng.chance(1, 4)) history = random_uuid(prng);
}

inline Metadata random_superblock(Prng& prng, const MetadataShape& shape, const Layout& layout, Format format) {
  Metadata metadata;
  metadata.format = format;
  metadata.slots = shape.slots;
  metadata.activity_log = shape.activity_log;
  place(metadata, layout);
  const std::uint64_t most = std::min<std::uint64_t>(layout.usable_sectors, 1ULL << 21);
  metadata.effective_sectors = prng.chance(1, 8) ? 0 : prng.below(most + 1);
  metadata.current_uuid = random_uuid(prng);
  metadata.device_uuid = random_uuid(prng);
  metadata.flags = static_cast<std::uint32_t>(prng.below(2048));
  metadata.activity_log_extents = static_cast<std::uint32_t>(prng.below(65535));
  metadata.peer_max_bio_bytes = prng.chance(1, 2) ? 0 : 1 << 20;
  if (format == Format::V09) {
    randomise_peers(prng, metadata);
    return metadata;
  }
  metadata.unclean = prng.chance(1, 2);
  metadata.peers[0].bitmap_uuid = random_uuid(prng);
  metadata.history_uuids[0] = random_uuid(prng);
  metadata.history_uuids[1] = random_uuid(prng);
  metadata.flags &= ~(flag::kConnectedIndicator | flag::kPeerOutdated | flag::kFullSync);
  metadata.peers[0].flags =
      static_cast<std::uint32_t>(prng.next()) & (peer_flag::kConnected | peer_flag::kOutdated | peer_flag::kFullSync);
  return metadata;
}

inline RandomMetadata random_metadata(Prng& prng) {
  RandomMetadata random;
  const Format format = prng.chance(1, 2) ? Format::V09 : Format::V08;
  MetadataShape shape{.activity_log = random_ring(prng, format), .slots = 1};
  if (format == Format::V09) shape.slots = static_cast<std::uint32_t>(prng.chance(1, 2) ? 1 : 1 + prng.below(31));
  random.placement = prng.chance(1, 2)   ? Placement::internal()
                     : prng.chance(1, 2) ? Placement::flexible()
                                         : Placement::indexed(static_cast<std::uint32_t>(prng.below(3)));
  const std::uint64_t start = random.placement.index * kIndexedBytes;
  random.device_bytes = start + (4ULL << 20) + prng.below(1 << prng.below(20)) * kSectorBytes;
  Metadata form;
  form.activity_log = shape.activity_log;
  form.slots = shape.slots;
  random.layout = layout(random.placement, kUnknownBytes, random.device_bytes, form.shape()).value();
  random.metadata = random_superblock(prng, shape, random.layout, format);
  random.area = random_area(prng, bitmap_bytes_for(random.metadata.effective_sectors, shape.slots));
  return random;
}

}  // namespace bascule::drbd_metadata::detail
