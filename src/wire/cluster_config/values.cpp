#include "wire/cluster_config/detail/values.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace bascule::config::detail {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// The number at the start of `text`; what follows stays in `text`.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t number = 0;
  if (text.empty() || !is_digit(text.front())) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

std::optional<unsigned> size_shift(std::string_view unit) {
  static constexpr std::array<std::pair<char, unsigned>, 5> shifts{
      {{'K', 10}, {'M', 20}, {'G', 30}, {'T', 40}, {'P', 50}}};
  if (unit.empty() || unit == "B") return 0;
  if (unit.size() > 1 && unit.substr(1) != "iB") return std::nullopt;
  for (const auto& [letter, shift] : shifts)
    if (unit.front() == letter) return shift;
  return std::nullopt;
}

std::optional<Duration> duration_unit(std::string_view unit) {
  if (unit == "ms") return milliseconds(1);
  if (unit == "s") return seconds(1);
  if (unit == "m" || unit == "min") return seconds(60);
  if (unit == "h") return seconds(3600);
  return std::nullopt;
}

template <typename Raw, std::size_t TextBytes>
std::optional<std::string> canonical(int family, const std::string& text) {
  Raw raw{};
  if (inet_pton(family, text.c_str(), &raw) != 1) return std::nullopt;
  std::array<char, TextBytes> out{};
  if (inet_ntop(family, &raw, out.data(), out.size()) == nullptr) return std::nullopt;
  return std::string(out.data());
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({changed, row[j] + 1, row[j - 1] + 1}));
    }
  }
  return row.back();
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const auto number = take_number(text);
  const auto shift = size_shift(text);
  if (!number || !shift || *number > (std::uint64_t{INT64_MAX} >> *shift)) return std::nullopt;
  return *number << *shift;
}

std::optional<Duration> parse_duration(std::string_view text) {
  static constexpr Duration longest = std::chrono::hours(24);
  const auto number = take_number(text);
  const auto unit = duration_unit(text);
  if (!number || !unit || *number > static_cast<std::uint64_t>(longest / *unit)) return std::nullopt;
  return *unit * static_cast<std::int64_t>(*number);
}

std::optional<std::string> parse_address(std::string_view text) {
  if (text.size() > INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string copy(text);
  if (auto four = canonical<in_addr, INET_ADDRSTRLEN>(AF_INET, copy)) return four;
  return canonical<in6_addr, INET6_ADDRSTRLEN>(AF_INET6, copy);
}

std::optional<AddressWithPrefix> parse_address_with_prefix(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = parse_address(text.substr(0, slash));
  text.remove_prefix(slash + 1);
  const auto prefix = take_number(text);
  if (!address || !prefix || !text.empty()) return std::nullopt;
  const unsigned bits = address->find(':') == std::string::npos ? 32 : 128;
  if (*prefix < 1 || *prefix > bits) return std::nullopt;
  return AddressWithPrefix{*address, static_cast<unsigned>(*prefix)};
}

bool is_name(std::string_view text, std::size_t length_max) {
  const auto allowed = [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '.'; };
  return !text.empty() && text.size() <= length_max && (is_letter(text.front()) || is_digit(text.front())) &&
         std::all_of(text.begin(), text.end(), allowed);
}

bool is_parameter_name(std::string_view text) {
  const auto allowed = [](char c) { return is_letter(c) || is_digit(c) || c == '_'; };
  return !text.empty() && text.size() <= 64 && !is_digit(text.front()) &&
         std::all_of(text.begin(), text.end(), allowed);
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known) {
  if (word.size() > 64) return std::nullopt;
  std::optional<std::string> best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const auto& candidate : known) {
    const bool cut_short = word.size() >= 4 && candidate.compare(0, word.size() + 1, std::string(word) + "_") == 0;
    const std::size_t distance = cut_short ? 1 : edit_distance(word, candidate);
    if (distance < best_distance) best = candidate, best_distance = distance;
  }
  return best;
}

}  // namespace bascule::config::detail
