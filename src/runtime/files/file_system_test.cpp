#include "runtime/files/file_system.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "base/test_directory.h"

namespace bascule::files {
namespace {

TEST(FileSystem, MakesTheDirectoriesThatAreMissing) {
  const TestDirectory made;
  EXPECT_TRUE(make_directories(this_machine(), made.path() + "/a/b/c", 0700));
  EXPECT_TRUE(make_directories(this_machine(), made.path() + "/a/b/c", 0700)) << "they are there";
  struct stat about {};
  ASSERT_EQ(this_machine().status(made.path() + "/a/b/c", about), 0);
  EXPECT_EQ(about.st_mode & 07777, 0700U);
}

TEST(FileSystem, SaysWhyADirectoryCannotBeMade) {
  const TestDirectory made;
  const Descriptor file(this_machine(), this_machine().open(made.path() + "/file", O_CREAT | O_WRONLY, 0600));
  ASSERT_TRUE(file.is_open());
  EXPECT_FALSE(make_directories(this_machine(), made.path() + "/file/below", 0700));
  EXPECT_EQ(errno, ENOTDIR);
}

TEST(FileSystem, NamesTheDirectoryOfAPath) {
  EXPECT_EQ(directory_of("a"), ".");
  EXPECT_EQ(directory_of("/a"), "/");
  EXPECT_EQ(directory_of("/a/b"), "/a");
}

TEST(FileSystem, AWriteThatFailsIsTold) {
  const Descriptor full(this_machine(), this_machine().open("/dev/full", O_WRONLY, 0));
  ASSERT_TRUE(full.is_open());
  EXPECT_FALSE(write_all(full, 0, view_of("x")));
  EXPECT_EQ(errno, ENOSPC);
}

}  // namespace
}  // namespace bascule::files
