#pragma once

#include <string>

#include "base/result.h"
#include "edge/cli/command_line.h"
#include "edge/cli/json_view.h"
#include "runtime/agent_metadata/ocf_metadata.h"

/// `bascule agent`, and what the agents of this machine say about a configuration.
namespace bascule::cli {

/// What an agent says of itself: `text` for people, and `name`, `version`, `ocf_version`, `about`, `parameters`,
/// `actions`. Fails for what is no OCF agent, is not on this machine or cannot be asked.
[[nodiscard]] Result<json> run_agent(const std::string& agent, const agents::Roots& roots = {});

/// Lines for people: "Warning: ...", "Advice: ...".
[[nodiscard]] std::string findings_text(const agent_metadata::Findings& findings);
[[nodiscard]] json findings_json(const agent_metadata::Findings& findings);

}  // namespace bascule::cli
