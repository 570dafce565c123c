#include "edge/cli/member_commands.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "wire/cluster_config/test_cluster.h"

namespace bascule::cli {
namespace {

/// A manager that applies whatever it is asked to, and moves everything off a node that is put into standby.
class MemberCommands : public testing::Test {
 protected:
  Result<json> answer(const json& request) {
    const auto op = text(request, "op");
    asked_.push_back(op);
    if (op == "config_history" && request.contains("version")) return json{{"ok", true}, {"text", text_}};
    if (op == "config_history") return json{{"ok", true}, {"in_force", 3}};
    if (op == "config_plan")
      return json{{"ok", true},
                  {"base_version", 3},
                  {"differences", {{{"path", "node"}, {"from", ""}, {"to", "x"}}}},
                  {"steps", json::array()},
                  {"interrupts", json::array()},
                  {"refusals", json::array()},
                  {"text", whole_text(request)}};
    if (op == "config_apply") text_ = whole_text(request);
    if (op == "standby") owner_ = "bob";
    if (op == "node_token") return json{{"ok", true}, {"token", "bascule1.for-" + text(request, "node")}};
    if (op == "status")
      return json{{"ok", true},
                  {"nodes", {{{"name", "alice"}, {"role", "data"}, {"standby", false}}}},
                  {"services", {{{"name", "shop"}, {"owner", owner_}}}},
                  {"volumes", json::array()}};
    return json{{"ok", true}};
  }
  int member(MemberRequest request, bool yes = true) {
    out_.str("");
    err_.str("");
    ConfigRequest change;
    change.yes = yes;
    change.who = "ann@alice";
    request.patience = seconds(5);
    const Surroundings around{out_, err_, Style{false, true}, "alice", {}, nullptr, "ann", false};
    return run_member(
        request, change, [this](const json& asked) { return answer(asked); }, around);
  }
  static MemberRequest doing(const std::string& action, const std::string& node) {
    MemberRequest request;
    request.action = action;
    request.node = node;
    request.addresses = {"10.0.0.9"};
    return request;
  }

  std::string text_ = config::test::three_nodes, owner_ = "alice";
  std::vector<std::string> asked_;
  std::ostringstream out_, err_;
};

TEST_F(MemberCommands, AddWritesTheNodeAndPrintsAToken) {
  EXPECT_EQ(member(doing("add", "dave")), ok) << err_.str();
  EXPECT_NE(text_.find("[node.dave]\naddress = \"10.0.0.9\"\nvotes = false\n"), std::string::npos) << text_;
  EXPECT_NE(out_.str().find("bascule join bascule1.for-dave"), std::string::npos) << out_.str();
  EXPECT_NE(out_.str().find("without a vote"), std::string::npos);
  EXPECT_EQ(member(doing("add", "dave")), refused) << "twice";
}

TEST_F(MemberCommands, WithoutAYesNothingIsAdded) {
  EXPECT_EQ(member(doing("add", "dave"), false), refused);
  EXPECT_EQ(text_, config::test::three_nodes);
  EXPECT_EQ(std::count(asked_.begin(), asked_.end(), "node_token"), 0);
}

TEST_F(MemberCommands, RemoveMovesEverythingOffFirst) {
  EXPECT_EQ(member(doing("remove", "alice")), ok) << err_.str();
  EXPECT_EQ(owner_, "bob");
  EXPECT_EQ(text_.find("[node.alice]"), std::string::npos);
  const auto standby = std::find(asked_.begin(), asked_.end(), "standby");
  EXPECT_LT(standby, std::find(asked_.begin(), asked_.end(), "config_apply"));
}

TEST_F(MemberCommands, RemoveWithoutAYesMovesNothing) {
  EXPECT_EQ(member(doing("remove", "alice"), false), refused);
  EXPECT_EQ(std::count(asked_.begin(), asked_.end(), "standby"), 0);
}

TEST_F(MemberCommands, ReplaceKeepsThePlaceAndNotTheId) {
  auto request = doing("replace", "alice");
  request.by = "dave";
  text_ = config::test::three_nodes;
  text_.replace(text_.find("address = \"10.0.0.1\""), 0, "id = 1\n");
  EXPECT_EQ(member(request), ok) << err_.str();
  EXPECT_NE(text_.find("[node.dave]\naddress = \"10.0.0.9\"\n[node.bob]"), std::string::npos) << text_;
  EXPECT_NE(out_.str().find("for-dave"), std::string::npos);
}

TEST_F(MemberCommands, WhatIsNoTokenIsRefusedBeforeAnythingIsAsked) {
  auto request = doing("join", "");
  request.token = "nonsense";
  EXPECT_EQ(member(request), unusable);
  EXPECT_TRUE(asked_.empty());
}

}  // namespace
}  // namespace bascule::cli
