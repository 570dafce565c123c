#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "wire/drbd_metadata/metadata.h"

namespace bascule::drbd_metadata {

/// What get-gi prints, without a line end: UUIDs and flags, from the view of the peer `node_id` (v08: 0).
std::string generation_text(const Metadata& metadata, std::uint32_t node_id);
/// What show-gi prints: the same with a legend, and the last agreed size.
std::string generation_legend(const Metadata& metadata, std::uint32_t node_id);
/// set-gi: "UUID:UUID:UUID:UUID:0:1:..."; what is left out or empty stays as it is. Errors name the field.
Result<Metadata> with_generation(const Metadata& metadata, std::uint32_t node_id, std::string_view text);

/// What dstate prints: the disk's state as the metadata alone tell it.
std::string_view disk_state(const Metadata& metadata);
/// outdate: good data, but not the latest. Nothing to do for inconsistent data.
Metadata outdated(Metadata metadata);
/// invalidate: everything is to be fetched from the peer.
Metadata invalidated(Metadata metadata);

}  // namespace bascule::drbd_metadata
