#pragma once

#include <string_view>

/// What the exit codes of init scripts mean (LSB core specification, "Init Script Actions").
namespace bascule::agents {

/// As the code that an OCF agent would have given, mapped as Pacemaker maps it: `status` 0 runs, 1, 2 and 3 are not
/// running (dead with a pid or lock file, stopped), all else is an error; the other actions share OCF's codes 0 to 7.
/// Codes below 0 are ours and stay.
[[nodiscard]] int ocf_code_of_lsb(std::string_view operation, int exit_code);

}  // namespace bascule::agents
