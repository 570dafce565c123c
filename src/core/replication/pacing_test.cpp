#include "core/replication/detail/resync/pacing.h"

#include <gtest/gtest.h>

#include <deque>

namespace bascule::replication::detail {
namespace {

/// A disk and a link in a row, each with its rate, and a delay that bytes do not lengthen.
struct Pipe {
  std::uint64_t disk_bytes_per_s;
  std::uint64_t link_bytes_per_s;
  Duration delay;
};

struct Outcome {
  std::uint64_t bytes = 0;
  Duration longest_queue{};  ///< that an application's request would have stood behind, at the end
};

Duration time_of(std::uint64_t bytes, std::uint64_t rate) {
  return microseconds(static_cast<std::int64_t>(bytes * 1'000'000 / rate));
}

Outcome run(Pacing& pacing, const Pipe& pipe, Duration length, Duration application_every = Duration{}) {
  struct Answer {
    std::uint64_t bytes;
    Instant asked_at;
    Instant at;
  };
  Instant now = instant_from_ns(1'000'000'000);
  const Instant end = now + length;
  Instant disk_free = now;
  Instant link_free = now;
  Instant application_at = now;
  std::deque<Answer> answers;
  Outcome outcome;
  pacing.begin(now);
  for (; now < end; now += microseconds(100)) {
    if (application_every != Duration{} && application_at <= now) {
      pacing.application_io(now);
      application_at = now + application_every;
    }
    while (!answers.empty() && answers.front().at <= now) {
      pacing.answered(answers.front().bytes, answers.front().asked_at, now);
      outcome.bytes += answers.front().bytes;
      answers.pop_front();
    }
    for (std::uint64_t allowance = pacing.allowance(now); allowance != 0; allowance = pacing.allowance(now)) {
      const std::uint64_t bytes = std::min(allowance, pacing.request_bytes(now));
      pacing.asked(bytes);
      disk_free = std::max(disk_free, now) + time_of(bytes, pipe.disk_bytes_per_s);
      link_free = std::max(link_free, disk_free) + time_of(bytes, pipe.link_bytes_per_s);
      answers.push_back({bytes, now, link_free + pipe.delay});
    }
    if (now > end - length / 2) outcome.longest_queue = std::max(outcome.longest_queue, link_free - now);
  }
  return outcome;
}

constexpr std::uint64_t mib = 1 << 20;

class OwnPacing : public ::testing::TestWithParam<Pipe> {};

TEST_P(OwnPacing, HoldsFourFifthsOfTheSlowerOfDiskAndLink) {
  Pacing pacing(drbd_config::Options{}, 0);
  const Outcome outcome = run(pacing, GetParam(), seconds(10));
  const std::uint64_t slower = std::min(GetParam().disk_bytes_per_s, GetParam().link_bytes_per_s);
  EXPECT_GE(outcome.bytes, slower * 10 * 8 / 10);
  EXPECT_LE(outcome.bytes, slower * 10);
}

INSTANTIATE_TEST_SUITE_P(Rates, OwnPacing,
                         ::testing::Values(Pipe{100 * mib, 1000 * mib, microseconds(200)},
                                           Pipe{1000 * mib, 110 * mib, microseconds(200)},
                                           Pipe{500 * mib, 500 * mib, milliseconds(2)},
                                           Pipe{5 * mib, 100 * mib, milliseconds(5)},
                                           Pipe{200 * mib, 100 * mib, milliseconds(40)}));

TEST(Pacing, AnApplicationStandsBehindLittle) {
  Pacing pacing(drbd_config::Options{}, 0);
  const Outcome outcome = run(pacing, {100 * mib, 100 * mib, microseconds(200)}, seconds(5), milliseconds(10));
  EXPECT_LE(outcome.longest_queue, milliseconds(12));
  EXPECT_GE(outcome.bytes, 100 * mib);  // and the resync still gets on
}

TEST(Pacing, TheLimitOfTheConfigurationIsKept) {
  Pacing pacing(drbd_config::Options{}, 10 * mib);
  const Outcome outcome = run(pacing, {500 * mib, 500 * mib, microseconds(200)}, seconds(10));
  EXPECT_LE(outcome.bytes, 102 * mib);
  EXPECT_GE(outcome.bytes, 80 * mib);
}

TEST(DrbdPacing, AFixedRateWithoutPlan) {
  drbd_config::Options options;
  options.disk.c_plan_ahead_ds = 0;
  options.disk.resync_rate_kib_per_s = 10 * 1024;
  Pacing pacing(options, 0);
  const Outcome outcome = run(pacing, {500 * mib, 500 * mib, microseconds(200)}, seconds(10));
  EXPECT_GE(outcome.bytes, 95 * mib);
  EXPECT_LE(outcome.bytes, 102 * mib);
}

TEST(DrbdPacing, NeverFasterThanTheMaximalRate) {
  drbd_config::Options options;
  options.disk.c_max_rate_kib_per_s = 20 * 1024;
  options.disk.c_fill_target_sectors = 20 * 1024;
  Pacing pacing(options, 0);
  const Outcome outcome = run(pacing, {500 * mib, 500 * mib, microseconds(200)}, seconds(10));
  EXPECT_LE(outcome.bytes, 202 * mib);
  EXPECT_GE(outcome.bytes, 150 * mib);
}

/// Facts, section 9: the steps by hand for a plan of two.
TEST(DrbdPacing, StepsAsDrbdDoes) {
  drbd_config::Disk disk;
  disk.c_plan_ahead_ds = 2;
  disk.c_fill_target_sectors = 1000;
  disk.resync_rate_kib_per_s = 1000;
  PlanPacing pacing(disk, 2048);
  // Nothing yet: wanted 1000 * 2 * 0.1 s * 2 = 400, half of it in each slot.
  EXPECT_EQ(pacing.step(0, 0), 200U);
  // Wanted 1000, 200 in flight, 200 planned: 300 more in each slot.
  EXPECT_EQ(pacing.step(0, 200), (200U + 300U) / 8 * 8);
  // Wanted 1000, in flight 600, planned 300: 50 each; 100 have arrived.
  EXPECT_EQ(pacing.step(100, 600), (100U + 300U + 50U) / 8 * 8);
}

TEST(DrbdPacing, MaxBuffersCapWhatIsUnderWay) {
  drbd_config::Disk disk;
  disk.c_plan_ahead_ds = 0;
  disk.resync_rate_kib_per_s = 1'000'000;
  PlanPacing pacing(disk, 64);
  EXPECT_EQ(pacing.step(0, 0), 32U * 8);
  EXPECT_EQ(pacing.step(0, 30 * 8), 2U * 8);
  EXPECT_EQ(pacing.step(0, 40 * 8), 0U);
}

TEST(Pacing, IsDrbdsOnlyWhenSomebodySetIt) {
  drbd_config::Disk disk;
  EXPECT_FALSE(pacing_configured(disk));
  disk.c_fill_target_sectors = 0;
  EXPECT_TRUE(pacing_configured(disk));
}

}  // namespace
}  // namespace bascule::replication::detail
