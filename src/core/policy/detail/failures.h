#pragma once

#include <cstdint>

#include "core/policy/board.h"

/// Fail counts: node attributes fail-count-RESOURCE#TASK_INTERVAL and last-failure-... (facts, section 8).
namespace bascule::policy::detail {

struct FailCount {
  Score count = 0;
  std::int64_t last_s = 0;  ///< of the newest failure; 0: unknown
};

/// The sum over all operations of the resource on that node; with `effective` nothing that is older than the
/// failure-timeout. What blocks a resource never expires.
[[nodiscard]] FailCount fail_count(Board& board, ResourceId resource, NodeId node, bool effective);
/// Like fail_count(), with what runs inside the resource.
[[nodiscard]] FailCount fail_count_with_fillers(Board& board, ResourceId resource, NodeId node);
/// Whether it failed so often on that node that it must leave it.
[[nodiscard]] bool threshold_reached(Board& board, ResourceId resource, NodeId node);
/// Whether the one is worse than the other.
[[nodiscard]] bool worse(OnFail left, OnFail right);

}  // namespace bascule::policy::detail
