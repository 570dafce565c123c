#include "wire/cib/times.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <setjmp.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>

namespace bascule::cib {
namespace {

// What Pacemaker 2.1.5 makes of each (crm_time_new, in UTC).
TEST(CibTime, ReadsIso8601AsPacemakerDoes) {
  EXPECT_EQ(parse_time("2019-09-23 09:00:00 -05:00"), 1569247200);
  EXPECT_EQ(parse_time("2019-W39-1"), 1569196800);
  EXPECT_EQ(parse_time("2019-266"), 1569196800);
  EXPECT_EQ(parse_time("20190923T0900Z"), 1569229200);
  EXPECT_EQ(parse_time("2019-09-23T24:00:00Z"), 1569283200);
  EXPECT_EQ(parse_time("2020-W53-7"), 1609632000);
  EXPECT_EQ(parse_time("2019-02-00Z"), parse_time("2019-01-31Z"));
  EXPECT_EQ(parse_time("epoch"), 0);
  EXPECT_EQ(parse_time("1969-12-31 23:59:59Z"), -1);
  EXPECT_EQ(parse_time("9999-12-31 23:59:59Z"), 253402300799);
  for (const char* text : {"", "2019", "2019-02-30Z", "2019-366", "2019-W53-1", "2019-13-01", "2019-09-23T25:00Z",
                           "2019-09-23T09:00:60Z", "2019-09-23 foo", "1568937600"})
    EXPECT_EQ(parse_time(text), std::nullopt) << text;
}

TEST(CibTime, TakesDateAndOffsetFromTheClock) {
  EXPECT_EQ(parse_time("09:00", {.now_s = 1569247200}), 1569229200);
  EXPECT_EQ(parse_time("2019-09-23 09:00", {.local_offset_s = 7200}), 1569229200 - 7200);
  EXPECT_EQ(parse_time("2019-09-23 09:00Z", {.local_offset_s = 7200}), 1569229200);
}

TEST(CibTime, IntervalsAsPacemakerReadsThem) {
  EXPECT_EQ(parse_interval_ms("10s"), 10'000U);
  EXPECT_EQ(parse_interval_ms("5min"), 300'000U);
  EXPECT_EQ(parse_interval_ms("30"), 30'000U);
  EXPECT_EQ(parse_interval_ms(" 2 hr"), 7'200'000U);
  EXPECT_EQ(parse_interval_ms("10us"), 0U);
  EXPECT_EQ(parse_interval_ms("1.5s"), 1'000U);
  EXPECT_EQ(parse_interval_ms("PT1H"), 3'600'000U);
  EXPECT_EQ(parse_interval_ms("P1M"), 2'592'000'000U);
  EXPECT_EQ(parse_interval_ms("P1D"), 0U);  // its own arithmetic: days of a duration count from 1
  EXPECT_EQ(parse_interval_ms("P1W"), 518'400'000U);
  EXPECT_EQ(parse_interval_ms("4294967296ms"), 4'294'967'295U);
  EXPECT_EQ(parse_msec(".5s"), -1'000);
  EXPECT_EQ(parse_interval_ms(".5us"), 0U);
  for (const char* text : {"", ".5s", "3d", "-5", "+5", "abc", "P", "PT", "P1", "10x"})
    EXPECT_EQ(parse_interval_ms(text), std::nullopt) << text;
}

TEST(CibTime, TheCalendarRunsBothWays) {
  rc::check([] {
    const auto moment = *rc::gen::inRange<std::int64_t>(-62'135'596'800, 253'402'300'800);
    const CalendarTime c = calendar_of(moment);
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%04d-%02d-%02d %02d:%02d:%02dZ", c.year, c.month, c.month_day, c.hours,
                  c.minutes, c.seconds);
    RC_ASSERT(parse_time(text.data()) == moment);
    std::snprintf(text.data(), text.size(), "%04d-%03d %02d:%02d:%02dZ", c.year, c.year_day, c.hours, c.minutes,
                  c.seconds);
    RC_ASSERT(parse_time(text.data()) == moment);
    if (c.week_year < 1) return;
    std::snprintf(text.data(), text.size(), "%04d-W%02d-%d %02d:%02d:%02dZ", c.week_year, c.week, c.week_day, c.hours,
                  c.minutes, c.seconds);
    RC_ASSERT(parse_time(text.data()) == moment);
  });
}

TEST(CibTime, PeriodsAreAddedInTheirOwnUnits) {
  const auto at = [](const char* text) { return parse_time(text).value(); };
  EXPECT_EQ(add_period(at("2020-01-31 10:00Z"), {.months = 1}), at("2020-02-29 10:00Z"));
  EXPECT_EQ(add_period(at("2020-03-31 10:00Z"), {.months = -1}), at("2020-02-29 10:00Z"));
  EXPECT_EQ(add_period(at("2020-12-31 10:00Z"), {.days = 1, .seconds = -1}), at("2021-01-01 09:59:59Z"));
  EXPECT_EQ(add_period(at("2019-060 10:00Z"), {.years = 1}), at("2020-060 10:00Z"));
}

sigjmp_buf library_crashed;
void on_crash(int) { siglongjmp(library_crashed, 1); }

/// Pacemaker's own library where it is installed (Debian: libcrmcommon34).
class Pacemaker : public testing::Test {
 protected:
  void SetUp() override {
    setenv("TZ", "UTC", 1);
    library_ = dlopen("libcrmcommon.so.34", RTLD_NOW);
    if (library_ == nullptr) GTEST_SKIP() << "libcrmcommon.so.34 is not installed";
    function("crm_get_msec", get_msec);
    function("crm_parse_interval_spec", parse_interval);
    function("crm_time_new", time_new);
    function("crm_time_get_seconds_since_epoch", seconds_since_epoch);
    function("crm_time_free", time_free);
  }
  template <typename Function>
  void function(const char* name, Function& to) {
    to = reinterpret_cast<Function>(dlsym(library_, name));
  }
  std::optional<std::int64_t> time_of(const std::string& text) const {
    void* time = time_new(text.c_str());
    if (time == nullptr) return std::nullopt;
    const std::int64_t result = seconds_since_epoch(time);
    time_free(time);
    return result;
  }

  /// Nothing: Pacemaker 2.1.5 divides by zero on some of the numbers that are too large.
  std::optional<unsigned> interval_of(const std::string& text) const {
    const auto before = std::signal(SIGFPE, on_crash);
    std::optional<unsigned> result;
    if (sigsetjmp(library_crashed, 1) == 0) result = parse_interval(text.c_str());
    std::signal(SIGFPE, before);
    return result;
  }

  long long (*get_msec)(const char*) = nullptr;
  unsigned (*parse_interval)(const char*) = nullptr;
  void* (*time_new)(const char*) = nullptr;
  long long (*seconds_since_epoch)(void*) = nullptr;
  void (*time_free)(void*) = nullptr;

 private:
  void* library_ = nullptr;
};

std::string pieces(const std::vector<std::string>& alphabet) {
  std::string result;
  for (const auto& piece : *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(alphabet))) result += piece;
  return result.substr(0, 40);
}

TEST_F(Pacemaker, ReadsTheSameIntervals) {
  const std::vector<std::string> alphabet = {"1", "2",   "30", "9", "0",  " ", ".",  "s", "ms", "sec",
                                             "m", "min", "us", "h", "hr", "P", "PT", "T", "D",  "W",
                                             "M", "H",   "\t", "S", "Y",  "-", "+",  "x", "/",  "999999999"};
  rc::check([&] {
    const std::string text = pieces(alphabet);
    if (text.empty()) return;
    const std::string tail = (*rc::gen::arbitrary<bool>() ? "P" : "") + text;
    RC_LOG() << tail;
    RC_ASSERT(parse_msec(tail) == get_msec(tail.c_str()));
    if (const auto theirs = interval_of(tail)) RC_ASSERT(parse_interval_ms(tail).value_or(0) == *theirs);
  });
}

TEST_F(Pacemaker, ReadsTheSameTimes) {
  rc::check([&] {
    const auto number = [](int low, int high) { return std::to_string(*rc::gen::inRange(low, high)); };
    const auto padded = [&](int low, int high) {
      const std::string text = number(low, high);
      return text.size() < 2 ? "0" + text : text;
    };
    std::string date = number(1900, 2100);
    switch (*rc::gen::inRange(0, 4)) {
      case 0:
        date += "-" + padded(0, 14) + "-" + padded(0, 33);
        break;
      case 1:
        date += "-" + number(0, 370);
        break;
      case 2:
        date += "-W" + padded(0, 55) + "-" + number(0, 9);
        break;
      default:
        date += padded(1, 13) + padded(1, 30);
        break;
    }
    std::string time = *rc::gen::element<std::string>("T", " ", "  ");
    time += *rc::gen::element<std::string>(padded(0, 26), padded(0, 25) + ":" + padded(0, 61),
                                           padded(0, 24) + ":" + padded(0, 60) + ":" + padded(0, 61),
                                           padded(0, 24) + padded(0, 60) + padded(0, 61), "", "x");
    time += *rc::gen::element<std::string>("", "Z", " Z", " +" + padded(0, 15) + ":" + padded(0, 60), " -0500",
                                           "+01:00", " foo", " -3", ".5Z");
    const std::string text = date + time;
    RC_LOG() << text;
    RC_ASSERT(parse_time(text) == time_of(text));
  });
}

}  // namespace
}  // namespace bascule::cib
