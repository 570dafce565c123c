#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "wire/drbd_config/document.h"

namespace bascule::drbd_config {
namespace {

namespace fs = std::filesystem;

const fs::path testdata = BASCULE_TESTDATA;
constexpr const char* drbdadm = "/usr/lib/drbd/drbdadm-84";

std::string content(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> names_in_folder(const char* folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(testdata / folder))
    if (entry.path().extension() == ".res") names.push_back(entry.path().stem());
  std::sort(names.begin(), names.end());
  return names;
}

std::string without_comments(const std::string& text) {
  std::istringstream lines(text);
  std::string kept;
  for (std::string line; std::getline(lines, line);)
    if (line.find_first_not_of(' ') == std::string::npos || line[line.find_first_not_of(' ')] != '#')
      kept += line + "\n";
  return kept;
}

/// The files of a pattern "folder/*.ending", beside the including file; names as drbdadm tells them.
Result<std::vector<Source>> include(const std::string& pattern, const std::string& from) {
  const fs::path base = (testdata / from).parent_path();
  if (pattern.find('*') == std::string::npos) {
    if (!fs::exists(base / pattern)) return fail("no such file", pattern);
    return std::vector<Source>{{pattern, content(base / pattern)}};
  }
  std::vector<Source> sources;
  const fs::path folder = fs::path(pattern).parent_path();
  if (!fs::exists(base / folder)) return sources;
  for (const auto& entry : fs::directory_iterator(base / folder))
    if (entry.path().extension() == fs::path(pattern).extension())
      sources.push_back({folder / entry.path().filename(), content(entry.path())});
  std::sort(sources.begin(), sources.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return sources;
}

Result<Document> parsed(const std::string& name) { return parse({name, content(testdata / name)}, include); }

struct Output {
  std::string text;
  int status = 0;
};

Output run(const std::string& command) {
  Output output;
  FILE* pipe = ::popen(("cd '" + testdata.string() + "' && " + command).c_str(), "r");
  if (pipe == nullptr) return output;
  char buffer[4096];
  for (std::size_t count; (count = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) output.text.append(buffer, count);
  output.status = ::pclose(pipe);
  return output;
}

/// drbdadm leaves a timeout out of its dump that is not the default it has without one: reading the dump changes it.
std::string without_timeouts(const std::string& text) {
  std::string kept;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line.find("cmd-timeout-") == std::string::npos) kept += line + "\n";
  return kept;
}

class Good : public testing::TestWithParam<std::string> {};

TEST_P(Good, DumpEqualsTheOneOfDrbdadm) {
  const auto document = parsed("good/" + GetParam() + ".res");
  ASSERT_TRUE(document.has_value()) << document.error().text();
  EXPECT_EQ(without_comments(dump(*document, "here")), content(testdata / "good" / (GetParam() + ".dump")));
}

TEST_P(Good, DumpIsReadAgainAsTheSame) {
  const auto document = parsed("good/" + GetParam() + ".res");
  ASSERT_TRUE(document.has_value()) << document.error().text();
  const std::string text = without_comments(dump(*document, "here"));
  const auto again = parse({"dump", text}, include);
  ASSERT_TRUE(again.has_value()) << again.error().text() << "\n" << text;
  EXPECT_EQ(without_timeouts(without_comments(dump(*again, "here"))), without_timeouts(text));
}

TEST_P(Good, WhatIsRecordedIsWhatDrbdadmSays) {
  if (!fs::exists(drbdadm)) GTEST_SKIP() << "drbd-utils is not installed";
  const Output output = run(std::string(drbdadm) + " -c good/" + GetParam() + ".res dump 2>/dev/null");
  EXPECT_EQ(output.status, 0);
  EXPECT_EQ(without_comments(output.text), content(testdata / "good" / (GetParam() + ".dump")));
}

INSTANTIATE_TEST_SUITE_P(All, Good, testing::ValuesIn(names_in_folder("good")),
                         [](const auto& one) { return one.param; });

class WrongFiles : public testing::TestWithParam<std::string> {};

TEST_P(WrongFiles, AreRefusedAtTheLineOfDrbdadm) {
  const auto document = parsed("wrong/" + GetParam() + ".res");
  ASSERT_FALSE(document.has_value());
  const std::string where = document.error().where;
  EXPECT_EQ(where.substr(0, where.rfind(':')) + "\n", content(testdata / "wrong" / (GetParam() + ".line")))
      << document.error().text();
}

TEST_P(WrongFiles, WhatIsRecordedIsWhatDrbdadmSays) {
  if (!fs::exists(drbdadm)) GTEST_SKIP() << "drbd-utils is not installed";
  const Output output = run(std::string(drbdadm) + " -c wrong/" + GetParam() + ".res dump 2>&1 >/dev/null");
  EXPECT_NE(output.status, 0);
  std::string line = content(testdata / "wrong" / (GetParam() + ".line"));
  ASSERT_FALSE(line.empty());
  line.back() = ':';
  EXPECT_EQ(output.text.compare(0, line.size(), line), 0) << output.text;
}

INSTANTIATE_TEST_SUITE_P(All, WrongFiles, testing::ValuesIn(names_in_folder("wrong")),
                         [](const auto& one) { return one.param; });

}  // namespace
}  // namespace bascule::drbd_config
