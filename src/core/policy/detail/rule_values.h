#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

/// How rules compare texts.
namespace bascule::policy::detail {

/// Byte by byte without regard to ASCII case.
[[nodiscard]] int compare_words(std::string_view left, std::string_view right);
[[nodiscard]] inline bool same_word(std::string_view left, std::string_view right) {
  return compare_words(left, right) == 0;
}

/// The decimal number in front, saturating, and how long it is; nothing without one.
struct LeadingInteger {
  std::int64_t value = 0;
  std::size_t length = 0;
};
[[nodiscard]] std::optional<LeadingInteger> leading_integer(std::string_view text);

/// Less, equal or greater than 0; nothing if one of them does not begin with a number.
[[nodiscard]] std::optional<int> compare_integers(std::string_view left, std::string_view right);
/// The same for decimal fractions, with an exponent or not, exactly.
[[nodiscard]] std::optional<int> compare_numbers(std::string_view left, std::string_view right);
/// "1.2" < "1.10", "1.2" == "1.2.0". What is not a number counts 0.
[[nodiscard]] int compare_versions(std::string_view left, std::string_view right);

}  // namespace bascule::policy::detail
