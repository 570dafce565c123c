#pragma once

#include <cstdint>

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

/// Where the parts of internal v08 metadata lie. All positions in bytes from the start of the device.
struct Layout {
  std::uint64_t superblock_offset = 0;
  std::uint64_t activity_log_offset = 0;
  std::uint64_t bitmap_offset = 0;               ///< also the end of the data area
  std::uint64_t bitmap_bytes = 0;                ///< reserved for the bitmap, a multiple of 4096
  std::uint32_t metadata_sectors = 0;            ///< md_size_sect
  std::int32_t activity_log_offset_sectors = 0;  ///< al_offset: relative to the superblock
  std::int32_t bitmap_offset_sectors = 0;        ///< bm_offset: relative to the superblock
  std::uint64_t usable_sectors = 0;              ///< data sectors that may be exported
};

/// Internal placement on a device of `capacity_bytes`. Errors: device too small to hold metadata and one block of data;
/// over 1 PiB; ring smaller than 32 KiB or over 16 GiB.
Result<Layout> internal_layout(std::uint64_t capacity_bytes, ActivityLogShape shape = {});

/// Bits needed for `sectors` of data (the last partial block counts).
constexpr std::uint64_t bits_for(std::uint64_t sectors) { return (sectors + kSectorsPerBlock - 1) / kSectorsPerBlock; }
/// Bytes of the on-disk bitmap for `sectors` of data, rounded to 4096.
constexpr std::uint64_t bitmap_bytes_for(std::uint64_t sectors) {
  const std::uint64_t words = (bits_for(sectors) + 63) / 64;
  return (words * 8 + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}

}  // namespace bascule::drbd_metadata
