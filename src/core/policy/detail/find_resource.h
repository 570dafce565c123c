#pragma once

#include <string>

#include "core/policy/board.h"

namespace bascule::policy::detail {

/// The resource that a history belongs to: by id; of an anonymous clone the instance that this node has, or a free one.
/// What is not configured any more becomes an orphan. kNone: nothing to be done about it.
[[nodiscard]] ResourceId find_for_history(Board& board, NodeId node, const cib::ResourceHistory& history);
/// The id without an instance number behind it.
[[nodiscard]] std::string base_id(std::string_view id);

}  // namespace bascule::policy::detail
