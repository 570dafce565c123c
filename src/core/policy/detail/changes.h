#pragma once

#include <string_view>

#include "core/policy/board.h"

/// What the configuration says now against what it said when an operation ran (facts, section 5, step 5).
namespace bascule::policy::detail {

/// By the digest in the history.
[[nodiscard]] bool parameters_changed(Board& board, ResourceId resource, NodeId node,
                                      const cib::OperationResult& result);
/// An action that removes the fail count; one for each resource and node.
ActionId clear_fail_count(Board& board, ResourceId resource, NodeId node, std::string_view reason);
/// Nobody will ask for the failures of what is not configured any more.
void forget_orphaned_failures(Board& board);

/// Its history there is to be forgotten, once it is stopped there.
void schedule_cleanup(Board& board, ResourceId resource, NodeId node, bool optional);

}  // namespace bascule::policy::detail
