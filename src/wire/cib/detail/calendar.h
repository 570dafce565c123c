#pragma once

#include <cstdint>

namespace bascule::cib::detail {

inline constexpr std::int64_t day_s = 86'400;
/// Days from 1 January of year 1 to the epoch.
inline constexpr std::int64_t epoch_day = 719'162;

[[nodiscard]] constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

[[nodiscard]] constexpr bool is_leap(std::int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}
[[nodiscard]] constexpr int days_of_year(std::int64_t year) { return is_leap(year) ? 366 : 365; }

/// Days from 1 January of year 1 to 1 January of `year`.
[[nodiscard]] constexpr std::int64_t days_before_year(std::int64_t year) {
  const std::int64_t years = year - 1;
  return years * 365 + years / 4 - years / 100 + years / 400;
}

[[nodiscard]] constexpr int days_of_month(int month, std::int64_t year) {
  if (month == 2) return is_leap(year) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/// 1..366.
[[nodiscard]] constexpr int day_of_year(std::int64_t year, int month, int day) {
  for (int before = 1; before < month; ++before) day += days_of_month(before, year);
  return day;
}

/// The weekday of 1 January, 1 is Monday. 1 January of year 1 was one.
[[nodiscard]] constexpr int first_weekday(std::int64_t year) {
  return static_cast<int>(days_before_year(year) % 7) + 1;
}

[[nodiscard]] constexpr int weeks_of_year(std::int64_t year) {
  const int first = first_weekday(year);
  return first == 4 || (first == 3 && is_leap(year)) ? 53 : 52;
}

}  // namespace bascule::cib::detail
