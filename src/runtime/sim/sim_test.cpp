#include <gtest/gtest.h>

#include <string>

#include "runtime/sim/append_file.h"
#include "runtime/sim/clock.h"
#include "runtime/sim/disk.h"
#include "runtime/sim/network.h"
#include "runtime/sim/scheduler.h"

namespace bascule::sim {
namespace {

WorldTime at_ms(int ms) { return WorldTime{milliseconds(ms)}; }

TEST(Scheduler, RunsInOrderOfTimeThenOfScheduling) {
  Scheduler scheduler(1);
  std::string story;
  scheduler.at(at_ms(2), [&] { story += "c"; });
  scheduler.at(at_ms(1), [&] { story += "a"; });
  scheduler.at(at_ms(1), [&] { story += "b"; });
  const auto cancelled = scheduler.at(at_ms(1), [&] { story += "x"; });
  scheduler.cancel(cancelled);
  scheduler.run_until(at_ms(5));
  EXPECT_EQ(story, "abc");
  EXPECT_EQ(scheduler.now(), at_ms(5));
}

TEST(Scheduler, CancelOfAnActionThatHasRunDoesNotHitItsSlotsNextOwner) {
  Scheduler scheduler(1);
  int runs = 0;
  const auto first = scheduler.at(at_ms(1), [&] { ++runs; });
  scheduler.run_until(at_ms(1));
  scheduler.at(at_ms(2), [&] { ++runs; });
  scheduler.cancel(first);
  scheduler.run_until(at_ms(2));
  EXPECT_EQ(runs, 2);
}

TEST(Clock, DriftsAndInverts) {
  Clock clock(at_ms(0), instant_from_ns(5), 500);
  EXPECT_EQ(clock.local(at_ms(1000)), instant_from_ns(5) + milliseconds(1000) + microseconds(500));
  for (std::int32_t ppm : {-50'000, -1, 0, 7, 50'000}) {
    const Clock any(at_ms(3), instant_from_ns(77), ppm);
    for (std::int64_t ns : {78, 1000, 123'456'789}) {
      const WorldTime world = any.world(instant_from_ns(ns));
      EXPECT_GE(any.local(world), instant_from_ns(ns));
      EXPECT_LT(any.local(world - Duration{1}), instant_from_ns(ns));
    }
  }
}

TEST(Clock, StandsStillWhileFrozen) {
  Clock clock;
  clock.freeze(at_ms(10));
  EXPECT_EQ(clock.local(at_ms(50)), Instant{milliseconds(10)});
  EXPECT_EQ(clock.world(Instant{milliseconds(11)}), WorldTime::max());
  clock.thaw(at_ms(50));
  EXPECT_EQ(clock.local(at_ms(51)), Instant{milliseconds(11)});
}

Bytes pattern(std::size_t size, Byte value) { return Bytes(size, value); }

Byte byte_at(const Disk& disk, std::uint64_t offset) {
  Byte byte = 0;
  EXPECT_EQ(disk.read(offset, {&byte, 1}), DiskStatus::Ok);
  return byte;
}

TEST(Disk, ReadsSeeTheCacheAndFlushedWritesSurvive) {
  Disk disk(1 << 20);
  ASSERT_EQ(disk.write(100, pattern(9000, 7)), DiskStatus::Ok);
  EXPECT_EQ(byte_at(disk, 9000), 7);
  ASSERT_EQ(disk.flush(), DiskStatus::Ok);
  Prng prng(1);
  disk.power_loss(prng);
  EXPECT_EQ(byte_at(disk, 99), 0);
  EXPECT_EQ(byte_at(disk, 100), 7);
  EXPECT_EQ(byte_at(disk, 9099), 7);
  EXPECT_EQ(byte_at(disk, 9100), 0);
}

TEST(Disk, UnflushedWritesAreLostKeptTornAndReordered) {
  int lost = 0, kept = 0, torn = 0, reordered = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Disk disk(1 << 20);
    ASSERT_EQ(disk.write(0, pattern(16384, 1)), DiskStatus::Ok);
    ASSERT_EQ(disk.write(65536, pattern(512, 2)), DiskStatus::Ok);
    Prng prng(seed);
    disk.power_loss(prng);
    std::size_t sectors = 0;
    for (std::uint64_t sector = 0; sector < 32; ++sector) sectors += byte_at(disk, sector * 512);
    lost += sectors == 0, kept += sectors == 32, torn += sectors % 32 != 0;
    reordered += sectors == 0 && byte_at(disk, 65536) == 2;
    EXPECT_EQ(byte_at(disk, 0), byte_at(disk, 511)) << "a sector is never torn";
  }
  EXPECT_GT(lost, 20);
  EXPECT_GT(kept, 20);
  EXPECT_GT(torn, 40);
  EXPECT_GT(reordered, 5);
}

TEST(Disk, AFlushCoversOnlyWhatWasWrittenBeforeItBegan) {
  bool second_lost = false;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Disk disk(1 << 20);
    ASSERT_EQ(disk.write(0, pattern(512, 1)), DiskStatus::Ok);
    const auto token = disk.begin_flush();
    ASSERT_EQ(disk.write(512, pattern(512, 2)), DiskStatus::Ok);
    ASSERT_EQ(disk.end_flush(token), DiskStatus::Ok);
    EXPECT_EQ(disk.unflushed_bytes(), 512u);
    Prng prng(seed);
    disk.power_loss(prng);
    EXPECT_EQ(byte_at(disk, 0), 1);
    second_lost |= byte_at(disk, 512) == 0;
  }
  EXPECT_TRUE(second_lost);
}

TEST(Disk, InjectedFaults) {
  Disk disk(1 << 20);
  disk.fail_writes(1);
  EXPECT_EQ(disk.write(0, pattern(512, 1)), DiskStatus::IoError);
  EXPECT_EQ(disk.write(0, pattern(512, 1)), DiskStatus::Ok);
  disk.set_full(true);
  EXPECT_EQ(disk.write(0, pattern(512, 1)), DiskStatus::NoSpace);
  disk.set_full(false);
  disk.fail_flushes(1);
  EXPECT_EQ(disk.flush(), DiskStatus::IoError);
  EXPECT_EQ(disk.unflushed_bytes(), 512u);
  disk.mark_bad(1);
  Bytes into(1024);
  EXPECT_EQ(disk.read(0, into), DiskStatus::IoError);
  EXPECT_EQ(disk.read(0, std::span(into).first(512)), DiskStatus::Ok);
  EXPECT_EQ(disk.write(512, pattern(1, 1)), DiskStatus::Ok);
  EXPECT_EQ(disk.read(0, into), DiskStatus::Ok);
}

TEST(Disk, ComparesDurableContents) {
  Disk a(1 << 20), b(1 << 20);
  ASSERT_EQ(a.write(0, pattern(1, 0)), DiskStatus::Ok);
  ASSERT_EQ(a.flush(), DiskStatus::Ok);
  EXPECT_TRUE(a.durable_equals(b));
  ASSERT_EQ(a.write(0, pattern(1, 5)), DiskStatus::Ok);
  EXPECT_TRUE(a.durable_equals(b));
  ASSERT_EQ(a.flush(), DiskStatus::Ok);
  EXPECT_FALSE(a.durable_equals(b));
  a.corrupt(0, 5);
  EXPECT_TRUE(a.durable_equals(b));
}

TEST(AppendFile, KeepsAtLeastWhatWasFlushed) {
  bool shorter = false, longer = false;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Disk disk(1 << 20);
    AppendFile file(disk, 4096, 65536);
    ASSERT_EQ(file.append(pattern(1000, 1)), DiskStatus::Ok);
    ASSERT_EQ(file.flush(), DiskStatus::Ok);
    ASSERT_EQ(file.append(pattern(1000, 2)), DiskStatus::Ok);
    Prng prng(seed);
    disk.power_loss(prng);
    file.power_loss(prng);
    const Bytes contents = file.contents();
    ASSERT_GE(contents.size(), 1000u);
    EXPECT_EQ(Bytes(contents.begin(), contents.begin() + 1000), pattern(1000, 1));
    shorter |= contents.size() < 2000;
    longer |= contents.size() > 1000;
  }
  EXPECT_TRUE(shorter && longer);
}

TEST(AppendFile, StaysAsItIsWhenItCannotBeCut) {
  Disk disk(1 << 20);
  AppendFile file(disk, 4096, 65536);
  ASSERT_EQ(file.append(pattern(1000, 1)), DiskStatus::Ok);
  ASSERT_EQ(file.flush(), DiskStatus::Ok);
  disk.fail_writes(1);
  EXPECT_EQ(file.truncate(0), DiskStatus::IoError);
  EXPECT_EQ(file.contents(), pattern(1000, 1));
  disk.fail_flushes(1);
  EXPECT_EQ(file.truncate(0), DiskStatus::IoError);
  EXPECT_EQ(file.size(), 1000u);
  ASSERT_EQ(file.truncate(0), DiskStatus::Ok);
  ASSERT_EQ(file.append(pattern(100, 2)), DiskStatus::Ok);
  EXPECT_EQ(file.contents(), pattern(100, 2));
}

struct Mailbox {
  Scheduler scheduler{7};
  std::vector<int> received;
  Network<int> network;
  explicit Mailbox(Transport transport)
      : network(scheduler, 2, transport, [this](std::size_t, std::size_t, int value) { received.push_back(value); }) {}
  void send_many(int count) {
    for (int i = 0; i < count; ++i) network.send(0, 1, i);
  }
};

TEST(Network, AStreamKeepsOrderAndACutLosesWhatIsUnderWay) {
  Mailbox box(Transport::Stream);
  box.send_many(100);
  box.scheduler.run_until(at_ms(10));
  ASSERT_EQ(box.received.size(), 100u);
  EXPECT_TRUE(std::is_sorted(box.received.begin(), box.received.end()));
  box.send_many(3);
  box.network.cut(0, 1);
  box.send_many(3);
  box.scheduler.run_until(at_ms(20));
  EXPECT_EQ(box.received.size(), 100u);
  box.network.heal(0, 1);
  box.send_many(1);
  box.scheduler.run_until(at_ms(30));
  EXPECT_EQ(box.received.size(), 101u);
}

TEST(Network, DatagramsAreLostDuplicatedAndReordered) {
  Mailbox box(Transport::Datagram);
  box.network.faults(0, 1).loss_permille = 500;
  box.send_many(1000);
  box.scheduler.run_until(at_ms(10));
  EXPECT_NEAR(static_cast<double>(box.received.size()), 500, 100);
  EXPECT_FALSE(std::is_sorted(box.received.begin(), box.received.end()));
  box.received.clear();
  box.network.faults(0, 1) = {.duplicate_permille = 1000};
  box.send_many(10);
  box.scheduler.run_until(at_ms(20));
  EXPECT_EQ(box.received.size(), 20u);
}

}  // namespace
}  // namespace bascule::sim
