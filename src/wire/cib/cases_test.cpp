#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "base/prng.h"
#include "wire/cib/parse.h"

// Recorded CIBs of others, where the environment names a directory of them (BASCULE_SCHEDULER_CASES, with xml/*.xml).

namespace bascule::cib {
namespace {

std::vector<std::filesystem::path> recorded_cases() {
  std::vector<std::filesystem::path> result;
  const char* directory = std::getenv("BASCULE_SCHEDULER_CASES");
  if (directory == nullptr) return result;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(directory) / "xml", error))
    if (entry.path().extension() == ".xml") result.push_back(entry.path());
  std::sort(result.begin(), result.end());
  return result;
}

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(RecordedCibs, AreReadWithoutAnError) {
  const auto cases = recorded_cases();
  if (cases.empty()) GTEST_SKIP() << "BASCULE_SCHEDULER_CASES names no directory with xml/*.xml";
  std::size_t notices = 0;
  for (const auto& path : cases) {
    const auto document = parse(content_of(path), path.filename().string());
    ASSERT_TRUE(document) << document.error().text();
    EXPECT_TRUE(document->cib.has_status) << path;
    for (const auto& notice : document->notices) std::cout << path.filename().string() << ": " << notice.text() << "\n";
    notices += document->notices.size();
  }
  std::cout << cases.size() << " recorded CIBs, " << notices << " notices\n";
}

/// Bytes changed, cut out, doubled, and words put where others stood.
std::string mutated(std::string text, Prng& prng) {
  for (std::uint64_t i = 0, changes = 1 + prng.below(6); i < changes && !text.empty(); ++i) {
    const auto at = prng.below(text.size());
    const auto length = prng.below(std::min<std::uint64_t>(text.size() - at, 200) + 1);
    switch (prng.below(5)) {
      case 0:
        text[at] = static_cast<char>(prng.next());
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        text.insert(at, text.substr(prng.below(text.size()), length));
        break;
      case 3:
        text[at] = "<>\"/= &0"[prng.below(8)];
        break;
      default:
        text.replace(at, length, "-99999999999999999999");
        break;
    }
  }
  return text;
}

TEST(RecordedCibs, MutatedGiveAnErrorOrADocument) {
  const auto cases = recorded_cases();
  if (cases.empty()) GTEST_SKIP() << "BASCULE_SCHEDULER_CASES names no directory with xml/*.xml";
  Prng prng(20230515);
  std::vector<std::string> texts;
  for (const auto& path : cases)
    if (std::filesystem::file_size(path) < 40'000) texts.push_back(content_of(path));
  std::size_t accepted = 0;
  for (int run = 0; run < 10'000; ++run) {
    const auto document = parse(mutated(texts[prng.below(texts.size())], prng), "mutated");
    accepted += document ? 1 : 0;
    ASSERT_TRUE(document || !(document.error().why.empty() || document.error().where.empty()));
  }
  EXPECT_GT(accepted, 100U);
  EXPECT_LT(accepted, 9'900U);
}

}  // namespace
}  // namespace bascule::cib
