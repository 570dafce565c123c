#pragma once

#include <string>
#include <vector>

#include "edge/api/operations.h"
#include "edge/cli/json_view.h"

namespace bascule::cli {

/// Fencing has its own questions and its own answers.
[[nodiscard]] bool is_about_fencing(const api::Operation& operation);

/// `fence NODE` is short for `fence node NODE`.
[[nodiscard]] std::vector<std::string> with_fence_node(std::vector<std::string> arguments);

/// The devices, and how long ago each was last seen to work; empty without devices. `now_ms`: wall clock, 0: now.
[[nodiscard]] std::string fence_devices_text(const json& status, std::int64_t now_ms = 0);
/// Who was fenced, the newest last.
[[nodiscard]] std::string fence_history_text(const json& status);

}  // namespace bascule::cli
