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

/// The text `drbdmeta dump-md` prints after its first comment lines, fit for its restore-md. One difference: `flags`
/// are the real ones (drbdmeta 9.22 always prints 0 there for v08, but restores what it reads). `bitmap` covers
/// effective_sectors.
std::string dump(const Superblock& superblock, const Layout& layout, const Bitmap& bitmap);

}  // namespace bascule::drbd_metadata
