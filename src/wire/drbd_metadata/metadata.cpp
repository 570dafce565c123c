#include "wire/drbd_metadata/metadata.h"

#include <fmt/format.h>

#include <algorithm>

#include "wire/drbd_metadata/activity_log.h"
#include "wire/drbd_metadata/detail/superblock_v09.h"

namespace bascule::drbd_metadata {
namespace {

constexpr std::size_t kMagicOffset = 60;

struct FlagPair {
  std::uint32_t v08;
  std::uint32_t peer;
};
constexpr std::array<FlagPair, 3> kPeerFlags{{{flag::kConnectedIndicator, peer_flag::kConnected},
                                              {flag::kPeerOutdated, peer_flag::kOutdated},
                                              {flag::kFullSync, peer_flag::kFullSync}}};

template <typename Number>
Result<void> check_equal(const char* field, Number found, Number expected) {
  if (found == expected) return {};
  return fail("DRBD metadata is wrong", field, fmt::format("{}, but this device needs {}", found, expected),
              "was the device resized, or the metadata copied from another device?");
}

std::uint32_t little_word(ByteView area, std::size_t word) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value |= std::uint32_t{area[word * 4 + i]} << (8 * i);
  return value;
}

void put_little_word(std::span<Byte> area, std::size_t word, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i) area[word * 4 + i] = static_cast<Byte>(value >> (8 * i));
}

}  // namespace

std::string_view to_string(Format format) { return format == Format::V08 ? "v08" : "v09"; }

MetadataShape Metadata::shape() const {
  const bool given = activity_log.stripes != 0 || activity_log.stripe_blocks != 0;
  return {.activity_log = given ? activity_log : ActivityLogShape{}, .slots = slots};
}

Metadata from_superblock(const Superblock& superblock) {
  Metadata metadata;
  metadata.effective_sectors = superblock.effective_sectors;
  metadata.current_uuid = superblock.current_uuid;
  metadata.peers[0].bitmap_uuid = superblock.bitmap_uuid;
  std::ranges::copy(superblock.history_uuids, metadata.history_uuids.begin());
  metadata.device_uuid = superblock.device_uuid;
  metadata.reserved[0] = superblock.reserved;
  metadata.flags = superblock.flags;
  for (const FlagPair& pair : kPeerFlags) {
    if ((superblock.flags & pair.v08) != 0) metadata.peers[0].flags |= pair.peer;
    metadata.flags &= ~pair.v08;
  }
  metadata.unclean = superblock.unclean;
  metadata.metadata_sectors = superblock.metadata_sectors;
  metadata.activity_log_offset_sectors = superblock.activity_log_offset_sectors;
  metadata.activity_log_extents = superblock.activity_log_extents;
  metadata.bitmap_offset_sectors = superblock.bitmap_offset_sectors;
  metadata.bytes_per_bit = superblock.bytes_per_bit;
  metadata.peer_max_bio_bytes = superblock.peer_max_bio_bytes;
  metadata.activity_log = superblock.activity_log;
  return metadata;
}

Superblock to_superblock(const Metadata& metadata) {
  Superblock superblock;
  superblock.effective_sectors = metadata.effective_sectors;
  superblock.current_uuid = metadata.current_uuid;
  superblock.bitmap_uuid = metadata.peers[0].bitmap_uuid;
  superblock.history_uuids = {metadata.history_uuids[0], metadata.history_uuids[1]};
  superblock.device_uuid = metadata.device_uuid;
  superblock.reserved = metadata.reserved[0];
  superblock.flags = metadata.flags;
  for (const FlagPair& pair : kPeerFlags)
    superblock.flags = (superblock.flags & ~pair.v08) | ((metadata.peers[0].flags & pair.peer) != 0 ? pair.v08 : 0);
  superblock.unclean = metadata.unclean;
  superblock.metadata_sectors = metadata.metadata_sectors;
  superblock.activity_log_offset_sectors = metadata.activity_log_offset_sectors;
  superblock.activity_log_extents = metadata.activity_log_extents;
  superblock.bitmap_offset_sectors = metadata.bitmap_offset_sectors;
  superblock.bytes_per_bit = metadata.bytes_per_bit;
  superblock.peer_max_bio_bytes = metadata.peer_max_bio_bytes;
  superblock.activity_log = metadata.activity_log;
  return superblock;
}

Result<Metadata> decode_metadata(ByteView block) {
  if (block.size() == kBlockBytes && get_big<std::uint32_t>(block, kMagicOffset) == kMagicV09)
    return detail::decode_v09(block);
  const auto superblock = decode_superblock(block);
  if (!superblock) return tl::unexpected(superblock.error());
  return from_superblock(*superblock);
}

Bytes encode_metadata(const Metadata& metadata) {
  if (metadata.format == Format::V09) return detail::encode_v09(metadata);
  return encode_superblock(to_superblock(metadata));
}

void place(Metadata& metadata, const Layout& layout) {
  metadata.metadata_sectors = layout.metadata_sectors;
  metadata.activity_log_offset_sectors = layout.activity_log_offset_sectors;
  metadata.bitmap_offset_sectors = layout.bitmap_offset_sectors;
}

Result<void> check_place(const Metadata& metadata, const Layout& layout) {
  if (auto same = check_equal("md_size_sect", metadata.metadata_sectors, layout.metadata_sectors); !same) return same;
  if (auto same = check_equal("al_offset", metadata.activity_log_offset_sectors, layout.activity_log_offset_sectors);
      !same)
    return same;
  return check_equal("bm_offset", metadata.bitmap_offset_sectors, layout.bitmap_offset_sectors);
}

Result<void> check(const Metadata& metadata, const Layout& layout) {
  if (auto placed = check_place(metadata, layout); !placed) return placed;
  if (metadata.effective_sectors > layout.usable_sectors)
    return fail("DRBD metadata is wrong", "la_size_sect",
                fmt::format("{} is over the {} usable sectors", metadata.effective_sectors, layout.usable_sectors));
  return {};
}

Result<Metadata> create(const Creation& creation, const Layout& layout) {
  if (creation.format == Format::V08 && creation.shape.slots != 1)
    return fail("DRBD metadata cannot be made", "max-peers",
                fmt::format("{}, but v08 knows one peer", creation.shape.slots), "use v09");
  Metadata metadata;
  metadata.format = creation.format;
  metadata.flags = flag::kActivityLogClean;
  metadata.slots = creation.shape.slots;
  metadata.activity_log = creation.shape.activity_log;
  metadata.peer_max_bio_bytes = creation.peer_max_bio_bytes;
  place(metadata, layout);
  return metadata;
}

Bytes initial_ring(ActivityLogShape shape) {
  const Bytes block = encode_transaction({.type = TransactionType::Initialised});
  Bytes ring;
  ring.reserve(shape.blocks() * kBlockBytes);
  for (std::uint64_t i = 0; i < shape.blocks(); ++i) ring.insert(ring.end(), block.begin(), block.end());
  return ring;
}

Result<InitialMetadata> create_v08(std::uint64_t capacity_bytes) {
  const auto found = internal_layout(capacity_bytes);
  if (!found) return tl::unexpected(found.error());
  const auto metadata = create({}, *found);
  if (!metadata) return tl::unexpected(metadata.error());
  InitialMetadata initial{.layout = *found, .superblock = to_superblock(*metadata), .image = initial_ring({})};
  ByteWriter(initial.image).bytes(encode_superblock(initial.superblock));
  return initial;
}

Bytes encode_bitmap(const Bitmap& bitmap) {
  Bytes bytes;
  ByteWriter writer(bytes);
  for (const std::uint64_t word : bitmap.words()) writer.little(word);
  bytes.resize((bytes.size() + kBlockBytes - 1) / kBlockBytes * kBlockBytes, 0);
  return bytes;
}

Result<void> decode_bitmap(ByteView bytes, Bitmap& bitmap, std::uint64_t first_bit) {
  if (first_bit % 64 != 0 || bytes.size() % 8 != 0)
    return fail("bitmap cannot be read", fmt::format("bit {}", first_bit),
                fmt::format("{} bytes from there are not whole words", bytes.size()));
  ByteReader reader(bytes);
  for (std::size_t word = first_bit / 64; word < bitmap.words().size() && reader.remaining() > 0; ++word)
    bitmap.or_word(word, reader.little<std::uint64_t>());
  return {};
}

std::vector<std::uint64_t> slot_words(ByteView area, std::uint32_t slots, std::uint32_t slot) {
  const std::size_t count = area.size() / 4;
  std::vector<std::uint64_t> words;
  if (slots != 0) words.reserve(count / 2 / slots + 1);
  for (std::size_t at = slot; slots != 0 && at + slots < count; at += 2 * std::size_t{slots})
    words.push_back(little_word(area, at) | std::uint64_t{little_word(area, at + slots)} << 32);
  return words;
}

void put_slot_words(std::span<Byte> area, std::uint32_t slots, std::uint32_t slot,
                    std::span<const std::uint64_t> words) {
  const std::size_t count = area.size() / 4;
  std::size_t at = slot;
  for (const std::uint64_t word : words) {
    if (slots == 0 || at + slots >= count) return;
    put_little_word(area, at, static_cast<std::uint32_t>(word));
    put_little_word(area, at + slots, static_cast<std::uint32_t>(word >> 32));
    at += 2 * std::size_t{slots};
  }
}

}  // namespace bascule::drbd_metadata
