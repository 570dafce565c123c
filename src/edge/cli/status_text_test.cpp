#include "edge/cli/status_text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace bascule::cli {
namespace {

std::string contents(const std::string& name) {
  std::ifstream file(std::string(BASCULE_TESTDATA) + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

json input(const std::string& name) { return name.empty() ? json{} : json::parse(contents(name + ".json")); }

/// testdata/NAME.json shown with this style must be testdata/GOLDEN.txt. BASCULE_UPDATE_GOLDEN=1 writes the files anew,
/// for a person to read the difference.
struct Shown {
  const char* golden;
  const char* name;
  const char* before;
  Style style;
};

class StatusText : public testing::TestWithParam<Shown> {};

TEST_P(StatusText, LooksLikeTheGoldenFile) {
  const auto& shown = GetParam();
  const std::string text = status_text(input(shown.name), input(shown.before), shown.style);
  const std::string golden = std::string(shown.golden) + ".txt";
  if (std::getenv("BASCULE_UPDATE_GOLDEN") != nullptr)
    std::ofstream(std::string(BASCULE_TESTDATA) + "/" + golden) << text;
  EXPECT_EQ(text, contents(golden));
}

constexpr Style ascii{false, true}, signs{false, false}, coloured{true, false};

INSTANTIATE_TEST_SUITE_P(
    All, StatusText,
    testing::Values(Shown{"healthy", "healthy", "", ascii}, Shown{"healthy_coloured", "healthy", "", coloured},
                    Shown{"resync", "resync", "", signs}, Shown{"resync_watched", "resync", "resync_before", ascii},
                    Shown{"stale", "stale", "", ascii}, Shown{"no_quorum", "no_quorum", "", ascii},
                    Shown{"old", "old", "", ascii}, Shown{"wrong_types", "wrong_types", "", ascii}),
    [](const auto& one) { return one.param.golden; });

TEST(StatusText, ColourIsNeverAlone) {
  for (const char* name : {"healthy", "stale", "no_quorum", "resync", "old"}) {
    std::string painted = status_text(input(name), json{}, coloured);
    for (auto at = painted.find('\x1b'); at != std::string::npos; at = painted.find('\x1b'))
      painted.erase(at, painted.find('m', at) - at + 1);
    EXPECT_EQ(painted, status_text(input(name), json{}, signs)) << name;
  }
}

TEST(StatusText, AsciiIsAscii) {
  for (const char* name : {"healthy", "stale", "no_quorum", "resync", "old"})
    for (const char c : status_text(input(name), json{}, ascii))
      EXPECT_TRUE(c == '\n' || (c >= ' ' && c <= '~')) << name;
}

TEST(StatusText, Sizes) {
  EXPECT_EQ(size_text(0), "0 B");
  EXPECT_EQ(size_text(1023), "1023 B");
  EXPECT_EQ(size_text(1024), "1.0 KiB");
  EXPECT_EQ(size_text(1536 * 1024), "1.5 MiB");
  EXPECT_EQ(size_text(std::int64_t{1} << 50), "1.0 PiB");
  EXPECT_EQ(age_text(999), "999 ms");
  EXPECT_EQ(age_text(3'450), "3.4 s");
  EXPECT_EQ(age_text(75'000), "1 min");
  EXPECT_EQ(age_text(9'000'000), "2 h");
}

TEST(StatusText, WhatAPersonHasSwitchedOffComesFirst) {
  json status = input("healthy");
  status["maintenance"] = {{{"scope", "service:shop"},
                            {"of", "shop"},
                            {"by", "erik"},
                            {"reason", "new release"},
                            {"at_ms", 0},
                            {"left_ms", 3'600'000}}};
  status["halted"] = true;
  status["halted_by"] = "anna";
  const std::string shown = status_text(status, json{}, ascii);
  EXPECT_LT(shown.find("Maintenance of shop by erik, ends in 60 min: new release\n"), shown.find("Quorum"));
  EXPECT_LT(shown.find("Everything is stopped by anna (bascule start --all)\n"), shown.find("Quorum"));
  status["maintenance"][0]["left_ms"] = nullptr;
  EXPECT_NE(status_text(status, json{}, ascii).find("until it is ended by hand"), std::string::npos);
}

TEST(StatusText, ALinkThatIsDownStandsUnderItsNode) {
  json status = input("healthy");
  status["nodes"][1]["links"] = {{{"address", "10.77.0.2"}, {"up", true}}, {{"address", "10.78.0.2"}, {"up", false}}};
  const std::string shown = status_text(status, json{}, signs);
  EXPECT_NE(shown.find("      link 10.78.0.2    ◐ Down\n"), std::string::npos) << shown;
  EXPECT_EQ(shown.find("link 10.77.0.2"), std::string::npos);
  status["nodes"][1]["online"] = false;
  EXPECT_EQ(status_text(status, json{}, signs).find("Down"), std::string::npos) << "then it is the node";
}

TEST(StatusTextParts, FailuresSayHowOftenWhereAndUntilWhen) {
  const auto status = json::parse(R"json({"services":[{"name":"shop","state":"Started","owner":"alice","failures":[
    {"node":"bob","count":2,"reaction":"restart","at_ms":0,"fades_in_ms":540000,"text":"apache monitor: rc 7 (not running)"},
    {"node":"alice","count":1,"reaction":"block","at_ms":0,"fades_in_ms":-1,"text":"apache monitor: rc 1"}]}]})json");
  const std::string text = status_text(status, {}, ascii);
  EXPECT_NE(text.find("failed 2 times on bob, forgotten in 9 min: apache monitor: rc 7 (not running)\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("failed once on alice, kept until `bascule clear`, on_fail block: apache monitor: rc 1\n"),
            std::string::npos)
      << text;
}

TEST(StatusTextParts, AttributesAreALineEach) {
  const auto answer =
      json::parse(R"({"attributes":{"alice":{"permanent":{"site":"north"},"transient":{"pingd":"100"}},"bob":{}}})");
  const std::string text = attributes_text(answer);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
  EXPECT_NE(text.find("north"), std::string::npos);
  EXPECT_NE(text.find("transient"), std::string::npos);
  EXPECT_EQ(attributes_text(json::object()), "No attributes.\n");
}

}  // namespace
}  // namespace bascule::cli
