#include <fcntl.h>
#include <sched.h>

#include "core/agents/invocation.h"
#include "core/agents/ocf.h"
#include "runtime/process/detail/test_support.h"

/// Debian's own agents, unmodified, as the manager runs them.
namespace bascule::process {
namespace {

class RealAgents : public testing_support::ServiceTest {
 protected:
  static bool missing(const std::string& type) {
    return ::geteuid() != 0 || !std::filesystem::exists("/usr/lib/ocf/resource.d/heartbeat/" + type);
  }

  Completion operate(const config::Step& step, const std::string& operation, Duration interval = {}) {
    const auto run_of = agents::invocation(step, {"shop", "alice", operation, seconds(20), interval, ""});
    Launch launch;
    launch.step = step.name;
    launch.operation = operation;
    launch.path = run_of.path;
    launch.arguments = run_of.arguments;
    launch.environment = run_of.environment;
    launch.timeout = seconds(20);
    return run(launch);
  }

  static config::Step step_of(const std::string& type, std::map<std::string, std::string> parameters) {
    config::Step step;
    step.name = step.type = type;
    step.standard = "ocf";
    step.provider = "heartbeat";
    step.parameters = std::move(parameters);
    return step;
  }

  /// Probe, start twice, monitor, stop twice, probe: what every agent has to get right.
  void live(const config::Step& step) {
    EXPECT_EQ(operate(step, "monitor").return_code, agents::ocf::not_running);
    for (int times = 0; times < 2; ++times) {
      const auto started = operate(step, "start");
      ASSERT_EQ(started.return_code, 0) << started.reason << log_;
    }
    EXPECT_EQ(operate(step, "monitor", seconds(2)).return_code, 0);
    for (int times = 0; times < 2; ++times) EXPECT_EQ(operate(step, "stop").return_code, 0);
    const auto gone = operate(step, "monitor", seconds(2));
    EXPECT_EQ(gone.return_code, agents::ocf::not_running) << gone.reason;
  }
};

TEST_P(RealAgents, Dummy) {
  if (missing("Dummy")) GTEST_SKIP() << "needs root and resource-agents";
  ASSERT_TRUE(prepare_agent_directories());
  const auto dummy = step_of("Dummy", {{"state", (scratch_ / "state").string()}});
  live(dummy);
  EXPECT_EQ(operate(dummy, "monitor", seconds(2)).reason, "No process state file found");
  EXPECT_EQ(operate(dummy, "dance").return_code, agents::ocf::error_unimplemented);
}

TEST_P(RealAgents, IPaddr2InANetworkOfItsOwn) {
  if (missing("IPaddr2")) GTEST_SKIP() << "needs root and resource-agents";
  ASSERT_TRUE(prepare_agent_directories());
  const int before = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "no right to a network namespace here";
  ASSERT_EQ(std::system("ip link set lo up && ip link add one type veth peer name two && ip link set two up && "
                        "ip addr add 10.98.7.1/24 dev one && ip link set one up"),
            0);
  const auto address =
      step_of("IPaddr2", {{"ip", "10.98.7.9"}, {"cidr_netmask", "24"}, {"nic", "one"}, {"arp_count", "1"}});
  live(address);
  EXPECT_EQ(operate(step_of("IPaddr2", {}), "start").return_code, agents::ocf::error_configured);
  EXPECT_EQ(::setns(before, CLONE_NEWNET), 0);
  ::close(before);
}

/// A daemon of a real agent is in the service's cgroup, and is gone with it.
TEST_P(RealAgents, ApacheLivesAndDiesInItsService) {
  if (missing("apache") || !std::filesystem::exists("/usr/sbin/apache2")) GTEST_SKIP() << "needs root, apache2";
  ASSERT_TRUE(prepare_agent_directories());
  const std::string config = (scratch_ / "apache.conf").string(), modules = "/usr/lib/apache2/modules/";
  std::ofstream(config) << "ServerName localhost\nServerRoot " << scratch_.string()
                        << "\nListen 127.0.0.1:18761\nPidFile " << (scratch_ / "pid").string() << "\nErrorLog "
                        << (scratch_ / "error").string() << "\nLoadModule mpm_event_module " << modules
                        << "mod_mpm_event.so\nLoadModule authz_core_module " << modules
                        << "mod_authz_core.so\nLoadModule status_module " << modules
                        << "mod_status.so\n<Location /server-status>\nSetHandler server-status\n</Location>\n";
  const auto apache = step_of(
      "apache",
      {{"configfile", config}, {"httpd", "/usr/sbin/apache2"}, {"statusurl", "http://127.0.0.1:18761/server-status"}});
  EXPECT_EQ(operate(apache, "monitor").return_code, agents::ocf::not_running);
  const auto started = operate(apache, "start");
  ASSERT_EQ(started.return_code, 0) << started.reason << log_ << testing_support::text_of_file(scratch_ / "error");
  EXPECT_EQ(operate(apache, "monitor", seconds(2)).return_code, 0) << log_;
  EXPECT_GE(processes_->processes().size(), 2u);
  open();  // a restart of the manager changes nothing
  EXPECT_EQ(operate(apache, "monitor", seconds(2)).return_code, 0) << log_;
  kill_all();
  EXPECT_NE(operate(apache, "monitor", seconds(2)).return_code, 0);  // 1 with its pid file left behind
  EXPECT_EQ(operate(apache, "stop").return_code, 0) << log_;
}

INSTANTIATE_TEST_SUITE_P(Kinds, RealAgents, testing::Bool(), testing_support::kind_name);

}  // namespace
}  // namespace bascule::process
