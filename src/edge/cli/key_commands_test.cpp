#include "edge/cli/key_commands.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "runtime/keys/key_file.h"

namespace bascule::cli {
namespace {

class KeyCommands : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(file); }
  nlohmann::json done(const std::string& action, std::uint32_t id = 0) {
    const auto answer = run_key({action, file, id});
    EXPECT_TRUE(answer) << answer.error().text();
    return answer.value_or(nlohmann::json::object());
  }
  std::string refused(const std::string& action, std::uint32_t id = 0) {
    const auto answer = run_key({action, file, id});
    EXPECT_FALSE(answer);
    return answer ? "" : answer.error().why;
  }
  std::string file = testing::TempDir() + "bascule-" + std::to_string(::getpid()) + ".key";
};

TEST_F(KeyCommands, AKeyIsReplacedStepByStep) {
  EXPECT_EQ(done("create")["keys"], nlohmann::json({1}));
  EXPECT_EQ(done("add")["sending"], 1) << "a new key is not used before everybody accepts it";
  EXPECT_EQ(refused("drop", 1), "it is the one in use");
  EXPECT_EQ(done("use", 2)["sending"], 2);
  EXPECT_EQ(done("list")["text"], "key 1  accepted\nkey 2  in use\n");
  EXPECT_EQ(done("drop", 1)["keys"], nlohmann::json({2}));
  EXPECT_EQ(done("add")["keys"], nlohmann::json({2, 3})) << "a number is not used again";
}

TEST_F(KeyCommands, WhatIsRefusedChangesNothing) {
  EXPECT_EQ(refused("list"), "No such file or directory");
  done("create");
  const std::string before = keys::read(file)->text();
  EXPECT_EQ(refused("create"), "there is a file already");
  EXPECT_EQ(refused("use", 7), "this node does not have it");
  EXPECT_EQ(refused("drop", 7), "there is no key 7 in it");
  EXPECT_EQ(keys::read(file)->text(), before);
}

TEST_F(KeyCommands, NoAnswerHoldsASecret) {
  for (const auto* action : {"create", "add", "list"}) {
    const std::string answer = done(action).dump();
    const std::string text = keys::read(file)->text();
    for (std::size_t at = text.find("key 1 "); at != std::string::npos; at = text.find("\nkey ", at + 1))
      EXPECT_EQ(answer.find(text.substr(text.find(' ', at + 5) + 1, 16)), std::string::npos);
  }
}

}  // namespace
}  // namespace bascule::cli
