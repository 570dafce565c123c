#include "runtime/manager_host/history.h"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/test_directory.h"

namespace bascule::manager_host {
namespace {

namespace asio = boost::asio;

/// Managers without anything but their stories; datagrams arrive unless somebody is cut off.
class Storytellers : public testing::Test {
 protected:
  struct Node {
    Journal journal;
    std::optional<History> history;
    bool reachable = true;
  };

  Storytellers() {
    std::uint32_t id = 0;
    for (const char* name : {"alice", "bob", "carol"})
      config_.nodes.push_back({name, config::NodeRole::data, "", ++id});
    for (const auto& node : config_.nodes) start(node.name);
  }

  void start(const std::string& name) {
    const auto state_dir = directory_ + "/" + name;
    std::filesystem::create_directory(state_dir);
    auto& node = nodes_[name] = std::make_unique<Node>();
    ASSERT_TRUE(node->journal.open(state_dir));
    node->history.emplace(io_, config_, name, node->journal, [this, name](std::uint32_t to, message::Message message) {
      const auto& receiver = config_.node(to)->name;
      if (!nodes_.contains(receiver) || !nodes_[receiver]->reachable || !nodes_[name]->reachable) return;
      asio::post(io_, [this, receiver, from = config_.node(name)->id, message = std::move(message)] {
        if (!nodes_.contains(receiver)) return;
        if (auto* request = std::get_if<message::HistoryRequest>(&message))
          nodes_[receiver]->history->received(from, *request);
        if (auto* reply = std::get_if<message::HistoryReply>(&message))
          nodes_[receiver]->history->received(from, *reply);
      });
    });
    ASSERT_TRUE(node->history->open(state_dir));
  }
  void tell(const std::string& node, const std::string& text, std::uint64_t index = 0) {
    message::Event event;
    event.node = node, event.kind = "k", event.subject = "shop", event.text = text;
    if (index != 0) event.fields["index"] = std::to_string(index);
    nodes_[node]->journal.add(event);
  }
  /// The answer of `node`; `texts_` are the events'.
  nlohmann::json ask(const std::string& node, const std::string& cursor = "") {
    std::optional<History::Answer> answer;
    nodes_[node]->history->query({}, cursor, [&](History::Answer told) { answer = std::move(told); });
    while (!answer) io_.run_one();
    texts_.clear();
    for (const auto& line : answer->events) texts_ += nlohmann::json::parse(line)["text"].get<std::string>() + " ";
    return nlohmann::json::parse(answer->about);
  }

  TestDirectory made_;
  std::string directory_ = made_.path(), texts_;
  config::ClusterConfig config_;
  asio::io_context io_;
  std::map<std::string, std::unique_ptr<Node>> nodes_;
};

TEST_F(Storytellers, EachNodeHasTheWholeStory) {
  tell("alice", "a1"), tell("bob", "agreed", 5), tell("alice", "agreed", 5), tell("carol", "agreed", 5);
  tell("bob", "b1");
  for (const char* node : {"alice", "bob", "carol"}) {
    const auto about = ask(node);
    EXPECT_EQ(texts_, "a1 agreed b1 ");
    for (const auto& one : about["nodes"]) EXPECT_EQ(one["note"], "") << one;
  }
}

TEST_F(Storytellers, TheStoryOfADeadNodeIsOnTheOthersAlsoAfterTheirRestart) {
  tell("alice", "last-words");
  ask("bob");
  nodes_.erase("alice");
  nodes_.erase("bob");
  start("bob");
  const auto about = ask("bob");
  EXPECT_EQ(texts_, "last-words ");
  EXPECT_NE(about["nodes"][1]["note"].get<std::string>().find("alice could not be asked"), std::string::npos) << about;
}

TEST_F(Storytellers, WhatWasMissedIsFetchedInPieces) {
  nodes_["bob"]->reachable = false;
  for (int i = 0; i < 1500; ++i) tell("alice", "number " + std::to_string(i) + std::string(100, 'x'));
  nodes_["bob"]->reachable = true;
  ask("bob");
  std::size_t count = 0;
  for (std::size_t at = 0; (at = texts_.find("number", at)) != std::string::npos; ++at) ++count;
  EXPECT_EQ(count, 1500u);
}

TEST_F(Storytellers, WhoFollowsGetsEachEventOnce) {
  tell("alice", "before");
  auto cursor = ask("bob")["cursor"].get<std::string>();
  tell("alice", "agreed", 9), tell("bob", "agreed", 9), tell("alice", "a2");
  std::string told;
  for (int turn = 0; turn < 200 && told.find("a2") == std::string::npos; ++turn) {
    io_.run_one();
    cursor = ask("bob", cursor)["cursor"].get<std::string>();
    told += texts_;
  }
  EXPECT_EQ(told, "agreed a2 ");
}

TEST_F(Storytellers, ANodeThatLostItsStateIsHeardAgain) {
  for (int i = 0; i < 5; ++i) tell("alice", "old" + std::to_string(i));
  ask("bob");
  nodes_.erase("alice");
  std::filesystem::remove_all(directory_ + "/alice");
  start("alice");
  tell("alice", "new0");
  ask("bob");
  EXPECT_EQ(texts_, "old0 old1 old2 old3 old4 new0 ");
}

/// The journal is not synced: a loss of power takes its end, which the others know already.
TEST_F(Storytellers, WhatIsToldAfterALossOfPowerIsNotTakenForWhatWasLostWithIt) {
  for (const char* text : {"kept", "lost", "lost-too"}) tell("alice", text);
  ask("bob");
  nodes_.erase("alice");
  const auto file = directory_ + "/alice/events.jsonl";
  std::string first;
  std::getline(std::ifstream(file) >> std::ws, first);
  std::ofstream(file) << first << "\n";
  start("alice");
  const auto about = ask("bob");
  EXPECT_EQ(about["nodes"][1]["note"], "") << about;
  tell("alice", "new");
  ask("bob");
  EXPECT_EQ(texts_, "kept lost lost-too new ");
}

TEST(JournalFile, GoesOnBehindARotation) {
  const TestDirectory temporary;
  const std::string& directory = temporary.path();
  {
    Journal journal;
    ASSERT_TRUE(journal.open(directory));
    message::Event event;
    event.text = std::string(1 << 20, 'x');
    event.fields["index"] = "77";
    for (int i = 0; i < 20; ++i) journal.add(event);
  }
  EXPECT_TRUE(std::filesystem::exists(directory + "/events.jsonl.old"));
  Journal again;
  ASSERT_TRUE(again.open(directory));
  EXPECT_EQ(again.last_sequence(), Journal::numbers_reserved);
  EXPECT_EQ(again.told_index(), 77u);
}

}  // namespace
}  // namespace bascule::manager_host
