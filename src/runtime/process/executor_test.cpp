#include "runtime/process/executor.h"

#include <sched.h>
#include <sys/wait.h>

#include <csignal>

#include "runtime/process/detail/test_support.h"

namespace bascule::process {
namespace {

using testing_support::text_of_file;
using testing_support::wait_for_end;

class ExecutorTest : public testing_support::ServiceTest {};

TEST_P(ExecutorTest, TellsTheExitCodeAndTheReason) {
  const auto done =
      run(launch_of(script("a", "echo noise >&2; echo 'ocf-exit-reason:No config' >&2; echo x >&2; exit 6")));
  EXPECT_EQ(done.return_code, 6);
  EXPECT_EQ(done.reason, "No config");
  EXPECT_FALSE(done.timed_out);
  EXPECT_GT(done.took, Duration::zero());
  EXPECT_NE(log_.find("shop/apache start: rc 6"), std::string::npos) << log_;
}

TEST_P(ExecutorTest, GivesTheChildAWorldOfItsOwn) {
  const int leaked = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC, as a careless library would
  ::signal(SIGPIPE, SIG_IGN);
  const std::string out = (scratch_ / "out").string();
  const auto done = run(launch_of(script("a", "exec > " + out + R"sh(
echo "cwd $PWD"; echo "umask $(umask)"; echo "stdin $(cat | wc -c)"
echo "session $(ps -o sid= -p $$ | tr -d ' ') $$"; echo "home ${HOME-unset}"
echo "ignored $(grep SigIgn /proc/$$/status | cut -f2)"; echo "blocked $(grep SigBlk /proc/$$/status | cut -f2)"
echo "descriptors"; ls /proc/$$/fd
exit 0
)sh")));
  ::close(leaked);
  ::signal(SIGPIPE, SIG_DFL);
  ASSERT_EQ(done.return_code, 0) << done.reason;
  const std::string text = text_of_file(out);
  EXPECT_NE(text.find("cwd /\n"), std::string::npos) << text;
  EXPECT_NE(text.find("umask 0022\n"), std::string::npos) << text;
  EXPECT_NE(text.find("stdin 0\n"), std::string::npos) << text;
  EXPECT_NE(text.find("home unset\n"), std::string::npos) << text;
  EXPECT_NE(text.find("ignored 0000000000000000\n"), std::string::npos) << text;
  EXPECT_NE(text.find("blocked 0000000000000000\n"), std::string::npos) << text;
  std::istringstream session(text.substr(text.find("session ") + 8));
  pid_t leader = 0, shell = 0;
  session >> leader >> shell;
  EXPECT_EQ(leader, shell) << text;
  std::istringstream descriptors(text.substr(text.find("descriptors") + 11));
  for (int number = 0; descriptors >> number;) EXPECT_TRUE(number <= 2 || number == 10 || number == 255) << text;
}

TEST_P(ExecutorTest, RunsAgentsWithoutTheManagersRealTimePriority) {
  sched_param realtime{1};
  if (::sched_setscheduler(0, SCHED_RR, &realtime) != 0) GTEST_SKIP() << "no right to real time here";
  const std::string out = (scratch_ / "out").string();
  const auto done = run(launch_of(script("a", "cut -d' ' -f41 /proc/$$/stat > " + out)));
  sched_param normal{};
  ::sched_setscheduler(0, SCHED_OTHER, &normal);
  EXPECT_EQ(done.return_code, 0);
  EXPECT_EQ(text_of_file(out), std::to_string(SCHED_OTHER) + "\n");
}

TEST_P(ExecutorTest, KillsWhatHangsWithItsChildren) {
  const std::string out = (scratch_ / "child").string();
  const auto done =
      run(launch_of(script("a", "trap '' TERM\nsleep 1000 &\necho $! > " + out + "\nwait\n"), milliseconds(300)));
  EXPECT_EQ(done.return_code, -1);
  EXPECT_TRUE(done.timed_out);
  EXPECT_GE(done.took, milliseconds(300));
  EXPECT_NE(done.reason.find("timed out after 300 ms"), std::string::npos) << done.reason;
  EXPECT_TRUE(wait_for_end(std::stoi(text_of_file(out))));
}

TEST_P(ExecutorTest, DoesNotWaitForDaemonsThatKeepThePipes) {
  const auto done = run(launch_of(script("a", "setsid sleep 1000 &\necho started >&2; exit 0\n")));
  EXPECT_EQ(done.return_code, 0);
  EXPECT_EQ(done.reason, "started");
  EXPECT_TRUE(processes_->populated());
}

TEST_P(ExecutorTest, KeepsTheEndOfALongOutput) {
  const auto done =
      run(launch_of(script("a",
                           "yes 'a long line of nothing' | head -c 8000000 >&2; "
                           "yes | head -c 3000000; echo >&2; echo 'ocf-exit-reason:the end' >&2; exit 1")));
  EXPECT_EQ(done.return_code, 1);
  EXPECT_EQ(done.reason, "the end");
  EXPECT_LT(log_.size(), 64u * 1024);
}

TEST_P(ExecutorTest, LosesNothingOfWhatIsPrintedRightBeforeTheEnd) {
  std::string all;
  for (int i = 0; i < 400; ++i) all += "line " + std::to_string(i) + " of what it prints\n";
  const auto path = script("a", "i=0; while [ $i -lt 400 ]; do echo \"line $i of what it prints\"; i=$((i+1)); done\n");
  for (int time = 0; time < 60; ++time) ASSERT_EQ(run(launch_of(path)).printed, all) << "run " << time;
}

TEST_P(ExecutorTest, TellsWhatCannotBeRun) {
  const auto missing = run(launch_of("/nonexistent/agent"));
  EXPECT_EQ(missing.return_code, 5) << "not installed: a probe there finds that it does not run";
  EXPECT_NE(missing.reason.find("No such file"), std::string::npos) << missing.reason;
  const std::string plain = script("plain", "exit 0");
  std::filesystem::permissions(plain, std::filesystem::perms::owner_read);
  EXPECT_EQ(run(launch_of(plain)).return_code, -2);
  EXPECT_EQ(run(launch_of(scratch_.string())).return_code, -2);
}

TEST_P(ExecutorTest, TellsOddEnds) {
  const auto crashed = run(launch_of(script("a", "kill -SEGV $$")));
  EXPECT_EQ(crashed.return_code, -1);
  EXPECT_NE(crashed.reason.find("Segmentation fault"), std::string::npos) << crashed.reason;
  EXPECT_FALSE(crashed.timed_out);
  EXPECT_EQ(run(launch_of(script("b", "exit 255"))).return_code, 255);
}

TEST_P(ExecutorTest, CancelsEachOnce) {
  int answers = 0;
  for (int index = 0; index < 3; ++index) {
    executor_->run(launch_of(script("a", "sleep 1000")), [&](const Completion& done) {
      ++answers;
      EXPECT_TRUE(done.cancelled);
      EXPECT_EQ(done.return_code, -1);
    });
  }
  EXPECT_EQ(executor_->running(), 3u);
  executor_->cancel();
  EXPECT_EQ(answers, 0);
  EXPECT_TRUE(run_until([&] { return answers == 3; }));
  EXPECT_EQ(executor_->running(), 0u);
}

TEST_P(ExecutorTest, AnAgentDiesWithItsManagerButItsServiceLives) {
  const std::string agent_file = (scratch_ / "agent").string(), daemon_file = (scratch_ / "daemon").string();
  const std::string path =
      script("a", "setsid sleep 1000 >/dev/null 2>&1 &\necho $! > " + daemon_file + "\necho $$ > " + agent_file +
                      ".new\nmv " + agent_file + ".new " + agent_file + "\nsleep 1000");
  io_.notify_fork(boost::asio::io_context::fork_prepare);
  const pid_t manager = ::fork();
  io_.notify_fork(manager == 0 ? boost::asio::io_context::fork_child : boost::asio::io_context::fork_parent);
  if (manager == 0) {
    open();
    executor_->run(launch_of(path), [](const Completion&) {});
    run_until([&] { return std::filesystem::exists(agent_file); });
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(manager, &status, 0);
  EXPECT_TRUE(wait_for_end(std::stoi(text_of_file(agent_file))));
  open();  // the next manager finds what the agent had started
  const pid_t daemon = std::stoi(text_of_file(daemon_file));
  const auto found = processes_->processes();
  EXPECT_NE(std::find(found.begin(), found.end(), daemon), found.end());
}

INSTANTIATE_TEST_SUITE_P(Kinds, ExecutorTest, testing::Bool(), testing_support::kind_name);

}  // namespace
}  // namespace bascule::process
