#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/bytes.h"

namespace bascule::drbd_metadata {

/// How much of each end of a device a caller reads. btrfs keeps its superblock right behind 64 KiB.
inline constexpr std::size_t kSignatureProbeBytes = 68 * 1024;

/// What is on a device already, by the signatures in its first and last kSignatureProbeBytes ("ext2/3/4 filesystem",
/// "LVM2 physical volume", ...); nullopt: nothing we know. `last` ends at the end of the device and holds whole
/// sectors. Shorter views are allowed.
std::optional<std::string> recognise_signature(ByteView first, ByteView last);

}  // namespace bascule::drbd_metadata
