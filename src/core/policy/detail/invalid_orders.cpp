// Orders that would have a plan wait for itself, whatever else it says: they are left out of it.
#include "core/policy/detail/invalid_orders.h"

#include <vector>

#include "core/policy/graph.h"

namespace bascule::policy::detail {
namespace {

/// What is done on a guest node comes neither before the start nor before the stop of what the guest runs in, but
/// for the orders that the guest node itself brings (order_preserve).
bool waits_for_own_guest(const Board& board, const Action& action, const Edge& edge) {
  const Action& first = board.action(edge.action);
  if ((edge.flags & order_preserve) != 0 || action.resource == kNone || first.resource == kNone) return false;
  return first.node != kNone && board.node(first.node).container == action.resource;
}

/// Whether `first` waits for `then`, by way of anything that is done.
bool leads_back(const Board& board, ActionId first, ActionId then) {
  std::vector<std::uint8_t> seen(board.actions.size(), 0);
  std::vector<ActionId> open{first};
  while (!open.empty()) {
    const ActionId id = open.back();
    open.pop_back();
    if (id == then) return true;
    if (seen[id] != 0) continue;
    seen[id] = 1;
    for (const ActionId each : inputs_of(board, board.action(id))) open.push_back(each);
  }
  return false;
}

/// Two that migrate to each other's places cannot both wait until the other has left.
bool waits_for_exchange(const Board& board, const Action& action, const Edge& edge) {
  if (edge.flags != order_load || action.task != "migrate_to" || action.resource == kNone) return false;
  return leads_back(board, edge.action, action.id);
}

void drop(Board& board, ActionId id, Edge& edge) {
  for (Edge& back : board.action(edge.action).after)
    if (back.action == id && back.flags == edge.flags) back.flags = order_none;
  edge.flags = order_none;
}

}  // namespace

void drop_invalid_orders(Board& board) {
  for (ActionId id = static_cast<ActionId>(board.actions.size()); id-- > 0;)
    for (std::size_t i = board.action(id).before.size(); i-- > 0;) {
      const Action& action = board.action(id);
      const Edge& edge = action.before[i];
      if (edge.flags == order_none) continue;
      if (waits_for_own_guest(board, action, edge) || waits_for_exchange(board, action, edge))
        drop(board, id, board.action(id).before[i]);
    }
}

}  // namespace bascule::policy::detail
