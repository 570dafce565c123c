#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "runtime/mount/mount_options.h"
#include "runtime/mount/mount_step.h"
#include "runtime/mount/mount_users.h"
#include "runtime/mount/mount_watch.h"

namespace bascule::mount {
namespace {

namespace asio = boost::asio;

TEST(MountOptions, FlagsAndTheFileSystemsOwn) {
  const auto options = parse_mount_options("defaults,noatime,nodev,data=ordered,rw,x-systemd.automount,barrier=1");
  EXPECT_EQ(options.flags, MS_NOATIME | MS_NODEV);
  EXPECT_EQ(options.data, "data=ordered,barrier=1");
  EXPECT_EQ(parse_mount_options("ro,rw").flags, 0ul);
  EXPECT_EQ(parse_mount_options("").data, "");
  EXPECT_EQ(parse_mount_options(",,_netdev,").data, "");
}

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen(command.c_str(), "r");
  for (std::array<char, 256> line{}; pipe != nullptr && std::fgets(line.data(), line.size(), pipe) != nullptr;)
    text += line.data();
  if (pipe == nullptr || ::pclose(pipe) != 0) return "";
  return text.substr(0, text.find('\n'));
}

/// A file system in a file, in a mount namespace of the test's own.
class MountStepTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0 || ::unshare(CLONE_NEWNS) != 0) GTEST_SKIP() << "needs root and a mount namespace";
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    std::string pattern = "/tmp/bascule-mount-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
    make_device("ext4");
    if (device_.empty()) GTEST_SKIP() << "no loop device";
  }
  void TearDown() override {
    if (root_.empty()) return;
    ::umount2((root_ + "/mnt").c_str(), MNT_DETACH);
    if (!device_.empty()) (void)output_of("losetup -d " + device_ + " 2>&1; echo");
    std::filesystem::remove_all(root_);
  }
  void make_device(const std::string& type) {
    const auto file = root_ + "/disk";
    std::ofstream(file).put(0);
    std::filesystem::resize_file(file, 16 << 20);
    ASSERT_EQ(std::system(("mkfs." + type + " -q -F " + file + " > /dev/null 2>&1").c_str()), 0);
    device_ = output_of("losetup -f --show " + file + " 2>/dev/null");
  }
  MountStep step(const std::string& type = "ext4", const std::string& options = "noatime") {
    return MountStep(io_, {{"directory", root_ + "/mnt/"}, {"fstype", type}, {"options", options}});
  }
  int run(MountStep& step, const std::string& operation, Duration timeout = seconds(10)) {
    int code = -100;
    step.run(operation, device_, timeout, [&](int got, const std::string& why) { code = got, why_ = why; });
    EXPECT_EQ(code, -100) << "answered from within";
    io_.restart();
    while (code == -100 && io_.run_one() > 0) {
    }
    return code;
  }
  /// A child that does something below the mount until it is killed.
  pid_t child_using(const std::function<void(const std::string&)>& use) {
    int ready[2];
    EXPECT_EQ(::pipe(ready), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      use(root_ + "/mnt");
      (void)!::write(ready[1], "x", 1);
      for (;;) ::pause();
    }
    char word = 0;
    EXPECT_EQ(::read(ready[0], &word, 1), 1);
    ::close(ready[0]), ::close(ready[1]);
    return child;
  }

  asio::io_context io_;
  std::string root_, device_, why_;
};

TEST_F(MountStepTest, StartsStopsAndMayBeRepeated) {
  auto mount = step();
  EXPECT_EQ(run(mount, "monitor"), 7);
  EXPECT_EQ(run(mount, "start"), 0) << why_;
  EXPECT_EQ(run(mount, "start"), 0) << why_;
  EXPECT_EQ(run(mount, "monitor"), 0);
  EXPECT_TRUE(std::filesystem::exists(root_ + "/mnt/lost+found"));
  EXPECT_EQ(run(mount, "stop"), 0) << why_;
  EXPECT_EQ(run(mount, "stop"), 0) << why_;
  EXPECT_EQ(run(mount, "monitor"), 7);
}

TEST_F(MountStepTest, SaysWhyItCannotBeMounted) {
  auto wrong = step("xfs");
  EXPECT_EQ(run(wrong, "start"), 1);
  EXPECT_NE(why_.find("cannot be mounted on"), std::string::npos) << why_;
  std::filesystem::create_directories(root_ + "/mnt");
  ASSERT_EQ(::mount("tmpfs", (root_ + "/mnt").c_str(), "tmpfs", 0, nullptr), 0);
  auto covered = step();
  EXPECT_EQ(run(covered, "start"), 1);
  EXPECT_NE(why_.find("tmpfs is mounted on"), std::string::npos) << why_;
  EXPECT_EQ(run(covered, "monitor"), 7) << "another file system is not this one";
}

TEST_F(MountStepTest, TakesThePlaceOfAnEarlierPromotionOfTheSameVolume) {
  auto mount = step();
  ASSERT_EQ(run(mount, "start"), 0) << why_;
  const std::string before = device_;
  device_ = output_of("losetup -f --show " + root_ + "/disk");
  ASSERT_NE(device_, before);
  EXPECT_EQ(run(mount, "start"), 0) << why_;
  EXPECT_EQ(run(mount, "monitor"), 0);
  EXPECT_EQ(run(mount, "stop"), 0) << why_;
  EXPECT_EQ(output_of("grep -c " + root_ + "/mnt /proc/self/mountinfo"), "") << "nothing lies below it";
  (void)output_of("losetup -d " + before + " 2>&1; echo");
}

TEST_F(MountStepTest, UsersAreFoundAskedToGoAndKilled) {
  auto mount = step();
  ASSERT_EQ(run(mount, "start"), 0) << why_;
  const pid_t polite = child_using([](const std::string& at) { (void)!::chdir(at.c_str()); });
  const pid_t stubborn = child_using([](const std::string& at) {
    ::signal(SIGTERM, SIG_IGN);
    (void)!::open((at + "/file").c_str(), O_CREAT | O_RDWR, 0600);
  });
  EXPECT_EQ(users_of(root_ + "/mnt").size(), 2u);
  EXPECT_TRUE(users_of(root_ + "/mn").empty());
  EXPECT_EQ(run(mount, "stop", seconds(3)), 0) << why_;
  int status = 0;
  ASSERT_EQ(::waitpid(polite, &status, 0), polite);
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
  ASSERT_EQ(::waitpid(stubborn, &status, 0), stubborn);
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

TEST_F(MountStepTest, WhatIsMountedBelowGoesFirst) {
  auto mount = step();
  ASSERT_EQ(run(mount, "start"), 0) << why_;
  std::filesystem::create_directories(root_ + "/mnt/below");
  ASSERT_EQ(::mount("tmpfs", (root_ + "/mnt/below").c_str(), "tmpfs", 0, nullptr), 0);
  EXPECT_EQ(run(mount, "stop"), 0) << why_;
}

TEST_F(MountStepTest, AnUnmountByHandIsSeenAtOnce) {
  auto mount = step();
  ASSERT_EQ(run(mount, "start"), 0) << why_;
  bool gone = false;
  MountWatch watch(io_, [&] { gone = gone || mount.vanished(); });
  ASSERT_TRUE(watch.open());
  io_.restart();
  io_.poll();
  EXPECT_FALSE(gone);
  ASSERT_EQ(::umount2((root_ + "/mnt").c_str(), 0), 0);
  for (int turn = 0; turn < 10 && !gone; ++turn) io_.run_one_for(std::chrono::seconds(1));
  EXPECT_TRUE(gone);
  EXPECT_FALSE(mount.vanished()) << "told once";
}

TEST_F(MountStepTest, ATypeWithoutAJournalIsCheckedFirst) {
  (void)output_of("losetup -d " + device_ + "; echo");
  make_device("ext2");
  // An error that fsck -p repairs by itself: the count of free blocks in the superblock is wrong.
  ASSERT_EQ(std::system(("debugfs -w -R 'ssv free_blocks_count 1' " + device_ +
                         " > /dev/null 2>&1; debugfs -w -R 'ssv "
                         "state 0' " +
                         device_ + " > /dev/null 2>&1")
                            .c_str()),
            0);
  auto mount = step("ext2");
  EXPECT_EQ(run(mount, "start"), 0) << why_;
  EXPECT_EQ(run(mount, "stop"), 0) << why_;
  EXPECT_EQ(output_of("dumpe2fs -h " + device_ + " 2>/dev/null | grep 'Filesystem state'").find("not clean"),
            std::string::npos);
}

}  // namespace
}  // namespace bascule::mount
