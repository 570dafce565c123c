#pragma once

#include <string>
#include <vector>

#include "edge/cli/command_line.h"

namespace bascule::cli {

/// `bascule drbdmeta ARGUMENTS...`: the arguments of drbdmeta in drbdmeta's order, and its exit codes. --json may stand
/// anywhere. Touches only the named device; asks no daemon.
[[nodiscard]] int run_drbdmeta(const std::vector<std::string>& arguments, const Surroundings& surroundings);

/// `drbdmeta` is the first word, or comes right behind --json.
[[nodiscard]] bool is_drbdmeta(const std::vector<std::string>& arguments);

}  // namespace bascule::cli
