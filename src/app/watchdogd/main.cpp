#include <sched.h>
#include <sys/mman.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "app/watchdogd/server.h"
#include "runtime/supervisor/notify.h"
#include "runtime/watchdog/config_file.h"

namespace {

using namespace bascule;

/// Late is the same as dead for this program. What the machine does not permit, it goes on without.
void become_punctual() {
  sched_param priority{};
  priority.sched_priority = 20;
  if (sched_setscheduler(0, SCHED_RR, &priority) != 0)
    watchdog::log(std::string("no real-time priority: ") + std::strerror(errno));
  if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
    watchdog::log(std::string("memory is not locked: ") + std::strerror(errno));
  if (std::FILE* file = std::fopen("/proc/self/oom_score_adj", "w")) {
    std::fputs("-1000", file);
    std::fclose(file);
  }
}

Result<void> serve(const watchdog::Options& options) {
  const auto config = config::load(options.config_file);
  if (!config) return tl::unexpected(config.error());
  const auto* node = config->node(options.node);
  if (node == nullptr)
    return fail("this machine is not in the cluster", options.node, "no such node in " + options.config_file,
                "--node NAME says which one it is");
  if (node->role != config::NodeRole::data)
    return fail("nothing to do", options.node, "a witness holds no leases, and a peer runs nothing of ours");
  auto server = watchdog::Server::start(*config, options);
  if (!server) return tl::unexpected(server.error());
  become_punctual();
  supervisor::notify("READY=1");
  (*server)->run();
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  watchdog::Options options{config::default_file, config::host_name(), "/run/bascule", "/dev/watchdog"};
  CLI::App app("Keeps this node's leases: the lease page, the kernel's address lease, the watchdog.",
               "bascule-watchdogd");
  app.add_option("--config", options.config_file, "configuration")->capture_default_str();
  app.add_option("--node", options.node, "which node this is")->capture_default_str();
  app.add_option("--run-dir", options.run_dir, "sockets and pages")->capture_default_str();
  app.add_option("--watchdog", options.watchdog, "watchdog device; empty for none")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (const auto served = serve(options); !served) {
    watchdog::log(served.error().text());
    return 2;
  }
  return 0;
}
