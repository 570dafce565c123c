#include "edge/cli/rehearse_command.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "base/test_directory.h"
#include "edge/cli/rehearse_text.h"
#include "wire/cluster_config/test_cluster.h"

namespace bascule::cli {
namespace {

class RehearseCommand : public testing::Test {
 protected:
  int rehearse(RehearseRequest request) {
    out_.str("");
    err_.str("");
    request.config_file = made_.path() + "/cluster.toml";
    request.runs = 1;
    request.jobs = 1;
    std::ofstream(request.config_file) << text_;
    const Surroundings around{out_, err_, Style{false, true}, "alice", {}, nullptr, "ann", false};
    return run_rehearse(
        request, [this](const json& asked) { return answer(asked); }, around);
  }
  /// bob has the shop now.
  Result<json> answer(const json& asked) const {
    if (!manager_) return fail("no contact", "manager.sock", "it is not there");
    if (asked.contains("version")) return json{{"ok", true}, {"text", text_}};
    if (text(asked, "op") == "config_history") return json{{"ok", true}, {"in_force", 2}};
    return json{{"ok", true},
                {"services", {{{"name", "shop"}, {"owner", "bob"}}}},
                {"nodes", {{{"name", "carol"}, {"online", false}}}},
                {"maintenance", json::array()}};
  }

  TestDirectory made_;
  std::string text_ = config::test::three_nodes + std::string("[service.shop]\naddress = \"10.0.0.9/24\"\n");
  bool manager_ = true;
  std::ostringstream out_, err_;
};

TEST_F(RehearseCommand, AnswersFirstAndSaysHowToSeeItAgain) {
  EXPECT_EQ(rehearse({.faults = "service"}), ok) << err_.str();
  EXPECT_TRUE(out_.str().starts_with("Cluster test with 3 nodes (1 witness)")) << out_.str();
  EXPECT_NE(out_.str().find("shop: "), std::string::npos);
  EXPECT_NE(out_.str().find("What is imitated"), std::string::npos);
}

TEST_F(RehearseCommand, LiveBeginsWithWhatIsAndSaysWhatIsOtherwise) {
  EXPECT_EQ(rehearse({.live = true, .faults = "service", .as_json = true}), ok) << err_.str();
  const auto answer = json::parse(out_.str());
  EXPECT_EQ(answer["runs"], 1);
  EXPECT_EQ(answer["services"][0]["name"], "shop");
  EXPECT_NE(answer["live"].dump().find("carol is away now"), std::string::npos) << answer;
  manager_ = false;
  EXPECT_EQ(rehearse({.live = true}), no_contact);
}

TEST_F(RehearseCommand, WrongUsageEndsWithTwo) {
  EXPECT_EQ(rehearse({.faults = "earthquake"}), unusable);
  EXPECT_NE(err_.str().find("node, link"), std::string::npos) << err_.str();
  EXPECT_EQ(rehearse({.start = "soon"}), unusable);
  EXPECT_EQ(rehearse({.stop = "3h"}), unusable);
  text_ = "[cluster]\n";
  EXPECT_EQ(rehearse({}), unusable);
}

TEST(RehearsalText, SaysWhatIsGraveInCapitals) {
  sim::rehearse::Report report;
  sim::rehearse::RunResult lost;
  lost.seed = 17, lost.promise = "B1", lost.violation = "a write is gone", lost.data_lost = true;
  lost.services["shop"] = {seconds(2), false};
  lost.copies["data"] = {seconds(4), true};
  report.figures = sim::rehearse::figures_of({lost});
  report.worst = {{milliseconds(480), "bob", "a story"}};
  const std::string text = rehearsal_text(report, {"bascule rehearse --live", {"node"}, 1, seconds(1), seconds(1), {}});
  for (const char* part : {"IT DID NOT COME BACK", "ACKNOWLEDGED WRITES WERE LOST", "Seed 17: B1: a write is gone",
                           "0.480 s  bob: a story", "Again: bascule rehearse --live --seed 17 --runs 1"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

}  // namespace
}  // namespace bascule::cli
