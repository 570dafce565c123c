#include "wire/drbd_config/detail/quantity.h"

#include <charconv>

namespace bascule::drbd_config::detail {
namespace {

/// Bytes behind a suffix; `unit_bytes` when there is none.
std::optional<std::int64_t> suffix_bytes(std::string_view suffix, std::int64_t unit_bytes) {
  if (suffix.empty()) return unit_bytes;
  if (suffix.size() > 1) return std::nullopt;
  switch (suffix.front()) {
    case 's':
      return 512;
    case 'k':
    case 'K':
      return std::int64_t{1} << 10;
    case 'm':
    case 'M':
      return std::int64_t{1} << 20;
    case 'g':
    case 'G':
      return std::int64_t{1} << 30;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<std::int64_t> parse_quantity(std::string_view text, std::int64_t unit_bytes) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  const auto bytes = suffix_bytes(text, unit_bytes);
  if (!bytes) return std::nullopt;
  if (number < 0) return text.empty() ? std::optional(number) : std::nullopt;
  if (*bytes < unit_bytes) {
    const std::int64_t divisor = unit_bytes / *bytes;
    return number / divisor + (number % divisor != 0 ? 1 : 0);
  }
  const std::int64_t factor = *bytes / unit_bytes;
  if (number > INT64_MAX / factor) return std::nullopt;
  return number * factor;
}

const char* suffix_of(std::int64_t unit_bytes) {
  if (unit_bytes == 512) return "s";
  return unit_bytes == 1024 ? "k" : "";
}

}  // namespace bascule::drbd_config::detail
