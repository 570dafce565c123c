#pragma once

#include <string>

#include "edge/cli/json_view.h"
#include "runtime/sim/rehearse/rehearsal.h"

namespace bascule::cli {

/// What the answer says of how it was asked.
struct RehearsalAsked {
  std::string again;               ///< the command line of the worst run, without its seed
  std::vector<std::string> kinds;  ///< of faults
  std::uint32_t faults = 1;        ///< in each run
  Duration start{}, stop{};        ///< of each agent
  std::vector<std::string> live;   ///< what of the running cluster is otherwise in the rehearsal, a sentence each
};

/// For people: the answer first, then what was imitated, then the worst story.
[[nodiscard]] std::string rehearsal_text(const sim::rehearse::Report& report, const RehearsalAsked& asked);
/// docs/rehearse.md names the fields.
[[nodiscard]] json rehearsal_json(const sim::rehearse::Report& report, const RehearsalAsked& asked);

}  // namespace bascule::cli
