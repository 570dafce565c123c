#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

/// How single values are written in cluster.toml.
namespace bascule::config::detail {

/// "1G", "512M", "20GiB", "4096": powers of 1024. Nothing for anything else, and for more than 2^63 - 1.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);
/// "2s", "500ms", "1m", "1h". The unit is a must. Nothing for anything else, and for more than a day.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text);
/// An IPv4 or IPv6 literal without port, zone or prefix, in its canonical spelling.
[[nodiscard]] std::optional<std::string> parse_address(std::string_view text);

struct AddressWithPrefix {
  std::string address;  ///< canonical
  unsigned prefix = 0;
};
/// "10.77.0.10/24", "fd00::10/64".
[[nodiscard]] std::optional<AddressWithPrefix> parse_address_with_prefix(std::string_view text);

/// Letters, digits, dash, underscore and dot, beginning with a letter or digit, at most `length_max` characters.
[[nodiscard]] bool is_name(std::string_view text, std::size_t length_max);
/// A name that a shell variable may have: OCF_RESKEY_name.
[[nodiscard]] bool is_parameter_name(std::string_view text);

/// The word of `known` that was probably meant, or nothing when none is near.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace bascule::config::detail
