#pragma once

#include <string>
#include <vector>

#include "edge/cli/connection.h"

namespace bascule::cli {

/// The control socket of the blockd that runs a volume on this machine.
[[nodiscard]] std::string blockd_socket(const std::string& run_dir, const std::string& volume);
/// The volumes that have a control socket here, sorted; their blockds need not answer.
[[nodiscard]] std::vector<std::string> local_volumes(const std::string& run_dir);
/// One request. Errors: nobody there, no answer in time; a refusal is an answer with "ok": false.
[[nodiscard]] Result<json> ask_blockd(const std::string& run_dir, const std::string& volume, const json& request,
                                      Duration timeout = seconds(10));
/// The `state` object. Errors: as ask_blockd, or the refusal.
[[nodiscard]] Result<json> blockd_state(const std::string& run_dir, const std::string& volume);

}  // namespace bascule::cli
