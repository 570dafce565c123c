#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace bascule {

/// The reflected Castagnoli polynomial over `bytes`, starting from `state`, without a final inversion: the raw form
/// that DRBD's activity log uses with state 0.
[[nodiscard]] std::uint32_t crc32c_raw(std::uint32_t state, ByteView bytes);

/// The same without the processor's own instruction.
[[nodiscard]] std::uint32_t crc32c_by_table(std::uint32_t state, ByteView bytes);

/// The usual CRC-32C (RFC 3720 B.4): initial all ones, inverted at the end.
[[nodiscard]] std::uint32_t crc32c(ByteView bytes);

}  // namespace bascule
