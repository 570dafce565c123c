#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace bascule::mount {

struct MountUser {
  pid_t pid = 0;
  std::string command;  ///< "bash"
};

/// The processes that have their directory, root, program, an open file or a mapping at or below `directory`. Never
/// this process itself.
[[nodiscard]] std::vector<MountUser> users_of(const std::string& directory);

}  // namespace bascule::mount
