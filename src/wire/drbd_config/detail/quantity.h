#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace bascule::drbd_config::detail {

/// "10", "10M", "8s", "-1": whole numbers with DRBD's suffixes k, m, g (powers of 1024, either case) and s (512 bytes),
/// as a multiple of `unit_bytes` (1, 512 or 1024). What is no multiple is rounded up, as DRBD does. Nothing for
/// anything else and for what does not fit.
[[nodiscard]] std::optional<std::int64_t> parse_quantity(std::string_view text, std::int64_t unit_bytes);

/// The suffix that means `unit_bytes`: "", "s" or "k".
[[nodiscard]] const char* suffix_of(std::int64_t unit_bytes);

}  // namespace bascule::drbd_config::detail
