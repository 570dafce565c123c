#pragma once

#include <set>
#include <string>
#include <string_view>

#include "base/result.h"

namespace bascule::fencing {

/// What an agent says that it can do (its answer to `action=metadata`).
struct Abilities {
  std::set<std::string> actions;  ///< empty: it was not asked yet, and is taken to know all
  bool unfences = false;          ///< `on` is automatic: a node must be switched on by it when it joins
  bool on_target = false;         ///< ... and by itself (fabric agents that register a key)
  [[nodiscard]] bool knows(const std::string& action) const { return actions.empty() || actions.contains(action); }
};

/// Reads `<action name="..." on_target="1" automatic="1"/>`. Refuses text without any action.
[[nodiscard]] Result<Abilities> parse_metadata(std::string_view xml);

}  // namespace bascule::fencing
