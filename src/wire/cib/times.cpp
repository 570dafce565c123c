// ISO 8601 times and calendars as Pacemaker counts them: ordinal days, weeks, offsets.
#include "wire/cib/times.h"

#include <array>
#include <limits>

#include "wire/cib/detail/calendar.h"

namespace bascule::cib {
namespace {

using namespace detail;

constexpr bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// Numbers read in a row, as scanf's %d with a most number of characters reads them: blanks before and a sign are
/// allowed. Where one cannot be read, the rest cannot either.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  /// Counts as read or not.
  bool number(int& to, std::size_t width = std::string_view::npos) {
    if (stopped_) return false;
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
    if (at_ == text_.size() && read_ == 0) empty_ = true;
    const std::size_t limit = width > text_.size() - at_ ? text_.size() : at_ + width;
    std::size_t at = at_;
    const bool negative = at < limit && text_[at] == '-';
    if (at < limit && (text_[at] == '-' || text_[at] == '+')) ++at;
    const std::size_t first = at;
    std::int64_t value = 0;
    for (; at < limit && is_digit(text_[at]); ++at)
      if (value < std::numeric_limits<std::int32_t>::max()) value = value * 10 + (text_[at] - '0');
    stopped_ = at == first || value > std::numeric_limits<std::int32_t>::max();
    if (stopped_) return false;
    at_ = at;
    to = static_cast<int>(negative ? -value : value);
    ++read_;
    return true;
  }
  void literal(std::string_view word) {
    if (stopped_ || text_.substr(at_, word.size()) != word)
      stopped_ = true;
    else
      at_ += word.size();
  }
  [[nodiscard]] int read() const { return read_; }
  /// Nothing but blanks was there.
  [[nodiscard]] bool empty() const { return empty_; }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  int read_ = 0;
  bool stopped_ = false;
  bool empty_ = false;
};

struct Day {
  int year = 0;
  int month = 0;
  int day = 0;
  int read = 0;
};

/// Three numbers, "-" before the last: "2024-05-17" (`between` "-"), "2024-W20-5" ("-W").
Day scan_dashed(std::string_view text, std::string_view between) {
  Day result;
  Scanner scanner(text);
  scanner.number(result.year);
  scanner.literal(between);
  scanner.number(result.month);
  scanner.literal("-");
  scanner.number(result.day);
  result.read = scanner.read();
  return result;
}

Day scan_packed(std::string_view text) {
  Day result;
  Scanner scanner(text);
  scanner.number(result.year, 4);
  scanner.number(result.month, 2);
  scanner.number(result.day, 2);
  result.read = scanner.read();
  return result;
}

/// Days since 1 January of year 1.
std::optional<std::int64_t> parse_day(std::string_view text) {
  Day day = scan_dashed(text, "-");
  if (day.read == 1) day = scan_packed(text);
  if (day.read == 3) {
    if (day.year < 1 || day.month < 1 || day.month > 12 || day.day < 0 || day.day > days_of_month(day.month, day.year))
      return std::nullopt;
    const int year_day = day_of_year(day.year, day.month, day.day);  // a day 0 is the last of the month before
    if (year_day < 1) return std::nullopt;
    return days_before_year(day.year) + year_day - 1;
  }
  day = scan_dashed(text, "-");
  if (day.read == 2) {  // year and day of the year
    if (day.year < 1 || day.month < 1 || day.month > days_of_year(day.year)) return std::nullopt;
    return days_before_year(day.year) + day.month - 1;
  }
  day = scan_dashed(text, "-W");
  if (day.read != 3 || day.year < 1 || day.month < 0 || day.month > weeks_of_year(day.year) || day.day < 1 ||
      day.day > 7)
    return std::nullopt;
  const int first = first_weekday(day.year);
  return days_before_year(day.year) + (day.month - 1) * 7 + (first <= 4 ? 1 - first : 8 - first) + day.day - 1;
}

/// Seconds of "12:34:56", "123456", "12"; 0 of nothing.
std::optional<int> parse_time_of_day(std::string_view text) {
  int hours = 0;
  int minutes = 0;
  int seconds = 0;
  Scanner spaced(text);
  spaced.number(hours);
  spaced.literal(":");
  spaced.number(minutes);
  spaced.literal(":");
  spaced.number(seconds);
  if (spaced.read() == 0) return spaced.empty() ? std::optional<int>(0) : std::nullopt;
  if (spaced.read() == 1) {
    Scanner packed(text);
    packed.number(hours, 2);
    packed.number(minutes, 2);
    packed.number(seconds, 2);
  }
  const bool midnight = hours == 24 && minutes == 0 && seconds == 0;
  if (hours < 0 || minutes < 0 || seconds < 0 || minutes > 59 || seconds > 59 || (hours > 23 && !midnight))
    return std::nullopt;
  return hours * 3600 + minutes * 60 + seconds;
}

/// "Z", "+02:00", "-0500"; what starts otherwise is no offset, and counts as none.
std::optional<int> parse_offset(std::string_view text) {
  if (text.empty() || (text.front() != '+' && text.front() != '-' && !is_digit(text.front()))) return 0;
  const bool negative = text.front() == '-';
  const auto seconds = parse_time_of_day(text.substr(negative ? 1 : 0));
  return !seconds ? seconds : negative ? -*seconds : *seconds;
}

std::optional<std::int64_t> with_time(std::int64_t day, std::string_view text, const Clock& clock) {
  const auto seconds = parse_time_of_day(text);
  if (!seconds) return std::nullopt;
  auto zone = text.find('Z');
  if (zone == std::string_view::npos) zone = text.find(' ');
  std::optional<int> offset = clock.local_offset_s;
  if (zone != std::string_view::npos) {
    while (zone < text.size() && is_blank(text[zone])) ++zone;
    offset = parse_offset(text.substr(zone));
  }
  if (!offset) return std::nullopt;
  return (day - epoch_day) * day_s + *seconds - *offset;
}

bool is_epoch(std::string_view text) {
  constexpr std::string_view word = "epoch";
  for (std::size_t i = 0; i < word.size(); ++i)
    if (i >= text.size() || (text[i] | 0x20) != word[i]) return false;
  return text.size() == word.size() || text[word.size()] == '/' || is_blank(text[word.size()]);
}

int moon_of(int year, int year_day) {
  // The age of the moon at new year from the golden number (the epact of the Gregorian calendar), then in eighths.
  const int golden = year % 19 + 1;
  int epact = (11 * golden + 18) % 30;
  if ((epact == 25 && golden > 11) || epact == 24) ++epact;
  return ((year_day + epact) * 6 + 11) % 177 / 22 & 7;
}

std::int64_t floor_div(std::int64_t value, std::int64_t by) { return (value - (value % by + by) % by) / by; }

int year_of_day(std::int64_t day) {
  std::int64_t year = floor_div(day * 400, 146'097) + 1;
  while (days_before_year(year) > day) --year;
  while (days_before_year(year + 1) <= day) ++year;
  return static_cast<int>(year);
}

}  // namespace

std::optional<std::int64_t> parse_time(std::string_view text, const Clock& clock) {
  if (text.empty()) return std::nullopt;
  if (is_epoch(text)) return 0;
  if (text.front() == 'T' || (text.size() > 2 && text[2] == ':')) {
    const std::int64_t today = floor_div(clock.now_s + clock.local_offset_s, day_s) + epoch_day;
    return with_time(today, text.substr(text.front() == 'T' ? 1 : 0), clock);
  }
  const auto day = parse_day(text);
  if (!day) return std::nullopt;
  std::size_t at = 0;
  while (at < text.size() && (is_digit(text[at]) || text[at] == '-' || text[at] == 'W')) ++at;
  if (at < text.size() && (text[at] == ' ' || text[at] == 'T')) ++at;
  return with_time(*day, text.substr(at), clock);
}

CalendarTime calendar_of(std::int64_t epoch_s, std::int32_t offset_s) {
  const std::int64_t local = epoch_s + offset_s;
  const std::int64_t day = floor_div(local, day_s) + epoch_day;
  const int second = static_cast<int>(local - floor_div(local, day_s) * day_s);
  CalendarTime result;
  result.year = year_of_day(day);
  result.year_day = static_cast<int>(day - days_before_year(result.year)) + 1;
  result.month_day = result.year_day;
  while (result.month_day > days_of_month(result.month, result.year))
    result.month_day -= days_of_month(result.month++, result.year);
  result.hours = second / 3600;
  result.minutes = second / 60 % 60;
  result.seconds = second % 60;
  result.week_day = static_cast<int>(((day % 7) + 7) % 7) + 1;
  const std::int64_t thursday = day + 4 - result.week_day;  // its year is the week's
  result.week_year = year_of_day(thursday);
  result.week = static_cast<int>(thursday - days_before_year(result.week_year)) / 7 + 1;
  result.moon = moon_of(result.year, result.year_day);
  return result;
}

std::int64_t add_period(std::int64_t epoch_s, const Period& period) {
  const CalendarTime start = calendar_of(epoch_s);
  const std::int64_t second = epoch_s - floor_div(epoch_s, day_s) * day_s;
  std::int64_t year = std::int64_t{start.year} + period.years;
  int year_day = start.year_day;
  if (period.months != 0) {
    // The day of the month is counted in the new year.
    int month = 1;
    int month_day = year_day;
    while (month < 12 && month_day > days_of_month(month, year)) month_day -= days_of_month(month++, year);
    const std::int64_t months = year * 12 + month - 1 + period.months;
    year = floor_div(months, 12);
    month = static_cast<int>(months - year * 12) + 1;
    year_day = day_of_year(year, month, std::min(month_day, days_of_month(month, year)));
  }
  const std::int64_t days =
      days_before_year(year) + year_day - 1 + std::int64_t{period.weeks} * 7 + period.days - epoch_day;
  return days * day_s + second + std::int64_t{period.hours} * 3600 + std::int64_t{period.minutes} * 60 + period.seconds;
}

}  // namespace bascule::cib
