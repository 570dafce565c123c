#pragma once

#include <string>

#include "base/result.h"
#include "wire/cluster_config/config.h"

namespace bascule::block_host {

struct Options {
  config::ClusterConfig cluster;
  std::string node, volume, run_dir;
  std::string state_dir;  ///< for what must survive a reboot
};

/// Runs one replicated volume until SIGTERM or SIGINT; then demotes it if nobody has it open, lets what is under way
/// finish, and returns. Errors: everything that makes it unusable from the start, one sentence each.
[[nodiscard]] Result<void> run(const Options& options);

}  // namespace bascule::block_host
