#pragma once

#include <optional>
#include <string>

#include "base/bytes.h"

namespace bascule::drbd_metadata {

/// What is on a device already, by the signatures in its first and last 64 KiB ("ext2/3/4 filesystem", "LVM2 physical
/// volume", ...); nullopt: nothing we know. `last` ends at the end of the device. Shorter views are allowed.
std::optional<std::string> recognise_signature(ByteView first, ByteView last);

}  // namespace bascule::drbd_metadata
