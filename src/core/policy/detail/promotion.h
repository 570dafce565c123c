#pragma once

#include "core/policy/board.h"

/// Which instances of a promotable clone are promoted (facts, section 5, "Promotable").
namespace bascule::policy::detail {

/// Before instances are placed: what agents say about their promotion counts for the place, too.
void add_promotion_scores(Board& board, ResourceId clone);
/// After they are placed: Promoted or Unpromoted for each.
void set_instance_roles(Board& board, ResourceId clone);

}  // namespace bascule::policy::detail
