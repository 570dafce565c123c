#pragma once

#include <string>

#include "edge/cli/command_line.h"

namespace bascule::cli {

/// What drbdsetup's commands are asked for.
struct DrbdRequest {
  std::string run_dir;
  std::string resource;  ///< a volume, its minor ("0", "minor-0", "/dev/drbd0"), "all" or empty
  bool as_json = false, verbose = false, statistics = false;
  bool now = false, timestamps = false;  ///< events2
};

/// `bascule drbdsetup VERB`: status, events2, role, cstate, dstate, show-gi, get-gi. Exit codes are drbdsetup's: 0
/// done, 1 no disk (the gi commands), 10 no such resource, 20 usage or no answer.
[[nodiscard]] int drbd_command(const std::string& verb, const DrbdRequest& request, const Surroundings& around);

}  // namespace bascule::cli
