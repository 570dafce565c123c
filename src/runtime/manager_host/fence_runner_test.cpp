#include "runtime/manager_host/fence_runner.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/test_directory.h"

namespace bascule::manager_host {
namespace {

/// Also when nobody has buried it yet.
bool is_dead(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string number, name, state;
  return !(file >> number >> name >> state) || state == "Z" || state == "X";
}

/// Agents that are shell scripts, and Debian's own fence_dummy where it is installed.
class FenceRunnerTest : public testing::Test {
 protected:
  ~FenceRunnerTest() override {
    runner_.reset();
    io_.poll();
  }
  void script(const std::string& name, const std::string& body) {
    const auto path = directory_ + "/" + name;
    std::ofstream(path) << "#!/bin/sh\n" << body;
    ::chmod(path.c_str(), 0755);
  }
  FenceRunner& runner(const std::string& agents) {
    runner_ = std::make_unique<FenceRunner>(
        io_, FenceRunner::Where{agents, "bascule-fence-test-" + std::to_string(::getpid()), "", directory_ + "/cache"},
        [this](const std::string& line) { log_ += line + "\n"; },
        [this](manager::Input input) { inputs_.push_back(std::move(input)); });
    return *runner_;
  }
  template <typename Wanted>
  Wanted next() {
    while (inputs_.empty() && io_.run_one_for(std::chrono::seconds(30)) > 0) {
    }
    if (inputs_.empty() || !std::holds_alternative<Wanted>(inputs_.front())) {
      ADD_FAILURE() << "no answer\n" << log_;
      return {};
    }
    auto found = std::get<Wanted>(inputs_.front());
    inputs_.erase(inputs_.begin());
    return found;
  }
  static fencing::effect::RunAgent order(const std::string& agent, const std::string& action, Duration timeout) {
    config::FenceDevice device;
    device.name = "pdu";
    device.agent = agent;
    device.plugs = {{"bob", "7"}};
    return {1, "pdu", agent, action, fencing::agent_input(device, "bob", action), timeout};
  }

  boost::asio::io_context io_;
  TestDirectory made_;
  std::string directory_ = made_.path(), log_;
  std::unique_ptr<FenceRunner> runner_;
  std::vector<manager::Input> inputs_;
};

TEST_F(FenceRunnerTest, AnAgentReadsItsParametersAndItsWordsAreKept) {
  script("fence_say",
         "while read -r line; do case $line in action=*|port=*) echo \"$line\" >&2;; esac; done; exit 2\n");
  runner(directory_).run("bob", order("fence_say", "status", seconds(20)));
  const auto answer = next<manager::input::FenceAgentDone>();
  EXPECT_EQ(answer.node, "bob");
  EXPECT_EQ(answer.done.code, 2);
  EXPECT_EQ(answer.done.output, "action=status");
}

TEST_F(FenceRunnerTest, WhatHangsIsKilledWithEverythingThatItStarted) {
  script("fence_hang", "setsid sh -c 'echo $$ > " + directory_ + "/child; exec sleep 1000' & sleep 1000\n");
  runner(directory_).run("bob", order("fence_hang", "off", seconds(2)));
  const auto answer = next<manager::input::FenceAgentDone>();
  EXPECT_LT(answer.done.code, 0);
  EXPECT_NE(answer.done.output.find("timed out"), std::string::npos) << answer.done.output;
  pid_t child = 0;
  std::ifstream(directory_ + "/child") >> child;
  ASSERT_GT(child, 0);
  if (::geteuid() == 0 && log_.find("cgroup") == std::string::npos) {
    EXPECT_TRUE(is_dead(child)) << "its child lives\n" << log_;
  }
  ::kill(child, SIGKILL);
}

TEST_F(FenceRunnerTest, AnAgentThatIsNotThereAnswersToo) {
  runner(directory_).run("bob", order("fence_none", "off", seconds(2)));
  EXPECT_EQ(next<manager::input::FenceAgentDone>().done.code, 5) << "neither done nor off";
  config::ClusterConfig config;
  config.fences.push_back({.name = "pdu", .agent = "fence_none", .parameters = {}, .plugs = {}});
  runner_->ask_abilities(config);
  EXPECT_TRUE(next<manager::input::FenceAbilities>().abilities.actions.empty());
}

TEST_F(FenceRunnerTest, WhatAnAgentSaidOfItselfIsKeptUntilItIsAnotherFile) {
  const std::string metadata = "echo asked >> " + directory_ + "/asked; echo '<action name=\"off\"/>";
  script("fence_pdu", metadata + "'\n");
  config::ClusterConfig config;
  config.fences.push_back({.name = "pdu", .agent = "fence_pdu", .parameters = {}, .plugs = {}});
  const auto asked = [&] {
    runner(directory_).ask_abilities(config);
    runner_->ask_abilities(config);  // told once
    const auto abilities = next<manager::input::FenceAbilities>().abilities;
    EXPECT_TRUE(inputs_.empty());
    EXPECT_TRUE(abilities.knows("off")) << log_;
    std::ifstream file(directory_ + "/asked");
    return std::pair{std::count(std::istreambuf_iterator<char>(file), {}, '\n'), abilities.knows("on")};
  };
  EXPECT_EQ(asked(), (std::pair{1L, false}));
  EXPECT_EQ(asked(), (std::pair{1L, false})) << "another manager, the same agent";
  script("fence_pdu", metadata + "<action name=\"on\"/>'\n");
  EXPECT_EQ(asked(), (std::pair{2L, true}));
}

TEST_F(FenceRunnerTest, DebiansDummySwitchesItsFileOffAndOn) {
  if (!std::filesystem::exists("/usr/sbin/fence_dummy")) GTEST_SKIP() << "fence-agents is not installed";
  auto& real = runner("/usr/sbin");
  config::ClusterConfig config;
  config.fences.push_back({.name = "pdu",
                           .agent = "fence_dummy",
                           .parameters = {{"type", "file"}, {"status_file", directory_ + "/power"}},
                           .plugs = {{"bob", "7"}}});
  real.ask_abilities(config);
  const auto abilities = next<manager::input::FenceAbilities>().abilities;
  EXPECT_TRUE(abilities.knows("off")) << log_;
  EXPECT_FALSE(abilities.actions.empty()) << log_;
  const auto code_of = [&](const std::string& action) {
    real.run("bob",
             {1, "pdu", "fence_dummy", action, fencing::agent_input(config.fences[0], "bob", action), seconds(60)});
    return next<manager::input::FenceAgentDone>().done.code;
  };
  EXPECT_EQ(code_of("off"), 0) << log_;
  EXPECT_EQ(code_of("status"), 2) << log_;
  EXPECT_EQ(code_of("on"), 0) << log_;
  EXPECT_EQ(code_of("status"), 0) << log_;
}

}  // namespace
}  // namespace bascule::manager_host
