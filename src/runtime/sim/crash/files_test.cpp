// The disk that forgets, on its own: what it may leave, and what it may not.

#include "runtime/sim/crash/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <set>

#include "runtime/files/read_file.h"

namespace bascule::sim {
namespace {

struct CrashFilesTest : testing::Test {
  /// What `path` may say after a crash at the last call of `write`; "-": there is no such file.
  std::set<std::string> left(const std::string& path, const std::function<void()>& write) {
    std::set<std::string> found;
    Explorer explorer("a", {.most_per_point = 1 << 12});
    disk.watch(explorer, [&](CrashFiles& after) {
      found.insert(files::read_file(path, "", 1 << 20, after).value_or("-"));
      return "";
    });
    write();
    found.clear();
    explorer.begin_last_operation();
    disk.promise("");
    return found;
  }
  void put(const std::string& path, const std::string& text, int flags = O_TRUNC) {
    const files::Descriptor file(disk, disk.open(path, O_CREAT | O_WRONLY | flags, 0600));
    EXPECT_TRUE(files::write_all(file, 0, view_of(text)));
  }
  void sync(const std::string& path) {
    const files::Descriptor file(disk, disk.open(path, O_RDONLY, 0));
    EXPECT_EQ(disk.sync(file.number()), 0);
  }
  using Texts = std::set<std::string>;
  CrashFiles disk;
};

TEST_F(CrashFilesTest, ANameAndItsBytesComeApart) {
  EXPECT_EQ(left("/f", [&] { put("/f", "one"); }), (Texts{"-", "", "one", std::string(3, '\0')}));
}

TEST_F(CrashFilesTest, ASyncedFileWithoutANameIsLost) {
  EXPECT_EQ(left("/f",
                 [&] {
                   put("/f", "one");
                   sync("/f");
                 }),
            (Texts{"-", "one"}));
  EXPECT_EQ(left("/f", [&] { sync("/"); }), Texts{"one"});
}

TEST_F(CrashFilesTest, ARenamedFileMayBeEmpty) {
  put("/f", "one");
  disk.flush_all();
  const auto found = left("/f", [&] {
    put("/f.new", "two");
    EXPECT_EQ(disk.rename("/f.new", "/f"), 0);
  });
  EXPECT_EQ(found, (Texts{"one", "two", "", std::string(3, '\0')}));
}

TEST_F(CrashFilesTest, PiecesOfAWriteAreKeptOrLostByThemselves) {
  put("/f", std::string(1024, 'a'));
  disk.flush_all();
  const std::string a(512, 'a'), b(512, 'b');
  EXPECT_EQ(left("/f", [&] { put("/f", b + b, 0); }), (Texts{a + a, a + b, b + a, b + b}));
}

TEST_F(CrashFilesTest, NamesKeepTheirOrder) {
  put("/old", "old");
  disk.flush_all();
  const auto rotate = [&] {
    EXPECT_EQ(disk.rename("/old", "/older"), 0);
    put("/old", "");
  };
  EXPECT_EQ(left("/older", rotate), (Texts{"-", "old"}));
  EXPECT_EQ(left("/old", [] {}), (Texts{"old", "-", ""}));
}

TEST_F(CrashFilesTest, ADirectoryThatIsLostTakesItsFilesAlong) {
  EXPECT_EQ(disk.make_directory("/d", 0700), 0);
  EXPECT_EQ(left("/d/f",
                 [&] {
                   put("/d/f", "one");
                   sync("/d/f");
                   sync("/d");
                 }),
            (Texts{"-", "one"}));
}

TEST_F(CrashFilesTest, WhatWasCutOffDoesNotComeBackWhenTheFileGrows) {
  put("/f", "abcdef");
  disk.flush_all();
  const auto found = left("/f", [&] {
    const files::Descriptor file(disk, disk.open("/f", O_WRONLY, 0));
    EXPECT_EQ(disk.cut(file.number(), 2), 0);
    EXPECT_EQ(disk.sync(file.number()), 0);
    EXPECT_TRUE(files::write_all(file, 4, view_of("x")));
  });
  EXPECT_TRUE(found.contains(std::string("ab\0\0x", 5)));
  EXPECT_TRUE(found.contains("ab"));
  EXPECT_FALSE(found.contains("abcdef"));
}

TEST(FormWalk, GivesEveryStateOnceWhenTheyAreFew) {
  const std::vector<CrashUnit> units{{1, "a"}, {2, "b"}};
  FormWalk walk(units, 6, 1);
  std::set<CrashForms> given;
  for (CrashForms forms; walk.next(forms);) EXPECT_TRUE(given.insert(forms).second);
  EXPECT_EQ(given.size(), 6U);
}

TEST(FormWalk, GivesTheEndsFirstWhenTheyAreMany) {
  const std::vector<CrashUnit> units{{1, "a"}, {1, "b"}, {1, "c"}};
  FormWalk walk(units, 4, 1);
  std::vector<CrashForms> given;
  for (CrashForms forms; walk.next(forms);) given.push_back(forms);
  EXPECT_EQ(given, (std::vector<CrashForms>{{0, 0, 0}, {1, 1, 1}, {1, 0, 0}, {0, 1, 1}}));
}

TEST(CrashStateId, IsReadAsItIsWritten) {
  const CrashStateId id{"ab", 7, 4096, {0, 11, 2}};
  EXPECT_EQ(id.text(), "ab.7.4096.0b2");
  const auto read = CrashStateId::parse("ab.7.4096.0b2");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->text(), id.text());
  for (const char* wrong : {"", "ab", "ab.7.1000.0", "ab.x.512.0", "ab.1.512.-"})
    EXPECT_FALSE(CrashStateId::parse(wrong));
}

}  // namespace
}  // namespace bascule::sim
