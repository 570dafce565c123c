#include "runtime/device/fuse_device.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <future>

#include "base/test_directory.h"

namespace bascule::device {
namespace {

constexpr std::size_t kLarge = 64 * 1024;  // more than a small buffer

/// Answers when it is told to.
struct PatientVolume final : Volume {
  struct Asked {
    Requester* requester;
    std::uint64_t tag;
    Request request;
  };
  std::deque<Asked> asked;

  [[nodiscard]] const std::string& name() const override {
    static const std::string called = "data";
    return called;
  }
  [[nodiscard]] std::uint64_t size_bytes() const override { return 64 << 20; }
  [[nodiscard]] std::string refusal() const override { return ""; }
  void submit(Requester& requester, std::uint64_t tag, const Request& request) override {
    asked.push_back({&requester, tag, request});
  }
  void answer_the_oldest() {
    const Asked one = asked.front();
    asked.pop_front();
    one.requester->completed(one.tag, 0);
  }
};

/// A file of a volume, with room for one large read beside what the next request is read into.
struct FuseDeviceTest : testing::Test {
  TestDirectory directory;
  std::unique_ptr<uring::Ring> ring = std::move(*uring::Ring::create(64));
  std::unique_ptr<uring::BufferPool> pool = std::move(*uring::BufferPool::create({4, 2, 2}));
  PatientVolume volume;
  std::unique_ptr<FuseDevice> device;

  void SetUp() override {
    auto made = FuseDevice::mount(*ring, *pool, volume, directory.path(), "bascule:test");
    if (!made) GTEST_SKIP() << made.error().text();
    device = std::move(*made);
    device->begin_generation();
  }

  /// Serves the file system until `done`, or for so long that it will not come any more.
  bool serve_until(const std::function<bool()>& done) {
    const Instant end = uring::Ring::now() + seconds(10);
    while (!done() && uring::Ring::now() < end) {
      const auto alarm = ring->timer(uring::Ring::now() + milliseconds(5), [](int) {});  // also when nothing happens
      ring->turn();
      ring->cancel_timer(alarm);
    }
    return done();
  }
  template <typename Act>
  auto aside(Act act) {
    return std::async(std::launch::async, std::move(act));
  }
  template <typename T>
  bool comes(std::future<T>& one) {
    return serve_until([&one] { return one.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
  }
  std::future<ssize_t> read_aside(int file, std::int64_t offset) {
    return aside([file, offset] {
      std::vector<char> bytes(kLarge);
      return ::pread(file, bytes.data(), bytes.size(), offset);
    });
  }
};

TEST_F(FuseDeviceTest, AReadThatWaitsForABufferIsServedThoughOthersAskMeanwhile) {
  const std::string path = device->file();
  auto opened = aside([path] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
  ASSERT_TRUE(comes(opened));
  const int file = opened.get();
  ASSERT_GE(file, 0);
  auto first = read_aside(file, 0);
  ASSERT_TRUE(serve_until([this] { return volume.asked.size() == 1; }));
  auto second = read_aside(file, 1 << 20);  // there is no buffer for it
  auto third = aside([path] {
    struct stat seen {};
    return ::stat(path.c_str(), &seen);
  });
  const Instant a_while = uring::Ring::now() + milliseconds(200);
  (void)serve_until([a_while] { return uring::Ring::now() > a_while; });
  EXPECT_EQ(volume.asked.size(), 1u) << "two reads found a buffer: this shows nothing";
  volume.answer_the_oldest();
  device->resume();  // as the host does when a buffer became free
  EXPECT_TRUE(serve_until([this] { return volume.asked.size() == 1; })) << "the second read is forgotten";
  if (!volume.asked.empty()) volume.answer_the_oldest();
  device->resume();
  EXPECT_TRUE(comes(third));
  device.reset();  // whoever waits yet gets an error, and close() asks nobody any more
  EXPECT_EQ(first.get(), static_cast<ssize_t>(kLarge));
  EXPECT_EQ(second.get(), static_cast<ssize_t>(kLarge));
  ::close(file);
}

}  // namespace
}  // namespace bascule::device
