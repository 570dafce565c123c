// How rules compare values: as words, integers, numbers and versions.
#include "core/policy/detail/rule_values.h"

#include <algorithm>
#include <limits>
#include <string>

namespace bascule::policy::detail {
namespace {

bool is_decimal_digit(char c) { return c >= '0' && c <= '9'; }
unsigned char lowered(char c) { return static_cast<unsigned char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); }

template <typename Value>
int order(const Value& left, const Value& right) {
  return left < right ? -1 : right < left ? 1 : 0;
}

std::size_t skip_blanks(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size() && (text[at] == ' ' || (text[at] >= '\t' && text[at] <= '\r'))) ++at;
  return at;
}

/// 0.DIGITS times ten to the `exponent`; no digits: zero.
struct Decimal {
  bool negative = false;
  std::string digits;  // the first and the last are not 0
  std::int64_t exponent = 0;
};

/// Takes digits from `at` on.
std::size_t take_digits(std::string_view text, std::size_t& at, std::string& to) {
  const std::size_t first = at;
  while (at < text.size() && is_decimal_digit(text[at])) to += text[at++];
  return at - first;
}

void normalise(Decimal& decimal) {
  const auto first = decimal.digits.find_first_not_of('0');
  if (first == std::string::npos) {
    decimal = {};
    return;
  }
  decimal.digits.erase(0, first);
  decimal.exponent -= static_cast<std::int64_t>(first);
  decimal.digits.erase(decimal.digits.find_last_not_of('0') + 1);
}

std::optional<Decimal> parse_decimal(std::string_view text) {
  Decimal result;
  std::size_t at = skip_blanks(text);
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) result.negative = text[at++] == '-';
  const std::size_t whole = take_digits(text, at, result.digits);
  std::size_t fraction = 0;
  if (at < text.size() && text[at] == '.') fraction = take_digits(text, ++at, result.digits);
  if (whole + fraction == 0) return std::nullopt;
  result.exponent = static_cast<std::int64_t>(whole);
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    // Far beyond any double, and far from overflow.
    const auto power = leading_integer(text.substr(at + 1));
    if (power) result.exponent += std::clamp<std::int64_t>(power->value, -1'000'000, 1'000'000);
  }
  normalise(result);
  return result;
}

int compare_sizes(const Decimal& left, const Decimal& right) {
  if (left.digits.empty() || right.digits.empty()) return order(left.digits.size(), right.digits.size());
  if (left.exponent != right.exponent) return order(left.exponent, right.exponent);
  return order(left.digits, right.digits);
}

}  // namespace

int compare_words(std::string_view left, std::string_view right) {
  for (std::size_t i = 0; i < left.size() && i < right.size(); ++i)
    if (lowered(left[i]) != lowered(right[i])) return order(lowered(left[i]), lowered(right[i]));
  return order(left.size(), right.size());
}

std::optional<LeadingInteger> leading_integer(std::string_view text) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  std::size_t at = skip_blanks(text);
  const bool negative = at < text.size() && text[at] == '-';
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
  const std::size_t first = at;
  std::int64_t value = 0;
  for (; at < text.size() && is_decimal_digit(text[at]); ++at) {
    const int digit = text[at] - '0';
    value = value > (most - digit) / 10 ? most : value * 10 + digit;
  }
  if (at == first) return std::nullopt;
  return LeadingInteger{negative ? -value : value, at};
}

std::optional<int> compare_integers(std::string_view left, std::string_view right) {
  const auto one = leading_integer(left);
  const auto other = leading_integer(right);
  if (!one || !other) return std::nullopt;
  return order(one->value, other->value);
}

std::optional<int> compare_numbers(std::string_view left, std::string_view right) {
  const auto one = parse_decimal(left);
  const auto other = parse_decimal(right);
  if (!one || !other) return std::nullopt;
  if (one->negative != other->negative) return one->negative ? -1 : 1;
  return one->negative ? compare_sizes(*other, *one) : compare_sizes(*one, *other);
}

int compare_versions(std::string_view left, std::string_view right) {
  const auto next = [](std::string_view& text) {
    const auto dot = text.find('.');
    const auto part = leading_integer(text.substr(0, dot));
    text.remove_prefix(dot == std::string_view::npos ? text.size() : dot + 1);
    return part ? part->value : 0;
  };
  while (!left.empty() || !right.empty()) {
    const auto one = next(left);
    const auto other = next(right);
    if (one != other) return order(one, other);
  }
  return 0;
}

}  // namespace bascule::policy::detail
