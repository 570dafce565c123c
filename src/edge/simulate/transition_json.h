#pragma once

#include <nlohmann/json.hpp>

#include "core/policy/plan.h"

namespace bascule::simulate {

/// What is to be done, in an order that the plan allows: each action with its reason and the ids of those that it waits
/// for. Points in time are among them.
[[nodiscard]] nlohmann::json transition_json(const policy::Plan& plan);
/// What changes, one entry for each resource and node (crm_simulate: "Transition Summary").
[[nodiscard]] nlohmann::json changes_json(const policy::Plan& plan);
/// Nodes, and resources with what is in them.
[[nodiscard]] nlohmann::json status_json(const policy::detail::Board& board);

}  // namespace bascule::simulate
