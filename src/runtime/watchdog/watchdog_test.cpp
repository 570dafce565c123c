#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <thread>

#include "base/test_directory.h"
#include "runtime/watchdog/client.h"
#include "runtime/watchdog/lease_file.h"
#include "runtime/watchdog/ledger.h"
#include "runtime/watchdog/watchdog_device.h"

namespace bascule::watchdog {
namespace {

const std::vector<std::string> names{"volume:data", "service:shop"};
const Duration lease_max = milliseconds(450);
Instant at_ms(std::int64_t ms) { return Instant{milliseconds(ms)}; }

class InDirectory : public testing::Test {
 protected:
  LeaseFile create(const std::vector<std::string>& wanted = names) const {
    auto file = LeaseFile::create(directory, wanted);
    if (!file) throw std::runtime_error(file.error().text());
    return std::move(*file);
  }
  TestDirectory made;
  std::string directory = made.path();
};

// --- the page

TEST(LeasePage, AReaderNeverSeesHalfALease) {
  LeasePage page{};
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (std::uint64_t i = 1; i <= 200'000; ++i)
      write_slot(page.slots[0], {i, instant_from_ns(static_cast<std::int64_t>(i) * 7)});
    done = true;
  });
  std::uint64_t last = 0, mixed = 0;
  while (!done) {
    const Lease lease = read_slot(page.slots[0]);
    if (lease.end == Instant{}) continue;  // given up, or nothing written yet: no lease is always a safe answer
    if (to_ns(lease.end) != static_cast<std::int64_t>(lease.epoch) * 7 || lease.epoch < last) ++mixed;
    last = lease.epoch;
  }
  writer.join();
  EXPECT_EQ(mixed, 0u);
  EXPECT_EQ(read_slot(page.slots[0]).epoch, 200'000u);
}

TEST(LeasePage, AWriterThatStoppedInsideLeavesNoLease) {
  LeasePage page{};
  write_slot(page.slots[0], {3, at_ms(100)});
  page.slots[0].sequence.fetch_add(1);
  EXPECT_EQ(read_slot(page.slots[0]).end, Instant{});
  write_slot(page.slots[0], {3, at_ms(200)});
  EXPECT_EQ(read_slot(page.slots[0]).end, at_ms(200));
}

TEST_F(InDirectory, LeasesOutliveTheWriter) {
  {
    auto file = create();
    write_slot(file.writable_page().slots[1], {4, at_ms(77)});
  }
  const auto file = create();
  const auto reader = LeaseFile::open(directory);
  ASSERT_TRUE(reader);
  ASSERT_NE(reader->find("service:shop"), nullptr);
  EXPECT_EQ(read_slot(*reader->find("service:shop")).epoch, 4u);
  EXPECT_EQ(read_slot(*reader->find("service:shop")).end, at_ms(77));
  EXPECT_EQ(reader->find("service:other"), nullptr);
  EXPECT_EQ(reader->find(""), nullptr);
}

TEST_F(InDirectory, AReaderSeesWhatTheRestartedWriterWrites) {
  auto first = std::make_unique<LeaseFile>(create());
  const auto reader = LeaseFile::open(directory);
  first.reset();
  auto second = create({"volume:data", "service:shop", "service:more"});
  write_slot(second.writable_page().slots[2], {1, at_ms(5)});
  ASSERT_NE(reader->find("service:more"), nullptr);
  EXPECT_EQ(read_slot(*reader->find("service:more")).epoch, 1u);
}

TEST_F(InDirectory, NewSlotsComeAtTheEndOfThePageThatReadersHaveOpen) {
  auto file = create();
  const auto reader = LeaseFile::open(directory);
  const LeaseSlot* before = reader->find("service:shop");
  ASSERT_TRUE(file.add_slots({"service:web", "service:shop"}));
  ASSERT_TRUE(file.add_slots({"service:web"})) << "twice is once";
  EXPECT_EQ(reader->page().slot_count, 3u);
  EXPECT_EQ(reader->find("service:shop"), before);
  write_slot(file.writable_page().slots[2], {4, at_ms(5)});
  EXPECT_EQ(read_slot(*reader->find("service:web")).epoch, 4u);
  std::vector<std::string> many;
  for (std::uint32_t i = 0; i < lease_slots_max; ++i) many.push_back("volume:" + std::to_string(i));
  EXPECT_FALSE(file.add_slots(many));
}

TEST_F(InDirectory, APageOfAnEarlierBootIsReplaced) {
  {
    auto file = create();
    write_slot(file.writable_page().slots[0], {4, at_ms(1'000'000'000)});
    file.writable_page().boot_tag ^= 1;
  }
  EXPECT_EQ(read_slot(create().page().slots[0]).end, Instant{});
}

TEST_F(InDirectory, ATornSlotIsOverButStaysArmed) {
  {
    auto file = create();
    write_slot(file.writable_page().slots[0], {4, boot_now() + seconds(5)});
    file.writable_page().slots[0].sequence.fetch_add(1);
  }
  const auto file = create();
  const Lease lease = read_slot(file.page().slots[0]);
  EXPECT_LE(lease.end, boot_now());
  EXPECT_NE(lease.end, Instant{});
}

TEST_F(InDirectory, RubbishIsNoPage) {
  std::ofstream(directory + "/lease") << std::string(sizeof(LeasePage), 'x');
  EXPECT_FALSE(LeaseFile::open(directory));
  EXPECT_EQ(create().page().slot_count, 2u);
  EXPECT_TRUE(LeaseFile::open(directory));
}

TEST_F(InDirectory, TooManySlotsAreAnError) {
  EXPECT_FALSE(LeaseFile::create(directory, std::vector<std::string>(1, std::string(80, 'n'))));
  std::vector<std::string> many;
  for (std::uint32_t i = 0; i <= lease_slots_max; ++i) many.push_back("volume:" + std::to_string(i));
  EXPECT_FALSE(LeaseFile::create(directory, many));
}

// --- the ledger

struct LedgerTest : testing::Test {
  LedgerTest() {
    for (std::size_t i = 0; i < names.size(); ++i) std::strcpy(page.slots[i].name, names[i].c_str());
    page.slot_count = 2;
  }
  static LeaseUpdate update(LeaseUpdate::Kind kind, const char* name, std::uint64_t epoch, Instant end) {
    LeaseUpdate one{};
    one.magic = lease_page_magic;
    one.kind = kind;
    std::strcpy(one.name, name);
    one.epoch = epoch;
    one.lease_end_ns = to_ns(end);
    return one;
  }
  Ledger::Applied apply(const LeaseUpdate& one) {
    return ledger.apply(ByteView(reinterpret_cast<const Byte*>(&one), sizeof(one)), now);
  }
  Ledger::Applied grant(const char* name, std::uint64_t epoch, Instant end) {
    return apply(update(LeaseUpdate::Kind::grant, name, epoch, end));
  }
  Ledger::Applied release(const char* name, std::uint64_t epoch) {
    return apply(update(LeaseUpdate::Kind::release, name, epoch, Instant{}));
  }
  LeasePage page{};
  Ledger ledger{page, lease_max};
  const Instant now = at_ms(10'000);
};

TEST_F(LedgerTest, AGrantArmsAndAReleaseDisarms) {
  EXPECT_EQ(grant("service:shop", 3, now + lease_max), Ledger::Applied::granted);
  EXPECT_EQ(read_slot(page.slots[1]).end, now + lease_max);
  EXPECT_EQ(ledger.ends()[1], now + lease_max);
  EXPECT_TRUE(ledger.anything_armed());
  EXPECT_EQ(release("service:shop", 3), Ledger::Applied::released);
  EXPECT_EQ(read_slot(page.slots[1]).end, Instant{});
  EXPECT_FALSE(ledger.anything_armed());
}

TEST_F(LedgerTest, AnOlderEpochIsIgnored) {
  EXPECT_EQ(grant("volume:data", 5, now + lease_max), Ledger::Applied::granted);
  EXPECT_EQ(grant("volume:data", 4, now + lease_max), Ledger::Applied::stale);
  EXPECT_EQ(release("volume:data", 4), Ledger::Applied::stale);
  EXPECT_EQ(read_slot(page.slots[0]).epoch, 5u);
  EXPECT_NE(read_slot(page.slots[0]).end, Instant{});
}

TEST_F(LedgerTest, AReleasedEpochIsRememberedSoThatAnOlderOneStaysOut) {
  EXPECT_EQ(release("volume:data", 6), Ledger::Applied::released);
  EXPECT_EQ(grant("volume:data", 5, now + lease_max), Ledger::Applied::stale);
}

TEST_F(LedgerTest, TheNewestGrantWinsAlsoWhenItEndsEarlier) {
  EXPECT_EQ(grant("volume:data", 5, now + lease_max), Ledger::Applied::granted);
  EXPECT_EQ(grant("volume:data", 5, now + milliseconds(10)), Ledger::Applied::granted);
  EXPECT_EQ(ledger.ends()[0], now + milliseconds(10));
}

TEST_F(LedgerTest, ANewWriterKnowsWhatIsArmed) {
  EXPECT_EQ(grant("volume:data", 5, now + lease_max), Ledger::Applied::granted);
  EXPECT_TRUE(Ledger(page, lease_max).anything_armed());
}

TEST_F(LedgerTest, ToldOfAConfigurationItChangesNoLease) {
  EXPECT_EQ(apply(update(LeaseUpdate::Kind::configure, "", 0, Instant{})), Ledger::Applied::configure);
  EXPECT_FALSE(ledger.anything_armed());
}

TEST_F(LedgerTest, GarbageIsIgnored) {
  auto wrong_magic = update(LeaseUpdate::Kind::grant, "volume:data", 1, now);
  wrong_magic.magic ^= 1;
  auto wrong_kind = update(static_cast<LeaseUpdate::Kind>(4), "volume:data", 1, now);
  auto endless_name = update(LeaseUpdate::Kind::grant, "volume:data", 1, now);
  std::memset(endless_name.name, 'x', sizeof(endless_name.name));
  for (const auto& bad : {wrong_magic, wrong_kind, endless_name}) EXPECT_EQ(apply(bad), Ledger::Applied::malformed);
  EXPECT_EQ(grant("volume:other", 1, now), Ledger::Applied::malformed);
  EXPECT_EQ(grant("", 1, now), Ledger::Applied::malformed);
  EXPECT_EQ(grant("volume:data", 1, now + lease_max + milliseconds(1)), Ledger::Applied::malformed);
  EXPECT_EQ(grant("volume:data", 1, at_ms(-1)), Ledger::Applied::malformed);
  EXPECT_EQ(ledger.apply({}, now), Ledger::Applied::malformed);
  const Bytes long_one(sizeof(LeaseUpdate) + 1, 0);
  EXPECT_EQ(ledger.apply(long_one, now), Ledger::Applied::malformed);
  EXPECT_FALSE(ledger.anything_armed());
}

// --- when to pet

TEST(PettingPolicy, NothingArmedIsPetted) {
  EXPECT_EQ(overdue_slot(std::vector<Instant>(32), seconds(20), at_ms(1'000'000)), std::nullopt);
}

TEST(PettingPolicy, ALeaseMayBeOverForAsLongAsTheDeadline) {
  const std::vector<Instant> ends{Instant{}, at_ms(1000)};
  EXPECT_EQ(overdue_slot(ends, seconds(20), at_ms(500)), std::nullopt);
  EXPECT_EQ(overdue_slot(ends, seconds(20), at_ms(21'000)), std::nullopt);
  EXPECT_EQ(overdue_slot(ends, seconds(20), at_ms(21'001)), 1u);
}

// --- the device

TEST_F(InDirectory, ADeviceIsPettedAndDisarmed) {
  const std::string path = directory + "/watchdog";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  WatchdogDevice device(path);
  EXPECT_EQ(device.pet(), ENXIO);  // nobody reads yet
  const int reader = open(path.c_str(), O_RDONLY | O_NONBLOCK);
  EXPECT_EQ(device.pet(), 0);
  EXPECT_EQ(device.pet(), 0);
  device.disarm();
  char bytes[8] = {};
  EXPECT_EQ(read(reader, bytes, sizeof(bytes)), 3);
  EXPECT_STREQ(bytes, "11V");
  close(reader);
}

TEST_F(InDirectory, AMissingDeviceIsAnErrorThatMayPass) {
  EXPECT_EQ(WatchdogDevice(directory + "/none").pet(), ENOENT);
  EXPECT_EQ(WatchdogDevice("").pet(), ENOENT);
}

// --- the client

struct Receiver {
  explicit Receiver(const std::string& directory) : fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, (directory + "/watchdog.sock").c_str());
    unlink(address.sun_path);
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(fd, 4), 0);
  }
  ~Receiver() {
    if (client >= 0) close(client);
    close(fd);
  }
  LeaseUpdate next() {
    if (client < 0) client = accept(fd, nullptr, nullptr);
    LeaseUpdate update{};
    EXPECT_EQ(recv(client, &update, sizeof(update), 0), static_cast<ssize_t>(sizeof(update)));
    return update;
  }
  int fd, client = -1;
};

TEST_F(InDirectory, TheClientConnectsAgain) {
  Client client(directory);
  EXPECT_FALSE(client.grant("service:shop", 1, at_ms(1)));
  {
    Receiver receiver(directory);
    EXPECT_TRUE(client.grant("service:shop", 2, at_ms(5)));
    const auto update = receiver.next();
    EXPECT_EQ(update.kind, LeaseUpdate::Kind::grant);
    EXPECT_STREQ(update.name, "service:shop");
    EXPECT_EQ(update.epoch, 2u);
    EXPECT_EQ(update.lease_end_ns, 5'000'000);
  }
  Receiver receiver(directory);
  EXPECT_TRUE(client.release("service:shop", 2));
  EXPECT_EQ(receiver.next().kind, LeaseUpdate::Kind::release);
  EXPECT_FALSE(client.release(std::string(80, 'x'), 2));
}

}  // namespace
}  // namespace bascule::watchdog
