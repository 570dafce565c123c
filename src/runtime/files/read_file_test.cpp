#include "runtime/files/read_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace bascule::files {
namespace {

TEST(ReadFile, GivesTheWholeOfAFileAlsoOfAnEmptyOne) {
  std::string path = testing::TempDir() + "read-file-XXXXXX";
  const int descriptor = ::mkstemp(path.data());
  ASSERT_GE(descriptor, 0);
  EXPECT_EQ(read_file(path, "the file cannot be read").value(), "");
  const std::string text(200'000, 'x');
  ASSERT_EQ(::write(descriptor, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  EXPECT_EQ(read_file(path, "the file cannot be read").value(), text);
  EXPECT_NE(read_file(path, "the file cannot be read", 1000).error().why.find("1000"), std::string::npos);
  ::close(descriptor);
  ::unlink(path.c_str());
}

TEST(ReadFile, SaysWhyItCannot) {
  EXPECT_EQ(read_file("/", "the file cannot be read").error().why, "Is a directory");
  const auto missing = read_file("/nowhere/at/all", "the file cannot be read");
  EXPECT_EQ(missing.error().what, "the file cannot be read");
  EXPECT_EQ(missing.error().where, "/nowhere/at/all");
  EXPECT_EQ(missing.error().why, "No such file or directory");
}

}  // namespace
}  // namespace bascule::files
