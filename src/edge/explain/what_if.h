#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/explain/inject.h"
#include "core/policy/snapshot.h"

namespace bascule::explain {

struct WhatIf {
  std::string text;  ///< for people; empty if JSON was asked for
  nlohmann::json
      json;  ///< for programs, if it was asked for: happens, changes, transition, interrupted, stranded, losses
};

/// The plan for what is asked, what is interrupted and for how long, and what has nowhere to go.
[[nodiscard]] WhatIf what_if(const policy::Snapshot& snapshot, const std::vector<Injection>& happens, bool as_json);

}  // namespace bascule::explain
