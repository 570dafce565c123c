#include "wire/drbd_metadata/superblock.h"

#include <fmt/format.h>

#include <algorithm>

namespace bascule::drbd_metadata {
namespace {

constexpr std::uint32_t kMagicV06 = 0x83740269;
constexpr std::uint32_t kMagicV07 = 0x8374026a;
constexpr std::size_t kMagicOffset = 60;
constexpr std::size_t kUsedBytes = 96;

tl::unexpected<Error> wrong_field(const char* field, std::string why, std::string hint = {}) {
  return fail("DRBD v08 superblock is wrong", field, std::move(why), std::move(hint));
}

Result<void> check_magic(std::uint32_t magic) {
  switch (magic) {
    case kMagicV08:
    case kMagicV08Unclean:
      return {};
    case kMagicV09:
      return wrong_field("magic", "this is metadata of DRBD 9 (v09)", "convert it with drbdmeta, or create it anew");
    case kMagicV06:
    case kMagicV07:
      return wrong_field("magic", "this is metadata older than DRBD 8 (v06 or v07)", "convert it with drbdmeta");
    default:
      return wrong_field("magic", fmt::format("0x{:08x} instead of 0x{:08x}", magic, kMagicV08),
                         "there is no DRBD metadata here");
  }
}

Superblock read_fields(ByteView block) {
  ByteReader reader(block);
  Superblock superblock;
  superblock.effective_sectors = reader.big<std::uint64_t>();
  superblock.current_uuid = reader.big<std::uint64_t>();
  superblock.bitmap_uuid = reader.big<std::uint64_t>();
  for (std::uint64_t& history : superblock.history_uuids) history = reader.big<std::uint64_t>();
  superblock.device_uuid = reader.big<std::uint64_t>();
  superblock.reserved = reader.big<std::uint64_t>();
  superblock.flags = reader.big<std::uint32_t>();
  superblock.unclean = reader.big<std::uint32_t>() == kMagicV08Unclean;
  superblock.metadata_sectors = reader.big<std::uint32_t>();
  superblock.activity_log_offset_sectors = reader.big<std::int32_t>();
  superblock.activity_log_extents = reader.big<std::uint32_t>();
  superblock.bitmap_offset_sectors = reader.big<std::int32_t>();
  superblock.bytes_per_bit = reader.big<std::uint32_t>();
  superblock.peer_max_bio_bytes = reader.big<std::uint32_t>();
  superblock.activity_log.stripes = reader.big<std::uint32_t>();
  superblock.activity_log.stripe_blocks = reader.big<std::uint32_t>();
  return superblock;
}

Result<void> check_ring(const Superblock& superblock) {
  const ActivityLogShape disk = superblock.activity_log;
  if ((disk.stripes == 0) != (disk.stripe_blocks == 0))
    return wrong_field("al_stripes, al_stripe_size_4k", fmt::format("{} x {}", disk.stripes, disk.stripe_blocks));
  const std::uint64_t blocks = superblock.shape().blocks();
  if (blocks < 8 || blocks > (16ULL << 30) / kBlockBytes)
    return wrong_field("al_stripes, al_stripe_size_4k",
                       fmt::format("a ring of {} blocks is not within 32 KiB..16 GiB", blocks));
  return {};
}

Result<void> check_fields(const Superblock& superblock) {
  if (superblock.bytes_per_bit != kBlockBytes)
    return wrong_field("bm_bytes_per_bit", fmt::format("{} instead of {}", superblock.bytes_per_bit, kBlockBytes));
  if (auto ring = check_ring(superblock); !ring) return ring;
  if (superblock.metadata_sectors == 0) return wrong_field("md_size_sect", "0");
  if (superblock.activity_log_offset_sectors == 0 || superblock.activity_log_offset_sectors % 8 != 0)
    return wrong_field("al_offset", fmt::format("{}", superblock.activity_log_offset_sectors));
  if (superblock.bitmap_offset_sectors == 0 || superblock.bitmap_offset_sectors % 8 != 0)
    return wrong_field("bm_offset", fmt::format("{}", superblock.bitmap_offset_sectors));
  return {};
}

template <typename Number>
Result<void> check_equal(const char* field, Number found, Number expected) {
  if (found == expected) return {};
  return wrong_field(field, fmt::format("{}, but this device needs {}", found, expected),
                     "was the device resized, or the metadata copied from another device?");
}

}  // namespace

ActivityLogShape Superblock::shape() const {
  if (activity_log.stripes == 0 && activity_log.stripe_blocks == 0) return {};
  return activity_log;
}

Result<Superblock> decode_superblock(ByteView block) {
  if (block.size() != kBlockBytes) return wrong_field("size", fmt::format("{} bytes instead of 4096", block.size()));
  if (auto magic = check_magic(get_big<std::uint32_t>(block, kMagicOffset)); !magic)
    return tl::unexpected(magic.error());
  const ByteView rest = block.subspan(kUsedBytes);
  const auto stray = std::find_if(rest.begin(), rest.end(), [](Byte byte) { return byte != 0; });
  if (stray != rest.end())
    return wrong_field("reserved", fmt::format("byte {} is not zero", kUsedBytes + (stray - rest.begin())));
  const Superblock superblock = read_fields(block);
  if (auto checked = check_fields(superblock); !checked) return tl::unexpected(checked.error());
  return superblock;
}

Bytes encode_superblock(const Superblock& superblock) {
  Bytes block;
  block.reserve(kBlockBytes);
  ByteWriter writer(block);
  writer.big(superblock.effective_sectors).big(superblock.current_uuid).big(superblock.bitmap_uuid);
  writer.big(superblock.history_uuids[0]).big(superblock.history_uuids[1]).big(superblock.device_uuid);
  writer.big(superblock.reserved).big(superblock.flags);
  writer.big(superblock.unclean ? kMagicV08Unclean : kMagicV08).big(superblock.metadata_sectors);
  writer.big(superblock.activity_log_offset_sectors).big(superblock.activity_log_extents);
  writer.big(superblock.bitmap_offset_sectors).big(superblock.bytes_per_bit).big(superblock.peer_max_bio_bytes);
  writer.big(superblock.activity_log.stripes).big(superblock.activity_log.stripe_blocks);
  writer.zeros(kBlockBytes - kUsedBytes);
  return block;
}

Result<void> check_internal(const Superblock& superblock, std::uint64_t capacity_bytes) {
  const auto layout = internal_layout(capacity_bytes, superblock.shape());
  if (!layout) return tl::unexpected(layout.error());
  if (auto same = check_equal("md_size_sect", superblock.metadata_sectors, layout->metadata_sectors); !same)
    return same;
  if (auto same = check_equal("al_offset", superblock.activity_log_offset_sectors, layout->activity_log_offset_sectors);
      !same)
    return same;
  if (auto same = check_equal("bm_offset", superblock.bitmap_offset_sectors, layout->bitmap_offset_sectors); !same)
    return same;
  if (superblock.effective_sectors > layout->usable_sectors)
    return wrong_field("la_size_sect", fmt::format("{} is over the {} usable sectors", superblock.effective_sectors,
                                                   layout->usable_sectors));
  return {};
}

}  // namespace bascule::drbd_metadata
