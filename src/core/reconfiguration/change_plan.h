#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/store/state.h"
#include "wire/cluster_config/config.h"
#include "wire/raft/types.h"

namespace bascule::reconfiguration {

/// One key that says something else. `from` or `to` is empty where the key is not there.
struct Difference {
  std::string path;  ///< "service.shop.prefer"
  std::string from;
  std::string to;

  bool operator==(const Difference&) const = default;
};

/// By meaning: order, comments and spaces make no difference. In the order of the paths.
[[nodiscard]] std::vector<Difference> differences(const std::string& from, const std::string& to);

/// What the cluster is, for the planning of a change.
struct Situation {
  const config::ClusterConfig& config;  ///< in force, with its peers
  std::string text;                     ///< of it
  const store::ClusterState& state;
  std::function<bool(const std::string& node)> online;
  std::vector<raft::ServerId> voters = {};  ///< in force; empty: those of `config`
};

/// What a new configuration would do to the running cluster.
struct ChangePlan {
  std::uint64_t base_version = 0;
  std::string text;  ///< as it would be applied: with the ids of all nodes
  config::ClusterConfig config;
  std::uint64_t highest_node_id = 0;
  std::vector<Difference> differences;
  std::vector<std::string> steps;       ///< what happens, a sentence each
  std::vector<std::string> interrupts;  ///< services that stop on the way
  std::vector<std::string> refusals;    ///< why it cannot be applied now; empty: it can
};

/// Refused (an Error) is only what is no configuration at all.
[[nodiscard]] Result<ChangePlan> plan_change(const Situation& situation, const std::string& text,
                                             const std::string& file);

}  // namespace bascule::reconfiguration
