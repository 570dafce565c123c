#pragma once

#include <string>

#include "base/result.h"
#include "edge/cli/json_view.h"

namespace bascule::cli {

/// What `bascule import drbd` is asked for.
struct ImportRequest {
  std::string file;    ///< DRBD's configuration; empty: the one that drbdadm would take from /etc
  std::string node;    ///< the machine that takes DRBD's place
  std::string output;  ///< a file that does not exist yet; empty: none
  bool only_check = false;
};

/// Reads, converts and writes. The answer has ok, volumes, nodes, remarks (where, text), toml (but not with
/// only_check), and text: what a person is told, or the TOML itself when there is no output file.
[[nodiscard]] Result<json> run_import(const ImportRequest& request);

}  // namespace bascule::cli
