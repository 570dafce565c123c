#include "runtime/process/mounts.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "runtime/process/detail/test_support.h"

namespace bascule::process {
namespace {

TEST(Mounts, ReadsMountinfo) {
  const auto mounts = parse_mountinfo(
      "36 35 7:3 / /srv/my\\040data rw,noatime master:1 propagate_from:2 - ext4 /dev/loop3 rw\n"
      "half a line\n"
      "37 36 0:41 / /srv/my\\040data/tmp rw - tmpfs tmp\\134x rw\n");
  ASSERT_EQ(mounts.size(), 2u);
  EXPECT_EQ(mounts[0].major, 7u);
  EXPECT_EQ(mounts[0].minor, 3u);
  EXPECT_EQ(mounts[0].target, "/srv/my data");
  EXPECT_EQ(mounts[0].source, "/dev/loop3");
  EXPECT_EQ(mounts[0].type, "ext4");
  EXPECT_EQ(mounts[1].source, "tmp\\x");
  EXPECT_TRUE(mounts_of("").empty());
}

/// In a mount namespace of its own, so that nothing can be left behind.
class UnmounterTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::unshare(CLONE_NEWNS) != 0) GTEST_SKIP() << "no right to a mount namespace here";
    ASSERT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    std::string name = (std::filesystem::temp_directory_path() / "bascule-mounts-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    scratch_ = name;
    device_ = (scratch_ / "device").string();
    target_ = (scratch_ / "target").string();
    std::filesystem::create_directory(target_);
  }

  void TearDown() override {
    if (scratch_.empty()) return;
    while (::umount2(target_.c_str(), MNT_DETACH) == 0) {
    }
    std::filesystem::remove_all(scratch_);
  }

  void mount_at(const std::string& target) {
    ASSERT_EQ(::mount(device_.c_str(), target.c_str(), "tmpfs", 0, nullptr), 0);
  }

  UnmountResult unmount(Duration patience) {
    std::optional<UnmountResult> result;
    unmounter_.unmount_all(device_, patience, [&](const UnmountResult& one) { result = one; });
    EXPECT_FALSE(result.has_value());
    io_.restart();
    while (!result && io_.run_one_for(std::chrono::seconds(20)) > 0) {
    }
    EXPECT_TRUE(result.has_value());
    EXPECT_TRUE(mounts_of(device_).empty());
    return result.value_or(UnmountResult{});
  }

  boost::asio::io_context io_;
  Unmounter unmounter_{io_, {}};
  std::filesystem::path scratch_;
  std::string device_, target_;
};

TEST_F(UnmounterTest, HasNothingToDo) {
  const auto result = unmount(seconds(5));
  EXPECT_TRUE(result.clean);
  EXPECT_TRUE(result.targets.empty());
}

TEST_F(UnmounterTest, UnmountsTheLastFirst) {
  mount_at(target_);
  std::filesystem::create_directory(target_ + "/inner");
  mount_at(target_ + "/inner");
  mount_at(target_ + "/inner");
  const auto result = unmount(seconds(5));
  EXPECT_TRUE(result.clean);
  EXPECT_EQ(result.targets, (std::vector<std::string>{target_ + "/inner", target_ + "/inner", target_}));
}

TEST_F(UnmounterTest, DetachesWhatIsBusy) {
  mount_at(target_);
  const std::ofstream open_file(target_ + "/file");
  EXPECT_FALSE(unmount(seconds(5)).clean);
}

TEST_F(UnmounterTest, DetachesWhenThePatienceIsOver) {
  mount_at(target_);
  const std::ofstream open_file(target_ + "/file");
  EXPECT_FALSE(unmount(milliseconds(20)).clean);
}

/// Who waits in the kernel cannot be killed: it must not be a thread of ours.
TEST_F(UnmounterTest, WorksInAProcessOfItsOwn) {
  const auto threads = [] {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
  };
  mount_at(target_);
  const std::ofstream open_file(target_ + "/file");  // it tries for a while
  const auto before = threads();
  bool done = false;
  unmounter_.unmount_all(device_, seconds(5), [&](const UnmountResult&) { done = true; });
  EXPECT_EQ(threads(), before);
  EXPECT_EQ(::waitid(P_ALL, 0, nullptr, WEXITED | WNOHANG | WNOWAIT), 0) << "there is no child";
  while (!done && io_.run_one_for(std::chrono::seconds(20)) > 0) {
  }
  EXPECT_TRUE(done);
}

TEST_F(UnmounterTest, JoinsWhatIsUnderWay) {
  mount_at(target_);
  int answers = 0;
  for (int index = 0; index < 3; ++index) {
    unmounter_.unmount_all(device_, seconds(5), [&](const UnmountResult& one) { answers += one.clean ? 1 : 0; });
  }
  while (answers < 3 && io_.run_one_for(std::chrono::seconds(20)) > 0) {
  }
  EXPECT_EQ(answers, 3);
}

/// The real thing: ext4 on a loop device, found by its number through a symbolic link.
TEST_F(UnmounterTest, FindsALoopDeviceThroughALink) {
  const std::string image = (scratch_ / "image").string(), name = (scratch_ / "name").string();
  const std::string make = "truncate -s 8M " + image + " && mkfs.ext4 -q -F " + image + " && losetup -f --show " +
                           image + " > " + name + " 2>/dev/null";
  if (std::system(make.c_str()) != 0) GTEST_SKIP() << "no loop devices here";
  std::string loop = testing_support::text_of_file(name);
  loop.pop_back();
  std::filesystem::create_symlink(loop, device_);
  EXPECT_EQ(::mount(loop.c_str(), target_.c_str(), "ext4", 0, nullptr), 0);
  EXPECT_EQ(mounts_of(device_).size(), 1u);
  EXPECT_TRUE(unmount(seconds(10)).clean);
  EXPECT_EQ(std::system(("losetup -d " + loop).c_str()), 0);
}

}  // namespace
}  // namespace bascule::process
