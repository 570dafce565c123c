#pragma once

#include <string_view>

#include "core/policy/board.h"

/// Instances of a clone with notify=true hear of each other's starts, stops, promotions and demotions, before and after
/// (facts, section 11).
namespace bascule::policy::detail {

/// The points in time around a clone's action that other actions wait for; kNone without notifications.
struct Notices {
  ActionId before = kNone;
  ActionId after_done = kNone;
};

/// Makes them for one kind of action, which lies between `begin` and `end`.
Notices make_notices(Board& board, ResourceId clone, std::string_view task, ActionId begin, ActionId end);
/// The instances that remain hear of a stop that follows from a fencing when the fencing is done.
void notify_after_fencing(Board& board, ResourceId id, ActionId fencing);

}  // namespace bascule::policy::detail
