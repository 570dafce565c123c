#pragma once

#include <cstdint>
#include <string>

#include "base/bitmap.h"
#include "base/bytes.h"
#include "base/result.h"
#include "wire/drbd_metadata/superblock.h"

namespace bascule::drbd_metadata {

/// Blocks to be written by create-md, and where.
struct InitialMetadata {
  Layout layout;
  Superblock superblock;
  Bytes image;  ///< bitmap (zero), ring and superblock, contiguous; written at layout.bitmap_offset
};
/// What `drbdmeta create-md v08 internal` writes. Errors as internal_layout.
Result<InitialMetadata> create_v08(std::uint64_t capacity_bytes);

/// The on-disk bytes (length bitmap_bytes_for(sectors)) <-> bits. Bit n is bit n % 8 of byte n / 8; 1 is out of sync.
Bytes encode_bitmap(const Bitmap& bitmap);
/// ORs on-disk bytes into `bitmap` beginning at bit `first_bit` (a multiple of 64). Bits past the end are ignored.
/// Errors: first_bit not on a word; length not a multiple of 8.
Result<void> decode_bitmap(ByteView bytes, Bitmap& bitmap, std::uint64_t first_bit = 0);

/// The text `drbdmeta dump-md` prints after its first comment lines. `bitmap` covers effective_sectors.
std::string dump(const Superblock& superblock, const Layout& layout, const Bitmap& bitmap);

}  // namespace bascule::drbd_metadata
