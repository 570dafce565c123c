#pragma once

#include "wire/drbd_metadata/metadata.h"
#include "wire/drbd_metadata/steps.h"

namespace bascule::drbd_metadata {

/// Writes metadata where none are wanted any more: what is there goes first and the superblock comes last, so that a
/// crash leaves none, or all of the new ones. `area` is the bitmap; before it, `zero_bytes` from its start are cleared
/// (of an external area, which can be much larger, only what may be used).
Steps creation_steps(const Metadata& metadata, const Layout& layout, std::uint64_t zero_bytes, Bytes area = {});

}  // namespace bascule::drbd_metadata
