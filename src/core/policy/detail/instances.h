#pragma once

#include <vector>

#include "core/policy/board.h"

/// Placing the instances of a clone, or the containers of a bundle (facts, section 5, "Clones").
namespace bascule::policy::detail {

/// Less than zero: the left one is served before the right one; zero: no matter. Both have the same parent.
[[nodiscard]] int compare_service(Board& board, ResourceId left, ResourceId right);
[[nodiscard]] std::vector<ResourceId> in_order_of_service(Board& board, std::vector<ResourceId> instances);

/// A place for each instance of `parent`, of at most `max`; no node takes more than `node_max` of them.
struct Distributed {
  ResourceId parent = kNone;
  int max = 0;
  int node_max = 1;
};
void distribute(Board& board, const Distributed& what, const std::vector<ResourceId>& instances);

}  // namespace bascule::policy::detail
