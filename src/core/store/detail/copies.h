#pragma once

#include <string>
#include <vector>

#include "core/store/state.h"

namespace bascule::store::detail {

/// What is agreed about the copies of "web": "web@alice", "web@1". Written names have no @ (config::written_name).
[[nodiscard]] inline std::vector<ServiceState*> copies_of(ClusterState& state, const std::string& name) {
  std::vector<ServiceState*> copies;
  const std::string prefix = name + "@";
  for (auto at = state.services.lower_bound(prefix); at != state.services.end() && at->first.starts_with(prefix); ++at)
    copies.push_back(&at->second);
  return copies;
}

}  // namespace bascule::store::detail
