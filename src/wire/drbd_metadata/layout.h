#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace bascule::drbd_metadata {

inline constexpr std::uint64_t kSectorBytes = 512;
inline constexpr std::uint64_t kBlockBytes = 4096;  ///< superblock, AL block, block of one bitmap bit
inline constexpr std::uint64_t kSectorsPerBlock = 8;
inline constexpr std::uint64_t kExtentBytes = 4ULL << 20;  ///< AL extent
inline constexpr std::uint64_t kBitsPerExtent = 1024;

/// Shape of the activity log ring. Stripes = stripe_blocks = 0 on disk means 1 x 8.
struct ActivityLogShape {
  std::uint32_t stripes = 1;
  std::uint32_t stripe_blocks = 8;  ///< 4 KiB blocks per stripe
  [[nodiscard]] std::uint64_t blocks() const { return std::uint64_t{stripes} * stripe_blocks; }
  friend bool operator==(const ActivityLogShape&, const ActivityLogShape&) = default;
};

/// Where metadata is kept: behind the data on the same device, alone on another device ("flex-external"), or in one of
/// the 128 MiB pieces of another device ("INDEX").
struct Placement {
  enum class Kind : std::uint8_t { Internal, Flexible, Indexed };
  Kind kind = Kind::Internal;
  std::uint32_t index = 0;  ///< of an indexed placement, 0..255
  static constexpr Placement internal() { return {}; }
  static constexpr Placement flexible() { return {Kind::Flexible, 0}; }
  static constexpr Placement indexed(std::uint32_t number) { return {Kind::Indexed, number}; }
  /// "internal", "flex-external" or a number, as drbdmeta takes it. Errors name the word.
  static Result<Placement> parse(std::string_view word);
  [[nodiscard]] std::string text() const;
  friend bool operator==(const Placement&, const Placement&) = default;
};
inline constexpr std::uint64_t kIndexedBytes = 128ULL << 20;
inline constexpr std::uint32_t kMaxIndex = 255;
inline constexpr std::uint32_t kMaxPeerSlots = 31;     ///< bitmap slots of v09; v08 has one
inline constexpr std::uint64_t kUnknownBytes = ~0ULL;  ///< a data device nobody asked for its size

/// What decides how large the parts are.
struct MetadataShape {
  ActivityLogShape activity_log{};
  std::uint32_t slots = 1;  ///< bitmap slots, 1..kMaxPeerSlots
  friend bool operator==(const MetadataShape&, const MetadataShape&) = default;
};

/// Where the parts of the metadata lie. All positions in bytes from the start of the device that holds them.
struct Layout {
  std::uint64_t superblock_offset = 0;
  std::uint64_t activity_log_offset = 0;
  std::uint64_t bitmap_offset = 0;               ///< internal: also the end of the data area
  std::uint64_t bitmap_bytes = 0;                ///< room for the bitmap, a multiple of 4096
  std::uint32_t metadata_sectors = 0;            ///< md_size_sect
  std::int32_t activity_log_offset_sectors = 0;  ///< al_offset: relative to the superblock
  std::int32_t bitmap_offset_sectors = 0;        ///< bm_offset: relative to the superblock
  std::uint64_t usable_sectors = 0;              ///< data sectors that may be exported
  friend bool operator==(const Layout&, const Layout&) = default;
};

/// Internal placement on a device of `capacity_bytes`. Errors: device too small to hold metadata and one block of data;
/// over 1 PiB; ring smaller than 32 KiB or over 16 GiB.
Result<Layout> internal_layout(std::uint64_t capacity_bytes, ActivityLogShape shape = {});

/// Any placement. `data_bytes` is the size of the device with the data (kUnknownBytes: only the bitmap limits what may
/// be exported), `metadata_bytes` that of the device with the metadata; for internal placement both are the same device
/// and data_bytes is ignored. Indexed placement has a ring of 32 KiB. Errors: as internal_layout; metadata device too
/// small; slots out of range; index out of range; another ring with an index.
Result<Layout> layout(Placement placement, std::uint64_t data_bytes, std::uint64_t metadata_bytes,
                      const MetadataShape& shape = {});

/// Where the superblock lies on a device of `metadata_bytes`, whatever the shape. Errors: the device ends before it.
Result<std::uint64_t> superblock_offset(Placement placement, std::uint64_t metadata_bytes);

/// Bits needed for `sectors` of data (the last partial block counts).
constexpr std::uint64_t bits_for(std::uint64_t sectors) { return (sectors + kSectorsPerBlock - 1) / kSectorsPerBlock; }
/// Bytes of the on-disk bitmap for `sectors` of data in `slots` slots, rounded to 4096.
constexpr std::uint64_t bitmap_bytes_for(std::uint64_t sectors, std::uint32_t slots = 1) {
  const std::uint64_t words = (bits_for(sectors) + 63) / 64;
  return (words * 8 * slots + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}

}  // namespace bascule::drbd_metadata
