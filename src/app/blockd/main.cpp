#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "runtime/block_host/host.h"
#include "runtime/watchdog/config_file.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

namespace {

using namespace bascule;

constexpr const char* kExamples = R"(
Examples:
  bascule-blockd --volume data
  bascule-blockd --config ./cluster.toml --node alice --volume data --run-dir /tmp/alice

The disk must have been prepared with: bascule volume create data
Ends on SIGTERM; exit code 2 and one sentence when it cannot run.)";

constexpr const char* kRunDir = "/run/bascule";
constexpr const char* kStateDir = "/var/lib/bascule";

void say(const std::string& text) { std::fprintf(stderr, "bascule-blockd: %s\n", text.c_str()); }

/// Memory that this program needs must never wait for memory to be written to the device it serves.
void become_storage() {
  if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) != 0 && errno != EPERM)
    say(std::string("not marked as storage: ") + std::strerror(errno));
  if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0)
    say(std::string("memory is not locked: ") + std::strerror(errno));
  mallopt(M_TRIM_THRESHOLD, 64 << 20);  // freed memory is kept, not given back and asked for again
  mallopt(M_ARENA_MAX, 1);
}

Result<void> serve(const std::string& config_file, block_host::Options options) {
  auto config = config::load(config_file);
  if (!config) return tl::unexpected(config.error());
  const auto* const node = config->node(options.node);
  if (node == nullptr)
    return fail("this machine is not in the cluster", options.node, "no such node in " + config_file,
                "--node NAME says which one it is");
  if (node->role != config::NodeRole::data)
    return fail("nothing to do", options.node, "a witness holds no data, and a peer runs nothing of ours");
  options.cluster = std::move(*config);
  become_storage();
  return block_host::run(options);
}

}  // namespace

int main(int argc, char** argv) {
  std::string config_file = config::default_file;
  block_host::Options options;
  options.node = config::host_name();
  options.run_dir = kRunDir;
  CLI::App app("Runs one replicated volume: the disk, the peer, the block device, the NBD export.", "bascule-blockd");
  app.footer(kExamples);
  app.add_option("--config", config_file, "configuration")->capture_default_str();
  app.add_option("--node", options.node, "which node this is")->capture_default_str();
  app.add_option("--volume", options.volume, "which volume of the configuration")->required();
  app.add_option("--run-dir", options.run_dir, "sockets, pages, mount point")->capture_default_str();
  app.add_option("--state-dir", options.state_dir,
                 "what must survive a reboot: sizes of the disk [/var/lib/bascule; with another --run-dir: that]");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (options.state_dir.empty()) options.state_dir = options.run_dir == kRunDir ? kStateDir : options.run_dir;
  std::signal(SIGPIPE, SIG_IGN);
  if (const auto served = serve(config_file, std::move(options)); !served) {
    say(served.error().text());
    return 2;
  }
  return 0;
}
