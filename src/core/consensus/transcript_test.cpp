#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "core/consensus/bench_test.h"

// Each file under transcripts/ is a story: commands, and below each, after "----", everything that it caused. With
// BASCULE_REWRITE=1 in the environment the results are written anew; commit only changes that you want.

namespace bascule::consensus {
namespace {

class Transcript {
 public:
  /// Carries out one command and returns what happened.
  std::string run(const std::string& line) {
    std::istringstream words(line);
    std::string command;
    words >> command;
    if (command == "cluster") return begin(words);
    bench_->story.clear();
    carry_out(command, words);
    std::string text;
    for (const auto& each : bench_->story) text += each + "\n";
    return text.empty() ? "(nothing)\n" : text;
  }

 private:
  std::string begin(std::istringstream& words) {
    std::size_t voters = 0, spares = 0;
    words >> voters >> spares;
    bench_ = std::make_unique<Bench>(voters, spares);
    bench_->start_all();
    bench_->lose_mail();
    bench_->telling = true;
    return "ok\n";
  }
  void carry_out(const std::string& command, std::istringstream& words) {
    std::uint64_t first = 0, second = 0;
    words >> first >> second;
    const auto id = static_cast<ServerId>(first);
    if (command == "stand") return bench_->make_stand(id);
    if (command == "elect") return bench_->elect(id);
    if (command == "propose") return bench_->step(id, Propose{second, Bytes{1}});
    if (command == "read") return bench_->step(id, ReadIndex{second});
    if (command == "transfer") return bench_->step(id, TransferLeadership{static_cast<ServerId>(second)});
    if (command == "snapshot")
      return bench_->step(id, SnapshotTaken{second, std::make_shared<const Bytes>(Bytes(40, 1))});
    if (command == "deliver") return bench_->deliver_all();
    if (command == "lose") return bench_->lose_mail();
    if (command == "wait") return bench_->wait(milliseconds(first));
    if (command == "run") return bench_->run(milliseconds(first));
    if (command == "isolate") return bench_->isolate(id);
    if (command == "heal") return bench_->heal();
    if (command == "crash") return bench_->crash(id);
    if (command == "start") return bench_->start(id);
    if (command == "hold-disk") return void(bench_->at(id).hold_disk = true);
    if (command == "free-disk") return bench_->at(id).hold_disk = false, bench_->finish_writes(id);
    FAIL() << "unknown command " << command;
  }
  std::unique_ptr<Bench> bench_;
};

/// Plays the commands of `text` and gives it back with the results of today.
std::string played(const std::string& text) {
  Transcript transcript;
  std::istringstream lines(text);
  std::string result, line;
  bool in_result = false;
  while (std::getline(lines, line)) {
    if (line.empty()) in_result = false;
    if (in_result) continue;
    result += line + "\n";
    if (line.empty() || line[0] == '#') continue;
    std::string next;
    result += "----\n" + transcript.run(line);
    if (std::getline(lines, next) && next == "----")
      in_result = true;
    else
      result += "\n";
  }
  return result;
}

class TranscriptTest : public ::testing::TestWithParam<std::string> {};

TEST_P(TranscriptTest, HappensAsWritten) {
  const std::string path = std::string(BASCULE_TRANSCRIPTS) + "/" + GetParam() + ".txt";
  std::ifstream file(path);
  ASSERT_TRUE(file) << path;
  const std::string expected{std::istreambuf_iterator<char>(file), {}};
  const std::string actual = played(expected);
  if (std::getenv("BASCULE_REWRITE") != nullptr) std::ofstream(path) << actual;
  EXPECT_EQ(expected, actual) << "run with BASCULE_REWRITE=1 to accept, and read the difference";
}

INSTANTIATE_TEST_SUITE_P(All, TranscriptTest,
                         ::testing::Values("election", "slow_disk", "divergence", "transfer", "read", "snapshot"),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace bascule::consensus
