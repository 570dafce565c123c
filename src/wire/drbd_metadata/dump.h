#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "wire/drbd_metadata/metadata.h"

namespace bascule::drbd_metadata {

struct DumpOptions {
  /// drbdmeta 9.22 prints zero for the flags of v08 whatever they are, and restores what it reads. True prints the real
  /// ones, so that a restored v08 dump keeps them.
  bool real_flags = false;
};

/// The text `drbdmeta dump-md` prints behind its first comment lines (date and command), from `version` on. `area` is
/// the bitmap as on disk, at least bitmap_bytes_for(effective_sectors, slots); missing bytes count as zero.
std::string dump_text(const Metadata& metadata, const Layout& layout, ByteView area, DumpOptions options = {});

/// The line drbdmeta prints first when the last agreed size does not fit, and the size it goes on with.
struct FittedSize {
  std::uint64_t sectors = 0;
  std::string remark;  ///< empty: it fits
};
FittedSize fit_size(const Metadata& metadata, const Layout& layout);

/// `count` times the same word.
struct WordRun {
  std::uint64_t count = 0;
  std::uint64_t word = 0;
  friend bool operator==(const WordRun&, const WordRun&) = default;
};

/// What a dump says. Offsets and sizes in it are comments: the layout of the target gives them (place()).
struct ParsedDump {
  Metadata metadata;
  std::vector<std::vector<WordRun>> bitmaps;  ///< one per slot
};
/// Errors have "line L, column C" in `where`. A dump of unclean metadata is refused: its bitmap is not to be trusted.
Result<ParsedDump> parse_dump(std::string_view text);

/// The bitmap area of a parsed dump, `bytes` long; words that find no room are dropped.
Bytes area_of(const ParsedDump& dump, std::uint64_t bytes);

}  // namespace bascule::drbd_metadata
