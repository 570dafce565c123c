#pragma once

#include <string>
#include <vector>

#include "edge/cli/command_line.h"
#include "runtime/doctor/probe.h"

/// `bascule doctor`.
namespace bascule::cli {

struct DoctorRequest {
  doctor::Options look;
  std::vector<std::string> compared;  ///< files: what `doctor --json` printed elsewhere
  bool as_json = false;
};

/// 0 fine, 1 warnings, 2 bad; 2 also when a file cannot be read.
[[nodiscard]] int run_doctor(const DoctorRequest& request, const Surroundings& around);

/// What the manager's status adds to the facts: who is heard, what is served, whether there is a majority.
void add_status(const json& status, doctor::Facts& facts);
/// What the manager's history adds: how far the clocks of the nodes that answered differ from the one here.
void add_clocks(const json& history, doctor::Facts& facts);
/// What a blockd's state adds to the facts about its disk.
void add_volume_state(const json& state, doctor::DiskFacts& disk);
/// What another node's doctor printed. Errors: it is something else.
[[nodiscard]] Result<doctor::OtherNode> other_node(const std::string& text, const std::string& file);

}  // namespace bascule::cli
