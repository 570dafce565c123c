#include "runtime/files/blank_device.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>

namespace bascule::files {
namespace {

struct BlankDevice : testing::Test {
  BlankDevice() {
    std::ofstream(path).flush();
    std::filesystem::resize_file(path, bytes);
  }
  ~BlankDevice() override { std::filesystem::remove(path); }
  void put(std::uint64_t offset) const {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(offset));
    file.put('x');
  }
  static constexpr std::uint64_t bytes = 256 << 20;
  std::string path = testing::TempDir() + "bascule-blank-" + std::to_string(::getpid());
};

TEST_F(BlankDevice, ZeroesAreBlank) { EXPECT_TRUE(is_blank(path).value()); }

TEST_F(BlankDevice, AnyByteWhereFileSystemsKeepTheirsCounts) {
  for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{1024 + 56}, std::uint64_t{65536},
                                     std::uint64_t{128} << 20, bytes / 2 + 100, bytes - 1}) {
    put(offset);
    EXPECT_FALSE(is_blank(path).value()) << offset;
    std::filesystem::resize_file(path, 0);
    std::filesystem::resize_file(path, bytes);
  }
}

TEST_F(BlankDevice, ASmallOneIsReadToItsEnd) {
  std::filesystem::resize_file(path, 70000);
  EXPECT_TRUE(is_blank(path).value());
  put(69999);
  EXPECT_FALSE(is_blank(path).value());
}

TEST_F(BlankDevice, AFileSystemIsMadeOnceAndNeverOverAnything) {
  if (::access("/sbin/mkfs.ext4", X_OK) != 0) GTEST_SKIP() << "there is no mkfs.ext4";
  EXPECT_TRUE(make_filesystem(path, "ext4").value());
  EXPECT_FALSE(is_blank(path).value());
  std::ifstream file(path, std::ios::binary);
  file.seekg(1024 + 56);
  EXPECT_EQ(file.get() | file.get() << 8, 0xef53) << "ext4's magic number";
  EXPECT_FALSE(make_filesystem(path, "ext4").value()) << "there is one now";
}

TEST_F(BlankDevice, FailuresAreTold) {
  EXPECT_FALSE(is_blank(path + ".missing"));
  std::filesystem::resize_file(path, 0);
  EXPECT_FALSE(is_blank(path));
  std::filesystem::resize_file(path, 1 << 20);
  EXPECT_FALSE(make_filesystem(path, "nothing"));
}

}  // namespace
}  // namespace bascule::files
