#include "runtime/manager_host/line_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <vector>

#include "base/test_directory.h"

namespace bascule::manager_host {
namespace {

/// A disk that is full for every file of this process at so many bytes, until it is destroyed.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) {
    before_ = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &limit_);
    const rlimit full{bytes, limit_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &full);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &limit_);
    std::signal(SIGXFSZ, before_);
  }

 private:
  rlimit limit_{};
  void (*before_)(int) = nullptr;
};

class LineFileTest : public testing::Test {
 protected:
  [[nodiscard]] std::vector<std::string> lines(const std::string& name = "lines") const {
    std::vector<std::string> found;
    std::ifstream file(made.path() + "/" + name);
    for (std::string line; std::getline(file, line);) found.push_back(line);
    return found;
  }
  TestDirectory made;
  std::string path = made.path() + "/lines";
};

using Lines = std::vector<std::string>;

TEST_F(LineFileTest, WhatAFullDiskDidNotTakeIsWrittenWhenThereIsRoom) {
  LineFile file;
  ASSERT_TRUE(file.open(path));
  file.add("one");
  {
    const FullDisk full(6);
    file.add("two");  // two bytes of it
    file.add("three");
    EXPECT_EQ(std::filesystem::file_size(path), 6u);
  }
  file.add("four");
  EXPECT_EQ(lines(), (Lines{"one", "two", "three", "four"}));
  EXPECT_EQ(file.bytes(), std::filesystem::file_size(path));
}

TEST_F(LineFileTest, WhatWaitsIsBoundedAndWhatIsKeptIsWhole) {
  LineFile file;
  ASSERT_TRUE(file.open(path));
  {
    const FullDisk full(0);
    for (int count = 0; count < 300; ++count) file.add(std::string(1023, 'x'));
  }
  file.add("last");
  const auto found = lines();
  EXPECT_LE(std::filesystem::file_size(path), LineFile::waiting_bytes_max);
  EXPECT_GT(found.size(), 200u);
  for (const auto& line : found) EXPECT_TRUE(line.size() == 1023 || line == "last") << line.size();
}

TEST_F(LineFileTest, ANewLineBeginsBehindATornOne) {
  std::ofstream(path) << "whole\nto";
  LineFile file;
  ASSERT_TRUE(file.open(path));
  file.add("next");
  EXPECT_EQ(lines(), (Lines{"whole", "to", "next"}));
}

TEST_F(LineFileTest, BeginsAnewBesideTheOldOne) {
  LineFile file;
  ASSERT_TRUE(file.open(path));
  file.add("old");
  file.begin_anew();
  EXPECT_EQ(file.bytes(), 0u);
  file.add("new");
  EXPECT_EQ(lines(), (Lines{"new"}));
  EXPECT_EQ(lines("lines.old"), (Lines{"old"}));
}

TEST_F(LineFileTest, NeverCutsALineInTwoFiles) {
  LineFile file;
  ASSERT_TRUE(file.open(path));
  {
    const FullDisk full(2);
    file.add("four");
    file.begin_anew();
  }
  file.add("five");
  EXPECT_EQ(lines(), (Lines{"four", "five"}));
}

TEST_F(LineFileTest, SaysWhichFileCannotBeOpened) {
  LineFile file;
  const auto opened = file.open(made.path() + "/missing/lines");
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().text().find("missing"), std::string::npos);
}

}  // namespace
}  // namespace bascule::manager_host
