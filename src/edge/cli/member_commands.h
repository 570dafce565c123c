#pragma once

#include <string>
#include <vector>

#include "edge/cli/config_commands.h"

namespace bascule::cli {

/// What may stand behind `bascule node add|token|remove|replace`, `bascule leave` and `bascule join`.
struct MemberRequest {
  std::string action;  ///< add, token, remove, replace, leave, join
  std::string node;
  std::string by;  ///< replace: the new name
  std::vector<std::string> addresses;
  std::string role = "data";
  bool no_vote = false;
  std::int64_t valid_s = 3600;
  std::string token;  ///< join
  std::string config_file, state_dir;
  bool force = false;
  Duration patience = seconds(120);  ///< for a node to be empty
};

/// Does it; the exit codes are those of run_config().
[[nodiscard]] int run_member(const MemberRequest& member, const ConfigRequest& request, const Ask& ask,
                             const Surroundings& around);
/// Shows the plan of this text, asks, applies.
[[nodiscard]] int apply_configuration(const std::string& text, const ConfigRequest& request, const Ask& ask,
                                      const Surroundings& around);

}  // namespace bascule::cli
