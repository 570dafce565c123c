#include "runtime/files/replace_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/test_directory.h"
#include "runtime/files/read_file.h"

namespace bascule::files {
namespace {

struct ReplaceFile : testing::Test {
  TestDirectory directory;
  std::string path = directory.path() + "/cluster.toml";

  [[nodiscard]] mode_t mode() const {
    struct stat about {};
    return ::stat(path.c_str(), &about) == 0 ? about.st_mode & 07777 : 0;
  }
  [[nodiscard]] std::string text() const { return read_file(path, "test").value_or(""); }
};

TEST_F(ReplaceFile, ANewFileIsReadableWhateverTheUmask) {
  const mode_t before = ::umask(0077);
  EXPECT_TRUE(replace_file(path, "one", "test"));
  ::umask(before);
  EXPECT_EQ(text(), "one");
  EXPECT_EQ(mode(), 0644u);
}

TEST_F(ReplaceFile, TheModeThatAFileHasStays) {
  ASSERT_TRUE(replace_file(path, "one", "test"));
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  EXPECT_TRUE(replace_file(path, "two", "test"));
  EXPECT_EQ(text(), "two");
  EXPECT_EQ(mode(), 0640u);
}

TEST_F(ReplaceFile, WhatCannotBeReplacedStaysAndNothingIsLeftBeside) {
  ASSERT_EQ(::mkdir(path.c_str(), 0755), 0);  // a directory is in its place
  const auto replaced = replace_file(path, "one", "the file cannot be written");
  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error().what, "the file cannot be written");
  EXPECT_NE(::access((path + ".new").c_str(), F_OK), 0);
  EXPECT_FALSE(replace_file(directory.path() + "/nowhere/file", "one", "test"));
}

}  // namespace
}  // namespace bascule::files
