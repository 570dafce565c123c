#include "wire/drbd_metadata/detail/superblock_v09.h"

#include <fmt/format.h>

#include <algorithm>

namespace bascule::drbd_metadata::detail {
namespace {

constexpr std::size_t kUsedBytes = 1392;

tl::unexpected<Error> wrong_field(const std::string& field, std::string why, std::string hint = {}) {
  return fail("DRBD v09 superblock is wrong", field, std::move(why), std::move(hint));
}

PeerRecord read_peer(ByteReader& reader) {
  PeerRecord peer;
  peer.bitmap_uuid = reader.big<std::uint64_t>();
  peer.bitmap_dagtag = reader.big<std::uint64_t>();
  peer.flags = reader.big<std::uint32_t>();
  peer.bitmap_slot = reader.big<std::int32_t>();
  peer.reserved = reader.big<std::uint64_t>();
  return peer;
}

Metadata read_fields(ByteView block) {
  ByteReader reader(block);
  Metadata metadata;
  metadata.format = Format::V09;
  metadata.effective_sectors = reader.big<std::uint64_t>();
  metadata.current_uuid = reader.big<std::uint64_t>();
  metadata.members = reader.big<std::uint64_t>();
  for (std::size_t i = 0; i < 3; ++i) metadata.reserved[i] = reader.big<std::uint64_t>();
  metadata.device_uuid = reader.big<std::uint64_t>();
  metadata.flags = reader.big<std::uint32_t>();
  reader.skip(4);
  metadata.metadata_sectors = reader.big<std::uint32_t>();
  metadata.activity_log_offset_sectors = reader.big<std::int32_t>();
  metadata.activity_log_extents = reader.big<std::uint32_t>();
  metadata.bitmap_offset_sectors = reader.big<std::int32_t>();
  metadata.bytes_per_bit = reader.big<std::uint32_t>();
  metadata.peer_max_bio_bytes = reader.big<std::uint32_t>();
  metadata.slots = reader.big<std::uint32_t>();
  metadata.node_id = reader.big<std::int32_t>();
  metadata.activity_log.stripes = reader.big<std::uint32_t>();
  metadata.activity_log.stripe_blocks = reader.big<std::uint32_t>();
  metadata.reserved[3] = reader.big<std::uint64_t>();
  for (PeerRecord& peer : metadata.peers) peer = read_peer(reader);
  for (std::uint64_t& history : metadata.history_uuids) history = reader.big<std::uint64_t>();
  return metadata;
}

Result<void> check_offset(const char* field, std::int64_t sectors) {
  if (sectors == 0 || sectors % static_cast<std::int64_t>(kSectorsPerBlock) != 0)
    return wrong_field(field, fmt::format("{} is not a distance in 4 KiB blocks", sectors));
  return {};
}

Result<void> check_ring(const Metadata& metadata) {
  const ActivityLogShape disk = metadata.activity_log;
  const std::uint64_t blocks = disk.blocks();  // 0 x 0 stands for the default in v08 only
  if (blocks < 8 || blocks > (16ULL << 30) / kBlockBytes)
    return wrong_field("al_stripes, al_stripe_size_4k",
                       fmt::format("{} x {} blocks is not within 32 KiB..16 GiB", disk.stripes, disk.stripe_blocks));
  return {};
}

Result<void> check_peers(const Metadata& metadata) {
  if (metadata.slots < 1 || metadata.slots > kMaxPeerSlots)
    return wrong_field("max_peers", fmt::format("{} is not within 1..{}", metadata.slots, kMaxPeerSlots));
  if (metadata.node_id < -1 || metadata.node_id >= static_cast<std::int32_t>(kPeerRecords))
    return wrong_field("node_id", fmt::format("{} is not within -1..31", metadata.node_id));
  for (std::size_t id = 0; id < kPeerRecords; ++id) {
    const std::int32_t slot = metadata.peers[id].bitmap_slot;
    if (slot < kNoSlot || slot >= static_cast<std::int32_t>(metadata.slots))
      return wrong_field(fmt::format("peer[{}] bitmap-index", id),
                         fmt::format("{} is not a slot of {}", slot, metadata.slots));
  }
  return {};
}

Result<void> check_fields(const Metadata& metadata) {
  if (metadata.bytes_per_bit != kBlockBytes)
    return wrong_field("bm_bytes_per_bit", fmt::format("{} instead of {}", metadata.bytes_per_bit, kBlockBytes),
                       "only 4 KiB per bit is known here");
  if (auto ring = check_ring(metadata); !ring) return ring;
  if (metadata.metadata_sectors == 0) return wrong_field("md_size_sect", "0");
  if (auto log = check_offset("al_offset", metadata.activity_log_offset_sectors); !log) return log;
  if (auto bitmap = check_offset("bm_offset", metadata.bitmap_offset_sectors); !bitmap) return bitmap;
  return check_peers(metadata);
}

}  // namespace

Result<Metadata> decode_v09(ByteView block) {
  if (block.size() != kBlockBytes) return wrong_field("size", fmt::format("{} bytes instead of 4096", block.size()));
  const ByteView rest = block.subspan(kUsedBytes);
  const auto stray = std::find_if(rest.begin(), rest.end(), [](Byte byte) { return byte != 0; });
  if (stray != rest.end())
    return wrong_field("reserved", fmt::format("byte {} is not zero", kUsedBytes + (stray - rest.begin())));
  Metadata metadata = read_fields(block);
  if (auto checked = check_fields(metadata); !checked) return tl::unexpected(checked.error());
  return metadata;
}

Bytes encode_v09(const Metadata& metadata) {
  Bytes block;
  block.reserve(kBlockBytes);
  ByteWriter writer(block);
  writer.big(metadata.effective_sectors).big(metadata.current_uuid).big(metadata.members);
  for (std::size_t i = 0; i < 3; ++i) writer.big(metadata.reserved[i]);
  writer.big(metadata.device_uuid).big(metadata.flags).big(kMagicV09).big(metadata.metadata_sectors);
  writer.big(metadata.activity_log_offset_sectors).big(metadata.activity_log_extents);
  writer.big(metadata.bitmap_offset_sectors).big(metadata.bytes_per_bit).big(metadata.peer_max_bio_bytes);
  writer.big(metadata.slots).big(metadata.node_id);
  writer.big(metadata.activity_log.stripes).big(metadata.activity_log.stripe_blocks).big(metadata.reserved[3]);
  for (const PeerRecord& peer : metadata.peers)
    writer.big(peer.bitmap_uuid).big(peer.bitmap_dagtag).big(peer.flags).big(peer.bitmap_slot).big(peer.reserved);
  for (const std::uint64_t history : metadata.history_uuids) writer.big(history);
  writer.zeros(kBlockBytes - kUsedBytes);
  return block;
}

}  // namespace bascule::drbd_metadata::detail
