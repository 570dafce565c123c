#pragma once

#include <string>
#include <vector>

#include "wire/drbd_metadata/metadata.h"
#include "wire/drbd_metadata/steps.h"

namespace bascule::drbd_metadata {

/// Metadata in another format, and its bitmap area.
struct Conversion {
  Metadata metadata;
  Bytes area;                      ///< as long as to_layout.bitmap_bytes
  std::vector<std::string> notes;  ///< what could not be kept, one sentence each
};

/// v08 -> v09: one slot; the peer's flags and its bitmap UUID go to peers[0], as its node id is not known (drbdmeta
/// drops a bitmap UUID, and then the bitmap means nothing). v09 -> v08: the one peer that is known; refused with words
/// when there is more than one. `area` is the bitmap as on disk, `to` the layout for the new format on the same device.
/// Errors also: it has that format already.
Result<Conversion> convert(const Metadata& metadata, ByteView area, const Layout& to, Format format);

/// Writes a conversion over the metadata it was made from. Not safe against a crash in between: what is found then is
/// refused, and the dump of before is the way back.
Steps conversion_steps(const Conversion& conversion, const Layout& layout);

}  // namespace bascule::drbd_metadata
