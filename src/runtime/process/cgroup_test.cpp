#include "runtime/process/cgroup.h"

#include <csignal>

#include "runtime/process/detail/test_support.h"

namespace bascule::process {
namespace {

class ServiceProcessesTest : public testing_support::ServiceTest {
 protected:
  pid_t start_daemon() {
    const std::string out = (scratch_ / "daemon").string();
    EXPECT_EQ(run(launch_of(script("d", "setsid sleep 1000 >/dev/null 2>&1 &\necho $! > " + out))).return_code, 0);
    return std::stoi(testing_support::text_of_file(out));
  }
};

TEST_P(ServiceProcessesTest, KillsEverythingWhoeverItIsTheChildOf) {
  const std::string out = (scratch_ / "count").string();
  const auto done = run(launch_of(script("a", R"sh(
for i in 1 2 3 4 5; do setsid sh -c 'sh -c "sleep 1000 & sleep 1001 & wait" & wait' >/dev/null 2>&1 & done
(setsid sh -c 'while :; do sleep 0.02; done' >/dev/null 2>&1 &)
exit 0
)sh")));
  ASSERT_EQ(done.return_code, 0);
  EXPECT_TRUE(run_until([&] { return processes_->processes().size() >= 10; }));
  kill_all();
  EXPECT_TRUE(processes_->processes().empty());
}

TEST_P(ServiceProcessesTest, IsFoundAgainByTheNextManager) {
  const pid_t daemon = start_daemon();
  open();
  EXPECT_TRUE(processes_->populated());
  EXPECT_EQ(processes_->processes(), std::vector<pid_t>{daemon});
  kill_all();
}

TEST_P(ServiceProcessesTest, HintsWhenAStepsProcessesAreGone) {
  int hints = 0;
  processes_->watch([&] { ++hints; });
  const pid_t daemon = start_daemon();
  const auto done = run(launch_of(script("m", "exit 0"), seconds(20), "monitor"));
  EXPECT_EQ(done.return_code, 0) << done.reason;
  EXPECT_EQ(hints, 0);
  ::kill(daemon, SIGKILL);
  EXPECT_TRUE(run_until([&] { return hints == 1; }));
}

TEST_P(ServiceProcessesTest, GivesNoHintForAgentsThatComeAndGo) {
  int hints = 0;
  processes_->watch([&] { ++hints; });
  for (int round = 0; round < 5; ++round) run(launch_of(script("m", "exit 7"), seconds(20), "monitor"));
  for (int round = 0; round < 20; ++round) io_.poll();
  EXPECT_EQ(hints, 0);
}

TEST_P(ServiceProcessesTest, RunsAgentsAfterAKill) {
  for (int round = 0; round < 3; ++round) {
    start_daemon();
    kill_all();
    const auto done = run(launch_of(script("s", "exit 0"), seconds(20), "stop"));
    EXPECT_EQ(done.return_code, 0) << done.reason;
    if (round == 1) open();
  }
}

TEST_P(ServiceProcessesTest, AnswersTwoKillsOfAnEmptyService) {
  int answers = 0;
  processes_->kill_all([&] { ++answers; });
  processes_->kill_all([&] { ++answers; });
  EXPECT_TRUE(run_until([&] { return answers == 2; }));
}

TEST_P(ServiceProcessesTest, KillsWhatAStopLeftBehindAndNoOtherStepsProcesses) {
  if (!GetParam()) GTEST_SKIP() << "the fallback cannot tell steps apart";
  const pid_t left = start_daemon();
  auto other = launch_of(script("o", "setsid sleep 1000 >/dev/null 2>&1 &\nexit 0\n"));
  other.step = "mysql";
  ASSERT_EQ(run(other).return_code, 0);
  int hints = 0;
  std::optional<bool> gone;
  processes_->watch([&] { ++hints; });
  processes_->kill_step("apache", seconds(10), [&](bool all) { gone = all; });
  EXPECT_FALSE(gone.has_value()) << "answered from within the call";
  EXPECT_TRUE(run_until([&] { return gone.has_value(); }));
  EXPECT_TRUE(gone.value_or(false));
  EXPECT_TRUE(testing_support::wait_for_end(left));
  EXPECT_EQ(processes_->processes().size(), 1u);
  const auto again = run(launch_of(script("s", "exit 0")));
  EXPECT_EQ(again.return_code, 0) << again.reason;
  EXPECT_EQ(hints, 0) << "it is no news";
}

TEST_P(ServiceProcessesTest, AStepOfWhichNothingIsLeftNeedsNoKill) {
  std::optional<bool> gone;
  run(launch_of(script("s", "exit 0"), seconds(20), "stop"));
  processes_->kill_step("apache", seconds(10), [&](bool all) { gone = all; });
  EXPECT_TRUE(run_until([&] { return gone.has_value(); }));
  EXPECT_TRUE(gone.value_or(false));
}

INSTANTIATE_TEST_SUITE_P(Kinds, ServiceProcessesTest, testing::Bool(), testing_support::kind_name);

TEST(Cgroup, FindsTheWritableTree) {
  EXPECT_EQ(find_cgroup2_mount("31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw\n"
                               "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n"),
            "/sys/fs/cgroup/unified");
  EXPECT_EQ(find_cgroup2_mount("41 31 0:38 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup2 rw\n"), "");
  EXPECT_EQ(find_cgroup2_mount("31 23 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\ngarbage\n"), "");
}

TEST(Cgroup, NamesNodesSoThatHostsDoNotMeet) {
  EXPECT_NE(node_directory("boutique", "alice"), node_directory("boutique", "bob"));
  EXPECT_EQ(node_directory("a/../b", "n.1").find('/'), std::string::npos);
  EXPECT_TRUE(node_directory("boutique", "alice").starts_with("bascule-boutique-alice"));
}

TEST(Cgroup, FallsBackAloudWhenNoGroupCanBeMade) {
  boost::asio::io_context io;
  std::string log;
  const auto processes = open_service_processes(
      io, "x", "shop", [&](const std::string& line) { log += line; }, "/proc");
  EXPECT_FALSE(processes->is_cgroup());
  EXPECT_NE(log.find("warning"), std::string::npos);
}

}  // namespace
}  // namespace bascule::process
