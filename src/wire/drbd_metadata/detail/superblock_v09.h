#pragma once

#include "wire/drbd_metadata/metadata.h"

namespace bascule::drbd_metadata::detail {

/// 4096 bytes with the magic of v09. Errors name the wrong field.
Result<Metadata> decode_v09(ByteView block);
Bytes encode_v09(const Metadata& metadata);

}  // namespace bascule::drbd_metadata::detail
