// Agents, who else starts their daemons, and fencing.
#include <fmt/format.h>

#include "edge/doctor/detail/checks.h"

namespace bascule::doctor::detail {
namespace {

constexpr std::int64_t fencing_test_old_s = 90LL * 24 * 3600;

void check_agent(const Agent& agent, Report& report) {
  const std::string subject = agent.service + "/" + agent.step;
  if (!agent.executable)
    report.bad("agent", subject, "there is no " + agent.path, agent.service + " cannot start here",
               "apt install resource-agents");
  for (const auto& unit : agent.started_by_systemd)
    report.bad("agent", subject, "systemd starts " + unit + " at boot as well",
               "it runs outside of the cluster, also where the data are not", "systemctl disable --now " + unit);
  for (const auto& finding : agent.findings)
    report.warn("agent", subject, finding, "it may not start here", "bascule config check");
  if (agent.executable && agent.started_by_systemd.empty() && agent.findings.empty())
    report.fine("agent", subject, agent.path);
}

}  // namespace

void check_services(const Facts& facts, Report& report) {
  for (const auto& agent : facts.agents) check_agent(agent, report);
  for (const auto& [node, age_s] : facts.fencing_test_age_s) {
    if (age_s < 0)
      report.warn("fencing", node, "it was never tested", "a takeover may depend on it", "bascule fence test " + node);
    else if (age_s > fencing_test_old_s)
      report.warn("fencing", node, fmt::format("its last test was {} days ago", age_s / 86400),
                  "a takeover may depend on it", "bascule fence test " + node);
    else
      report.fine("fencing", node, fmt::format("tested {} days ago", age_s / 86400));
  }
  if (facts.quorum && !*facts.quorum)
    report.bad("quorum", "", "there is no majority", "nothing is started or moved", "bascule status");
  if (!facts.manager_runs)
    report.warn("manager", "", "bascule-managerd does not run here", "this node takes no part in the cluster",
                "systemctl start bascule.target");
}

}  // namespace bascule::doctor::detail
