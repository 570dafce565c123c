#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

/// ISO 8601 as Pacemaker 2.1.5 reads it, its oddities too (FORMAT.md lists them). Integers only; the Gregorian calendar
/// is extended backwards to year 1, and seconds do not leap.
namespace bascule::cib {

/// What a time text may leave out.
struct Clock {
  std::int64_t now_s = 0;           ///< whose date a mere time of day takes
  std::int32_t local_offset_s = 0;  ///< east of Greenwich; of times without an offset
};

/// Seconds since the epoch of "2019-09-23 09:00:00 -05:00", "2019-W39-1", "2019-266T10:00Z", "20190923", "epoch" or
/// "10:00"; nothing if it cannot be read.
[[nodiscard]] std::optional<std::int64_t> parse_time(std::string_view text, const Clock& clock = {});

/// One moment as people count it.
struct CalendarTime {
  int year = 1970;
  int month = 1;      ///< 1..12
  int month_day = 1;  ///< 1..31
  int year_day = 1;   ///< 1..366
  int hours = 0;
  int minutes = 0;
  int seconds = 0;
  int week_year = 1970;
  int week = 1;      ///< ISO week, 1..53
  int week_day = 4;  ///< 1 is Monday, 7 Sunday
  int moon = 0;      ///< 0 new .. 4 full .. 7
};
[[nodiscard]] CalendarTime calendar_of(std::int64_t epoch_s, std::int32_t offset_s = 0);

/// A length of time in the calendar's units, each on its own.
struct Period {
  std::int32_t years = 0;
  std::int32_t months = 0;
  std::int32_t weeks = 0;
  std::int32_t days = 0;
  std::int32_t hours = 0;
  std::int32_t minutes = 0;
  std::int32_t seconds = 0;
};
/// The moment `period` after `epoch_s`, added from years down to seconds. Months keep the day or take the month's last;
/// years keep the day of the year.
[[nodiscard]] std::int64_t add_period(std::int64_t epoch_s, const Period& period);

/// The 64-bit milliseconds of "10s", "5min", "2 hr", "500ms", "30" (seconds); negative: cannot be read. Cut, not
/// rounded, at the decimal point; saturates.
[[nodiscard]] std::int64_t parse_msec(std::string_view text);

/// The interval of an operation in milliseconds: as parse_msec, or an ISO 8601 duration ("PT1H"). Nothing where
/// Pacemaker reports an error and takes 0. Saturates at 2^32-1.
[[nodiscard]] std::optional<std::uint32_t> parse_interval_ms(std::string_view text);

}  // namespace bascule::cib
