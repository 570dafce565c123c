#pragma once

#include <string>

#include "base/time.h"
#include "wire/join/token.h"

namespace bascule::join {

/// Asks the members one after the other, until one answers; waits at most `patience` for each.
[[nodiscard]] Result<Secrets> ask_members(const Token& token, Duration patience);

struct Places {
  std::string config_file;
  std::string state_dir;
  bool replace = false;  ///< a configuration that is there
};

/// Whether this machine could join: it is no member already, and nothing is in the way. Before the token is used.
[[nodiscard]] Result<void> check_places(const Places& places);
/// Writes the key file (as the configuration names it), the configuration, and the mark of a machine that joined.
/// Answers the name of the key file; empty where there is none.
[[nodiscard]] Result<std::string> keep(const Secrets& secrets, const Token& token, const Places& places);

}  // namespace bascule::join
