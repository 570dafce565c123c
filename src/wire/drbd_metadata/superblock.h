#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/drbd_metadata/layout.h"

namespace bascule::drbd_metadata {

inline constexpr std::uint32_t kMagicV08 = 0x8374026b;         ///< activity log clean
inline constexpr std::uint32_t kMagicV08Unclean = 0x8374026c;  ///< in use, or crashed
inline constexpr std::uint32_t kMagicV09 = 0x8374026d;
inline constexpr std::uint64_t kUuidJustCreated = 4;

/// Bits of Superblock.flags.
namespace flag {
inline constexpr std::uint32_t kConsistent = 1;
inline constexpr std::uint32_t kPrimaryIndicator = 2;    ///< PRIMARY_IND
inline constexpr std::uint32_t kConnectedIndicator = 4;  ///< CONNECTED_IND
inline constexpr std::uint32_t kFullSync = 8;
inline constexpr std::uint32_t kWasUpToDate = 16;
inline constexpr std::uint32_t kPeerOutdated = 32;
inline constexpr std::uint32_t kCrashedPrimary = 64;
inline constexpr std::uint32_t kActivityLogClean = 128;
inline constexpr std::uint32_t kActivityLogDisabled = 256;
inline constexpr std::uint32_t kPrimaryLostQuorum = 512;  ///< DRBD 9 only
inline constexpr std::uint32_t kHaveQuorum = 1024;        ///< DRBD 9 only
}  // namespace flag

/// The v08 superblock, 4096 bytes on disk.
struct Superblock {
  std::uint64_t effective_sectors = 0;  ///< la_size_sect: last agreed size of the exported device; 0 never agreed
  std::uint64_t current_uuid = kUuidJustCreated;
  std::uint64_t bitmap_uuid = 0;
  std::array<std::uint64_t, 2> history_uuids{};
  std::uint64_t device_uuid = 0;
  std::uint64_t reserved = 0;  ///< bytes 48..55, kept as read
  std::uint32_t flags = 0;     ///< flag::*
  bool unclean = false;        ///< the "in use" magic
  std::uint32_t metadata_sectors = 0;
  std::int32_t activity_log_offset_sectors = 0;
  std::uint32_t activity_log_extents = 257;
  std::int32_t bitmap_offset_sectors = 0;
  std::uint32_t bytes_per_bit = kBlockBytes;
  std::uint32_t peer_max_bio_bytes = 0;  ///< la_peer_max_bio_size
  ActivityLogShape activity_log{};       ///< as on disk: 0 x 0 means 1 x 8, see shape()

  /// The ring's shape with the default filled in.
  [[nodiscard]] ActivityLogShape shape() const;
  /// Attach is allowed: clean magic and AL_CLEAN set.
  [[nodiscard]] bool clean() const { return !unclean && (flags & flag::kActivityLogClean) != 0; }
  friend bool operator==(const Superblock&, const Superblock&) = default;
};

/// Decodes 4096 bytes. Errors name the wrong field: magic (v07, v09 and foreign ones told apart), bytes per bit,
/// offsets, shape of the ring, non-zero rest. With `capacity_bytes` also checks that the offsets fit internal
/// placement.
Result<Superblock> decode_superblock(ByteView block);
Bytes encode_superblock(const Superblock& superblock);

/// Checks a superblock against where it was found. Errors name the field and both values.
Result<void> check_internal(const Superblock& superblock, std::uint64_t capacity_bytes);

}  // namespace bascule::drbd_metadata
