#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bitmap.h"
#include "base/bytes.h"
#include "base/result.h"
#include "wire/drbd_metadata/superblock.h"

namespace bascule::drbd_metadata {

enum class Format : std::uint8_t { V08, V09 };
/// "v08", "v09".
std::string_view to_string(Format format);

/// Bits of PeerRecord.flags.
namespace peer_flag {
inline constexpr std::uint32_t kConnected = 1;
inline constexpr std::uint32_t kOutdated = 2;  ///< Outdated or worse
inline constexpr std::uint32_t kFencing = 4;
inline constexpr std::uint32_t kFullSync = 8;
inline constexpr std::uint32_t kDeviceSeen = 16;
inline constexpr std::uint32_t kNodeExists = 0x10000;
}  // namespace peer_flag

inline constexpr std::size_t kPeerRecords = 32;
inline constexpr std::size_t kHistoryUuids = 32;
inline constexpr std::int32_t kNoSlot = -1;

/// What v09 keeps about the node whose id is its place in Metadata.peers.
struct PeerRecord {
  std::uint64_t bitmap_uuid = 0;
  std::uint64_t bitmap_dagtag = 0;
  std::uint32_t flags = 0;  ///< peer_flag::*
  std::int32_t bitmap_slot = kNoSlot;
  std::uint64_t reserved = 0;
  friend bool operator==(const PeerRecord&, const PeerRecord&) = default;
};

/// The superblock of either format. v08 fills peers[0], two history UUIDs and one slot; its flags CONNECTED_IND,
/// FULL_SYNC and PEER_OUT_DATED are peers[0].flags here, all others are `flags`.
struct Metadata {
  Format format = Format::V08;
  std::uint64_t effective_sectors = 0;  ///< last agreed size of the exported device; 0 never agreed
  std::uint64_t current_uuid = kUuidJustCreated;
  std::uint64_t members = 0;                ///< v09: mask of node ids
  std::array<std::uint64_t, 4> reserved{};  ///< kept as read; v08 has the first only
  std::uint64_t device_uuid = 0;
  std::uint32_t flags = 0;  ///< flag::*
  bool unclean = false;     ///< v08: the "in use" magic
  std::uint32_t metadata_sectors = 0;
  std::int32_t activity_log_offset_sectors = 0;
  std::uint32_t activity_log_extents = 257;
  std::int32_t bitmap_offset_sectors = 0;
  std::uint32_t bytes_per_bit = kBlockBytes;
  std::uint32_t peer_max_bio_bytes = 0;
  std::uint32_t slots = 1;          ///< bm_max_peers
  std::int32_t node_id = -1;        ///< own node id; -1 never attached
  ActivityLogShape activity_log{};  ///< as on disk: 0 x 0 means 1 x 8, see shape()
  std::array<PeerRecord, kPeerRecords> peers{};
  std::array<std::uint64_t, kHistoryUuids> history_uuids{};

  [[nodiscard]] MetadataShape shape() const;
  /// The activity log is applied: attach is allowed.
  [[nodiscard]] bool clean() const { return !unclean && (flags & flag::kActivityLogClean) != 0; }
  friend bool operator==(const Metadata&, const Metadata&) = default;
};

/// 4096 bytes of either format. Errors name the wrong field.
Result<Metadata> decode_metadata(ByteView block);
/// Loses what v08 has no place for; convert.h says what that is.
Bytes encode_metadata(const Metadata& metadata);
Metadata from_superblock(const Superblock& superblock);
Superblock to_superblock(const Metadata& metadata);

/// Takes sizes and offsets from the layout.
void place(Metadata& metadata, const Layout& layout);
/// The offsets and sizes are those of the layout. Errors name the field and both values.
Result<void> check_place(const Metadata& metadata, const Layout& layout);
/// check_place, and the last agreed size fits.
Result<void> check(const Metadata& metadata, const Layout& layout);

/// What create-md makes of a device.
struct Creation {
  Format format = Format::V08;
  MetadataShape shape{};
  std::uint32_t peer_max_bio_bytes = 0;
};
Result<Metadata> create(const Creation& creation, const Layout& layout);
/// The ring as create-md leaves it.
Bytes initial_ring(ActivityLogShape shape);

/// Blocks to be written by create-md, and where.
struct InitialMetadata {
  Layout layout;
  Superblock superblock;
  /// Ring and superblock, contiguous: written at layout.activity_log_offset, after layout.bitmap_bytes zeros were
  /// written at layout.bitmap_offset (not held in memory: 32 MiB per TiB).
  Bytes image;
};
/// What `drbdmeta create-md v08 internal` writes. Errors as internal_layout.
Result<InitialMetadata> create_v08(std::uint64_t capacity_bytes);

/// The on-disk bytes (length bitmap_bytes_for(sectors)) <-> bits. Bit n is bit n % 8 of byte n / 8; 1 is out of sync.
Bytes encode_bitmap(const Bitmap& bitmap);
/// ORs on-disk bytes into `bitmap` beginning at bit `first_bit` (a multiple of 64). Bits past the end are ignored.
/// Errors: first_bit not on a word; length not a multiple of 8.
Result<void> decode_bitmap(ByteView bytes, Bitmap& bitmap, std::uint64_t first_bit = 0);

/// 64-bit words of one slot of a bitmap area: slots are interleaved in 32-bit words. An area whose length is no
/// multiple of the slots gives the first slots one word more; half a word at the end is left out.
std::vector<std::uint64_t> slot_words(ByteView area, std::uint32_t slots, std::uint32_t slot);
/// Puts words into a slot of an area; words that find no room are dropped.
void put_slot_words(std::span<Byte> area, std::uint32_t slots, std::uint32_t slot,
                    std::span<const std::uint64_t> words);

}  // namespace bascule::drbd_metadata
