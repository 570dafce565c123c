#pragma once

#include <cstdint>
#include <string>

#include "edge/cli/command_line.h"
#include "edge/cli/config_commands.h"

namespace CLI {
class App;
}

namespace bascule::cli {

/// What may stand behind `bascule rehearse`.
struct RehearseRequest {
  std::string config_file = {};
  bool live = false;
  std::string faults = {};  ///< kinds with commas between; empty: the usual ones
  std::uint64_t runs = 100, seed = 1;
  std::uint32_t faults_in_run = 1;
  std::string start = "1s", stop = "1s";
  unsigned jobs = 0;  ///< threads; 0: one for each processor
  bool as_json = false;
};
void add_rehearse_options(CLI::App& app, RehearseRequest& request);
/// Does it. Exit codes: ok: every service came back and nothing was lost; refused: one did not, or something was;
/// unusable: usage or configuration; no_contact: with `live`.
[[nodiscard]] int run_rehearse(const RehearseRequest& request, const Ask& ask, const Surroundings& around);

}  // namespace bascule::cli
