// ISO 8601 durations and Pacemaker's own ("10s", "2min"), read as Pacemaker reads them.
#include <algorithm>
#include <limits>

#include "wire/cib/detail/calendar.h"
#include "wire/cib/times.h"

namespace bascule::cib {
namespace {

constexpr std::string_view blanks = " \t\n\r\f";

struct Unit {
  std::string_view prefix;  // whatever follows it does not matter
  std::int64_t multiplier;
  std::int64_t divisor;
};
constexpr Unit units[] = {
    {"ms", 1, 1}, {"us", 1, 1000}, {"s", 1000, 1}, {"m", 60'000, 1}, {"h", 3'600'000, 1},
};

bool starts_with_word(std::string_view text, std::string_view prefix) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return text.size() >= prefix.size() &&
         std::equal(prefix.begin(), prefix.end(), text.begin(), [&](char p, char t) { return p == lower(t); });
}

std::string_view skip(std::string_view text, std::string_view characters) {
  text.remove_prefix(std::min(text.find_first_not_of(characters), text.size()));
  return text;
}

/// Decimal digits in front, saturating; nothing without one.
std::optional<std::int64_t> leading_number(std::string_view text) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  if (text.empty() || !detail::is_digit(text.front())) return std::nullopt;
  std::int64_t result = 0;
  for (const char c : text) {
    if (!detail::is_digit(c)) break;
    const int digit = c - '0';
    result = result > (most - digit) / 10 ? most : result * 10 + digit;
  }
  return result;
}

/// One "12H" of a duration; ints wrap as in Pacemaker.
struct Amount {
  std::uint32_t number = 0;
  char unit = 0;
  std::size_t length = 0;  // 0: not readable
};

/// A fraction without a whole part is read and counts nothing.
Amount next_fraction(std::string_view text) {
  std::size_t at = 1;
  while (at < text.size() && detail::is_digit(text[at])) ++at;
  if (at == 1 || at >= text.size()) return {};
  return {0, text[at], at + 1};
}

Amount next_amount(std::string_view text) {
  Amount result;
  if (!text.empty() && (text.front() == '.' || text.front() == ',')) return next_fraction(text);
  const bool negative = !text.empty() && text.front() == '-';
  std::size_t at = negative || (!text.empty() && (text.front() == '+' || text.front() == ':')) ? 1 : 0;
  const std::size_t first = at;
  while (at < text.size() && at - first < 10 && detail::is_digit(text[at]))
    result.number = result.number * 10 + static_cast<std::uint32_t>(text[at++] - '0');
  if (at == first || at >= text.size()) return result;
  if (negative) result.number = 0 - result.number;
  result.unit = text[at];
  result.length = at + 1;
  return result;
}

struct Sums {
  std::uint32_t years = 0;
  std::uint32_t months = 0;
  std::uint32_t days = 0;
  std::uint32_t seconds = 0;
};

bool add(Sums& sums, const Amount& amount, bool is_time) {
  switch (amount.unit) {
    case 'Y':
      sums.years = amount.number;
      return true;
    case 'M':
      (is_time ? sums.seconds : sums.months) = is_time ? sums.seconds + amount.number * 60 : amount.number;
      return true;
    case 'W':
      sums.days += amount.number * 7;
      return true;
    case 'D':
      sums.days += amount.number;
      return true;
    case 'H':
      sums.seconds += amount.number * 3600;
      return true;
    case 'S':
      sums.seconds += amount.number;
      return true;
    default:
      return false;
  }
}

std::optional<Sums> parse_duration(std::string_view text) {
  Sums sums;
  bool is_time = false;
  bool any = false;
  text.remove_prefix(1);  // the P
  while (!text.empty() && text.front() != '/' && blanks.find(text.front()) == std::string_view::npos) {
    if (text.front() == 'T') {
      is_time = true;
      text.remove_prefix(1);
      continue;
    }
    const Amount amount = next_amount(text);
    if (amount.length == 0 || !add(sums, amount, is_time)) return std::nullopt;
    any = true;
    text.remove_prefix(amount.length);
  }
  if (!any || (sums.years | sums.months | sums.days | sums.seconds) == 0) return std::nullopt;
  return sums;
}

/// Pacemaker measures a duration like a date: years count from year 1, days from day 1 (so P1D is nothing), a month is
/// thirty days.
std::int64_t seconds_of(const Sums& sums) {
  const auto years = static_cast<std::int32_t>(sums.years);
  const auto months = static_cast<std::int32_t>(sums.months);
  const auto days = static_cast<std::int32_t>(sums.days);
  std::int64_t result = years > 1 ? detail::days_before_year(years) * detail::day_s : 0;
  if (months > 0) result += detail::day_s * 30 * months;
  if (days > 0) result += detail::day_s * (std::int64_t{days} - 1);
  return result + static_cast<std::int32_t>(sums.seconds);
}

}  // namespace

std::int64_t parse_msec(std::string_view text) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  text = skip(text, blanks);
  auto number = leading_number(text);
  if (!number && (text.empty() || text.front() != '.')) return -1;
  if (!number) number = -1;  // ".5s" is minus one second to Pacemaker
  const std::string_view rest = skip(skip(text, "0123456789."), blanks);
  Unit unit{"", 1000, 1};
  const auto known = std::find_if(std::begin(units), std::end(units),
                                  [&](const Unit& row) { return starts_with_word(rest, row.prefix); });
  if (known != std::end(units))
    unit = *known;
  else if (!rest.empty() && rest.front() != '\n' && rest.front() != '\r')
    return -1;
  return *number > most / unit.multiplier ? most : *number * unit.multiplier / unit.divisor;
}

std::optional<std::uint32_t> parse_interval_ms(std::string_view text) {
  constexpr std::int64_t most = std::numeric_limits<std::uint32_t>::max();
  std::int64_t milliseconds = -1;
  if (!text.empty() && text.front() == 'P') {
    const auto sums = parse_duration(text);
    if (sums) milliseconds = 1000 * seconds_of(*sums);
  } else {
    milliseconds = parse_msec(text);
  }
  if (milliseconds < 0) return std::nullopt;
  return static_cast<std::uint32_t>(std::min(milliseconds, most));
}

}  // namespace bascule::cib
