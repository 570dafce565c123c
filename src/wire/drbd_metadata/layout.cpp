#include "wire/drbd_metadata/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace bascule::drbd_metadata {
namespace {

constexpr std::uint64_t kMaxCapacityBytes = 1ULL << 50;
constexpr std::uint64_t kMinRingBlocks = 8;
constexpr std::uint64_t kMaxRingBlocks = (16ULL << 30) / kBlockBytes;

tl::unexpected<Error> no_room(Placement placement, std::string why, std::string hint = {}) {
  return fail("DRBD metadata cannot be placed", placement.text(), std::move(why), std::move(hint));
}

Result<void> check_shape(Placement placement, const MetadataShape& shape) {
  const ActivityLogShape ring = shape.activity_log;
  if (ring.blocks() < kMinRingBlocks || ring.blocks() > kMaxRingBlocks)
    return no_room(placement, fmt::format("an activity log of {} x {} blocks is not within 32 KiB..16 GiB",
                                          ring.stripes, ring.stripe_blocks));
  if (shape.slots < 1 || shape.slots > kMaxPeerSlots)
    return no_room(placement, fmt::format("{} bitmap slots are not within 1..{}", shape.slots, kMaxPeerSlots));
  if (placement.kind != Placement::Kind::Indexed) return {};
  if (placement.index > kMaxIndex)
    return no_room(placement, fmt::format("index {} is over {}", placement.index, kMaxIndex));
  return {};
}

/// Superblock, ring and bitmap from `start` on; `end` is the end of the room.
Layout external_at(std::uint64_t start, std::uint64_t end, const MetadataShape& shape) {
  Layout found;
  const std::uint64_t ring_bytes = shape.activity_log.blocks() * kBlockBytes;
  found.superblock_offset = start;
  found.activity_log_offset = start + kBlockBytes;
  found.bitmap_offset = found.activity_log_offset + ring_bytes;
  found.bitmap_bytes = end > found.bitmap_offset ? (end - found.bitmap_offset) / kBlockBytes * kBlockBytes : 0;
  found.metadata_sectors = static_cast<std::uint32_t>((end - start) / kSectorBytes);
  found.activity_log_offset_sectors = static_cast<std::int32_t>(kSectorsPerBlock);
  found.bitmap_offset_sectors = static_cast<std::int32_t>((kBlockBytes + ring_bytes) / kSectorBytes);
  return found;
}

Result<Layout> external_layout(Placement placement, std::uint64_t data_bytes, std::uint64_t metadata_bytes,
                               const MetadataShape& shape) {
  const bool indexed = placement.kind == Placement::Kind::Indexed;
  const std::uint64_t start = indexed ? placement.index * kIndexedBytes : 0;
  const std::uint64_t end = indexed ? start + kIndexedBytes : metadata_bytes / kSectorBytes * kSectorBytes;
  Layout found = external_at(start, end, shape);
  // An indexed piece need not be there to its end: drbdmeta and the kernel count on 128 MiB all the same.
  const std::uint64_t there = std::min(end, metadata_bytes / kBlockBytes * kBlockBytes);
  if (there < found.bitmap_offset + kBlockBytes)
    return no_room(placement,
                   fmt::format("the metadata device has {} bytes, {} are needed", metadata_bytes,
                               found.bitmap_offset + kBlockBytes),
                   "use a larger device, or another index");
  found.bitmap_bytes = there - found.bitmap_offset;
  const std::uint64_t slot_bits = found.bitmap_bytes / shape.slots / 8 * 64;
  const std::uint64_t covered = slot_bits * kSectorsPerBlock;
  found.usable_sectors = std::min({covered, data_bytes / kSectorBytes, kMaxCapacityBytes / kSectorBytes});
  return found;
}

Result<Layout> internal_layout_of(std::uint64_t capacity_bytes, const MetadataShape& shape) {
  const Placement placement = Placement::internal();
  if (capacity_bytes > kMaxCapacityBytes)
    return no_room(placement, fmt::format("{} bytes is over 1 PiB", capacity_bytes));
  const std::uint64_t sectors = capacity_bytes / kSectorBytes;
  const std::uint64_t bitmap_bytes = bitmap_bytes_for(sectors, shape.slots);
  const std::uint64_t ring_bytes = shape.activity_log.blocks() * kBlockBytes;
  const std::uint64_t end = sectors / kSectorsPerBlock * kBlockBytes;
  const std::uint64_t metadata_bytes = bitmap_bytes + ring_bytes + kBlockBytes;
  if (end < metadata_bytes + kBlockBytes)
    return no_room(placement,
                   fmt::format("the device has {} bytes, metadata alone needs {}", capacity_bytes, metadata_bytes),
                   "use a larger device");
  Layout found;
  found.superblock_offset = end - kBlockBytes;
  found.activity_log_offset = found.superblock_offset - ring_bytes;
  found.bitmap_offset = found.activity_log_offset - bitmap_bytes;
  found.bitmap_bytes = bitmap_bytes;
  found.metadata_sectors = static_cast<std::uint32_t>(metadata_bytes / kSectorBytes);
  found.activity_log_offset_sectors = -static_cast<std::int32_t>(ring_bytes / kSectorBytes);
  found.bitmap_offset_sectors = -static_cast<std::int32_t>((ring_bytes + bitmap_bytes) / kSectorBytes);
  found.usable_sectors = found.bitmap_offset / kSectorBytes;
  return found;
}

}  // namespace

Result<Placement> Placement::parse(std::string_view word) {
  if (word == "internal") return internal();
  if (word == "flex-external") return flexible();
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error == std::errc{} && end == word.data() + word.size() && number <= kMaxIndex) return indexed(number);
  return fail("there is no such placement of metadata", std::string(word), "",
              fmt::format("use internal, flex-external or an index of 0..{}", kMaxIndex));
}

std::string Placement::text() const {
  switch (kind) {
    case Kind::Internal:
      return "internal";
    case Kind::Flexible:
      return "flex-external";
    case Kind::Indexed:
      break;
  }
  return fmt::format("{}", index);
}

Result<std::uint64_t> superblock_offset(Placement placement, std::uint64_t metadata_bytes) {
  const std::uint64_t end = metadata_bytes / kBlockBytes * kBlockBytes;
  std::uint64_t offset = 0;
  if (placement.kind == Placement::Kind::Internal) offset = end < kBlockBytes ? end : end - kBlockBytes;
  if (placement.kind == Placement::Kind::Indexed) offset = placement.index * kIndexedBytes;
  if (offset + kBlockBytes > end)
    return no_room(placement,
                   fmt::format("a superblock is expected at byte {}, the device has {} bytes", offset, metadata_bytes));
  return offset;
}

Result<Layout> layout(Placement placement, std::uint64_t data_bytes, std::uint64_t metadata_bytes,
                      const MetadataShape& shape) {
  if (auto checked = check_shape(placement, shape); !checked) return tl::unexpected(checked.error());
  if (placement.kind == Placement::Kind::Internal) return internal_layout_of(metadata_bytes, shape);
  return external_layout(placement, data_bytes, metadata_bytes, shape);
}

Result<Layout> internal_layout(std::uint64_t capacity_bytes, ActivityLogShape shape) {
  return layout(Placement::internal(), capacity_bytes, capacity_bytes, {.activity_log = shape});
}

}  // namespace bascule::drbd_metadata
