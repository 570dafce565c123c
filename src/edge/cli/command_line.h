#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "base/result.h"
#include "edge/cli/status_text.h"
#include "wire/cluster_config/config.h"

namespace bascule::cli {

enum ExitCode : int { ok = 0, refused = 1, unusable = 2, no_contact = 3, timed_out = 4 };

/// What the command line cannot do by itself, and where it writes.
struct Surroundings {
  std::ostream& out;
  std::ostream& err;
  Style style;
  std::string node;  ///< this machine's name
  /// Makes the backing store of a volume on a node; answers what it did as JSON with a "text".
  std::function<Result<json>(const config::ClusterConfig&, const std::string& node, const std::string& volume,
                             bool force)>
      create_volume;
  std::istream* in = nullptr;       ///< where a person confirms; null: nobody is there
  std::string person = "somebody";  ///< who types, for the history
  bool asks = false;                ///< `in` is a terminal: a person can be asked
};

/// `bascule ARGUMENTS...` (without the program's name). Returns the exit code.
[[nodiscard]] int run(const std::vector<std::string>& arguments, const Surroundings& surroundings);

}  // namespace bascule::cli
