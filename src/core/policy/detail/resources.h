#pragma once

#include "core/policy/board.h"

namespace bascule::policy::detail {

/// No clone or bundle is planned with more, since they would have no place: a number with a typing error in it must not
/// take all memory.
[[nodiscard]] int instances_most(const Board& board, int each_node_most);

/// One more instance of a clone, with its members; kNone if the clone has nothing in it.
ResourceId add_instance(Board& board, ResourceId clone, int number);

/// One that the configuration does not have, in another; `definition` must live as long as the board.
ResourceId add_child(Board& board, ResourceId parent, const cib::Resource& definition);

/// A resource that the configuration does not have, at the top. `definition` must live as long as the board.
ResourceId add_resource(Board& board, const cib::Resource& definition);

}  // namespace bascule::policy::detail
