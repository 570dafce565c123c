#include "wire/drbd_metadata/layout.h"

#include <fmt/format.h>

namespace bascule::drbd_metadata {
namespace {

constexpr std::uint64_t kMaxCapacityBytes = 1ULL << 50;
constexpr std::uint64_t kMinRingBlocks = 8;
constexpr std::uint64_t kMaxRingBlocks = (16ULL << 30) / kBlockBytes;

tl::unexpected<Error> no_room(std::string why, std::string hint = {}) {
  return fail("DRBD metadata cannot be placed", "internal metadata", std::move(why), std::move(hint));
}

}  // namespace

Result<Layout> internal_layout(std::uint64_t capacity_bytes, ActivityLogShape shape) {
  if (capacity_bytes > kMaxCapacityBytes) return no_room(fmt::format("{} bytes is over 1 PiB", capacity_bytes));
  if (shape.blocks() < kMinRingBlocks || shape.blocks() > kMaxRingBlocks)
    return no_room(fmt::format("an activity log of {} x {} blocks is not within 32 KiB..16 GiB", shape.stripes,
                               shape.stripe_blocks));
  const std::uint64_t sectors = capacity_bytes / kSectorBytes;
  const std::uint64_t bitmap_bytes = bitmap_bytes_for(sectors);
  const std::uint64_t ring_bytes = shape.blocks() * kBlockBytes;
  const std::uint64_t end = sectors / kSectorsPerBlock * kBlockBytes;
  const std::uint64_t metadata_bytes = bitmap_bytes + ring_bytes + kBlockBytes;
  if (end < metadata_bytes + kBlockBytes)
    return no_room(fmt::format("the device has {} bytes, metadata alone needs {}", capacity_bytes, metadata_bytes),
                   "use a larger device");
  Layout layout;
  layout.superblock_offset = end - kBlockBytes;
  layout.activity_log_offset = layout.superblock_offset - ring_bytes;
  layout.bitmap_offset = layout.activity_log_offset - bitmap_bytes;
  layout.bitmap_bytes = bitmap_bytes;
  layout.metadata_sectors = static_cast<std::uint32_t>(metadata_bytes / kSectorBytes);
  layout.activity_log_offset_sectors = -static_cast<std::int32_t>(ring_bytes / kSectorBytes);
  layout.bitmap_offset_sectors = -static_cast<std::int32_t>((ring_bytes + bitmap_bytes) / kSectorBytes);
  layout.usable_sectors = layout.bitmap_offset / kSectorBytes;
  return layout;
}

}  // namespace bascule::drbd_metadata
