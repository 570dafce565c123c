#include "edge/cli/config_commands.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/test_directory.h"

namespace bascule::cli {
namespace {

/// A manager that has agreed on versions 0 to 2, and what it was asked to apply.
class ConfigCommands : public testing::Test {
 protected:
  ConfigCommands() {
    file_ = directory_ + "/cluster.toml";
    std::ofstream(file_) << "wanted";
  }

  Result<json> answer(const json& request) {
    const auto op = text(request, "op");
    if (op == "config_history" && request.contains("version"))
      return json{
          {"ok", true}, {"version", {{"version", request["version"]}}}, {"text", "two\nlines of an earlier one"}};
    if (op == "config_history")
      return json{{"ok", true},
                  {"in_force", 2},
                  {"versions", {{{"version", 2}, {"at_ms", 5000}, {"who", "ann@alice"}, {"reason", "a shop"}}}}};
    if (op == "config_apply") {
      applied_ = request;
      if (!apply_refusal_.empty())
        return json{{"ok", false},
                    {"error", {{"what", "refused"}, {"where", ""}, {"why", apply_refusal_}, {"hint", ""}}}};
      return json{{"ok", true}};
    }
    return json{{"ok", true},
                {"base_version", 2},
                {"differences", differences_},
                {"steps", {"service web is new and starts"}},
                {"interrupts", json::array()},
                {"refusals", refusals_},
                {"text", whole_text(request) + " with ids"}};
  }
  int config(ConfigRequest request, const std::string& typed = "", bool terminal = true) {
    std::istringstream in(typed);
    out_.str("");
    err_.str("");
    request.who = "ann@alice";
    if (request.file.empty()) request.file = file_;
    const Surroundings around{out_, err_, Style{false, true}, "alice", {}, &in, "ann", terminal};
    return run_config(
        request, [this](const json& asked) { return answer(asked); }, around);
  }
  static ConfigRequest doing(const std::string& action, bool yes = false) {
    ConfigRequest request;
    request.action = action;
    request.yes = yes;
    return request;
  }

  TestDirectory made_;
  std::string directory_ = made_.path(), file_, apply_refusal_;
  json differences_ = {{{"path", "service.web.run"}, {"from", ""}, {"to", "nginx"}}};
  json refusals_ = json::array();
  json applied_;
  std::ostringstream out_, err_;
};

TEST_F(ConfigCommands, ApplyShowsThePlanAndAsks) {
  EXPECT_EQ(config(doing("apply"), "n\n"), refused);
  EXPECT_NE(out_.str().find("+ service.web.run = nginx"), std::string::npos) << out_.str();
  EXPECT_NE(out_.str().find("service web is new and starts"), std::string::npos);
  EXPECT_TRUE(applied_.is_null());
  EXPECT_EQ(config(doing("apply"), "y\n"), ok);
  EXPECT_EQ(applied_["base_version"], 2);
  EXPECT_EQ(applied_["text"], "wanted with ids") << "what was planned, not what the file says by now";
  EXPECT_EQ(applied_["who"], "ann@alice");
  EXPECT_NE(out_.str().find("Configuration 3 is in force"), std::string::npos);
}

TEST_F(ConfigCommands, WithoutATerminalNothingIsAppliedUnlessToldSo) {
  EXPECT_EQ(config(doing("apply"), "y\n", false), refused);
  EXPECT_NE(err_.str().find("--yes"), std::string::npos);
  EXPECT_TRUE(applied_.is_null());
  EXPECT_EQ(config(doing("apply", true), "", false), ok);
  EXPECT_FALSE(applied_.is_null());
}

TEST_F(ConfigCommands, WhatCannotBeAppliedIsNotAskedFor) {
  refusals_ = {"alice still has service shop"};
  EXPECT_EQ(config(doing("apply", true)), refused);
  EXPECT_TRUE(applied_.is_null());
  EXPECT_NE(err_.str().find("alice still has service shop"), std::string::npos);
  EXPECT_EQ(config(doing("plan")), refused);
  EXPECT_NE(out_.str().find("It cannot be applied now"), std::string::npos);
}

TEST_F(ConfigCommands, TheSameAgainIsNoChange) {
  differences_ = json::array();
  EXPECT_EQ(config(doing("apply", true)), ok);
  EXPECT_TRUE(applied_.is_null());
  EXPECT_EQ(config(doing("diff")), ok);
}

TEST_F(ConfigCommands, SomebodyElseWasFaster) {
  apply_refusal_ = "the configuration is at version 3 by now, not 2: look at the difference again";
  EXPECT_EQ(config(doing("apply", true)), refused);
  EXPECT_NE(err_.str().find("at version 3 by now"), std::string::npos);
}

TEST_F(ConfigCommands, DiffSaysByItsExitCodeWhetherAnythingDiffers) {
  EXPECT_EQ(config(doing("diff")), refused);
  EXPECT_EQ(out_.str(), "+ service.web.run = nginx\n");
  auto request = doing("diff");
  request.as_json = true;
  EXPECT_EQ(config(request), refused);
  EXPECT_EQ(json::parse(out_.str())["differences"][0]["path"], "service.web.run");
}

TEST_F(ConfigCommands, UndoAppliesTheOneBeforeAsANewVersion) {
  EXPECT_EQ(config(doing("undo", true)), ok) << err_.str();
  EXPECT_EQ(applied_["text"], "two\nlines of an earlier one with ids");
  EXPECT_EQ(applied_["reason"], "as in version 1");
}

TEST_F(ConfigCommands, HistoryListsAndShowsOne) {
  EXPECT_EQ(config(doing("history")), ok);
  EXPECT_NE(out_.str().find("ann@alice"), std::string::npos) << out_.str();
  auto request = doing("history");
  request.version = 0;
  EXPECT_EQ(config(request), ok);
  EXPECT_EQ(out_.str(), "two\nlines of an earlier one");
}

TEST_F(ConfigCommands, AFileThatIsNotThereIsUnusable) {
  auto request = doing("apply", true);
  request.file = directory_ + "/missing";
  EXPECT_EQ(config(request), unusable);
}

}  // namespace
}  // namespace bascule::cli
