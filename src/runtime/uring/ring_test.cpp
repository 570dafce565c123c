#include "runtime/uring/ring.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

namespace bascule::uring {
namespace {

struct RingTest : ::testing::Test {
  void SetUp() override {
    auto made = Ring::create(64);
    ASSERT_TRUE(made.has_value()) << made.error().text();
    ring = std::move(*made);
    char name[] = "/tmp/bascule-ring-XXXXXX";
    file = mkstemp(name);
    unlink(name);
  }
  void TearDown() override { ::close(file); }
  void run_until(const bool& done) {
    while (!done) ring->turn();
  }
  std::unique_ptr<Ring> ring;
  int file = -1;
};

TEST_F(RingTest, WritesDurablyAndReadsBack) {
  Bytes out(4096, 7), in(4096);
  bool done = false;
  int written = 0, synced = -1, read = 0;
  ring->write(file, out, 4096, true, [&](int result) {
    written = result;
    ring->datasync(file, [&](int sync_result) {
      synced = sync_result;
      ring->read(file, in, 4096, [&](int read_result) { read = read_result, done = true; });
    });
  });
  run_until(done);
  EXPECT_EQ(written, 4096);
  EXPECT_EQ(synced, 0);
  EXPECT_EQ(read, 4096);
  EXPECT_EQ(in, out);
  EXPECT_EQ(ring->operations_in_flight(), 0u);
}

/// In a child, which gets its ring while there are processes to be had: what a flush comes to when there are none.
int flush_without_processes(int file) {
  auto made = Ring::create(8);
  const rlimit none{0, 0};
  const uid_t nobody = 65534;  // root has as many as it likes
  if (!made || ::setrlimit(RLIMIT_NPROC, &none) != 0 || (::geteuid() == 0 && ::setresuid(nobody, nobody, nobody) != 0))
    return 1;
  if (const pid_t more = ::fork(); more >= 0) return more == 0 ? 0 : 2;  // the limit does not hold
  int synced = 1;
  bool done = false;
  (*made)->datasync(file, [&](int result) { synced = result, done = true; });
  while (!done) (*made)->turn();
  return -synced;
}

TEST_F(RingTest, FlushesWhenNoProcessIsToBeHad) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(flush_without_processes(file));
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0) << "125: cancelled";
}

TEST_F(RingTest, ErrorsArriveAsNegativeNumbers) {
  Bytes in(16);
  int result = 0;
  bool done = false;
  ring->read(-1, in, 0, [&](int value) { result = value, done = true; });
  run_until(done);
  EXPECT_EQ(result, -EBADF);
}

TEST_F(RingTest, ManyMoreOperationsThanEntries) {
  Bytes block(512, 1);
  int left = 1000;
  for (int i = 0; i < 1000; ++i)
    ring->write(file, block, static_cast<std::uint64_t>(i) * 512, false, [&](int result) {
      EXPECT_EQ(result, 512);
      --left;
    });
  while (left > 0) ring->turn();
  EXPECT_EQ(lseek(file, 0, SEEK_END), 512000);
  EXPECT_EQ(ring->operations_in_flight(), 0u);
}

TEST_F(RingTest, TimersFireInOrderAndNotBeforeTheirTime) {
  std::vector<int> order;
  const Instant start = Ring::now();
  bool done = false;
  ring->timer(start + milliseconds(20), [&](int) { order.push_back(2), done = true; });
  ring->timer(start + milliseconds(5), [&](int) { order.push_back(1); });
  const auto cancelled = ring->timer(start + milliseconds(10), [&](int) { order.push_back(99); });
  ring->cancel_timer(cancelled);
  run_until(done);
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_GE(Ring::now() - start, milliseconds(20));
}

TEST_F(RingTest, AnEarlierTimerOvertakesTheOneTheKernelHas) {
  bool later = false, earlier = false;
  const Instant start = Ring::now();
  ring->timer(start + seconds(60), [&](int) { later = true; });
  ring->timer(start + milliseconds(1),
              [&](int) { ring->timer(Ring::now() + milliseconds(1), [&](int) { earlier = true; }); });
  run_until(earlier);
  EXPECT_FALSE(later);
  EXPECT_LT(Ring::now() - start, seconds(30));
}

TEST_F(RingTest, AWatchReportsAgainUntilItIsCancelled) {
  const int event = eventfd(0, EFD_NONBLOCK);
  int reports = 0;
  const auto handle = ring->watch(event, POLLIN, [&](int) { ++reports; });
  const std::uint64_t one = 1;
  for (int round = 1; round <= 3; ++round) {
    ASSERT_EQ(::write(event, &one, 8), 8);
    while (reports < round) ring->turn();
    std::uint64_t count = 0;
    ASSERT_EQ(::read(event, &count, 8), 8);
  }
  ring->cancel(handle);
  while (ring->operations_in_flight() > 0) ring->turn();
  EXPECT_EQ(reports, 3);
  ::close(event);
}

/// Listens on a port of 127.0.0.1 that the system chooses.
class Listener {
 public:
  Listener() : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address_;
    EXPECT_EQ(::bind(descriptor_, reinterpret_cast<sockaddr*>(&address_), length), 0);
    EXPECT_EQ(::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address_), &length), 0);
    EXPECT_EQ(::listen(descriptor_, 4), 0);
  }
  ~Listener() { ::close(descriptor_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] int client() const {
    const int made = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(made, reinterpret_cast<const sockaddr*>(&address_), sizeof address_), 0);
    return made;
  }

 private:
  int descriptor_;
  sockaddr_in address_{};
};

TEST(Ring, AnAbandonedAcceptTellsNobodyAndClosesWhatItAccepted) {
  auto ring = Ring::create(8);
  if (!ring) GTEST_SKIP() << ring.error().text();
  const Listener listener;
  bool told = false;
  const OperationHandle accepting = (*ring)->accept(listener.descriptor(), [&told](int) { told = true; });
  const int client = listener.client();
  (*ring)->wait();  // it is accepted, and nobody has been told
  (*ring)->abandon(accepting);
  (*ring)->dispatch();
  EXPECT_FALSE(told);
  char byte = 0;
  EXPECT_EQ(::read(client, &byte, 1), 0) << "the other end hears that it was closed";
  ::close(client);
}

}  // namespace
}  // namespace bascule::uring
