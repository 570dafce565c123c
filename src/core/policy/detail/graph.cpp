#include "core/policy/graph.h"

#include <algorithm>
#include <functional>
#include <queue>

namespace bascule::policy::detail {

bool is_in_graph(const Board& board, const Action& action) {
  if (!action.runnable) return false;
  if (action.optional && !action.print_always) return false;
  if (action.resource != kNone && !board.resource(action.resource).managed && !action.pseudo) {
    const bool allowed = action.task == "monitor" || action.task == "cancel" || action.task == "clear_failcount";
    if (!allowed) return false;
  }
  if (action.pseudo || action.task == "stonith" || action.task == "do_shutdown" || action.task == "lrm_delete")
    return true;
  if (action.node == kNone) return false;
  const Node& node = board.node(action.node);
  return node.online || (node.is_guest() && !node.remote_requires_reset);
}

bool waits(const Board& board, const Action& then, const Edge& edge) {
  if (edge.flags == order_none) return false;
  const Action& first = board.action(edge.action);
  if (!is_in_graph(board, first)) return false;
  // A migration does not wait for one that takes the place of a start or stop.
  if ((edge.flags & order_apply_first_non_migratable) != 0 && first.migrate_runnable) return false;
  const bool apart = first.node != kNone && then.node != kNone && first.node != then.node;
  return (edge.flags & (order_same_node | order_implies_then_on_node | order_load)) == 0 || !apart;
}

std::vector<ActionId> in_graph_order(const Board& board) {
  std::vector<std::uint32_t> missing(board.actions.size(), 0);
  std::priority_queue<ActionId, std::vector<ActionId>, std::greater<>> ready;
  std::size_t count = 0;
  for (const Action& action : board.actions) {
    if (!is_in_graph(board, action)) continue;
    ++count;
    for (const Edge& edge : action.before) missing[action.id] += waits(board, action, edge) ? 1 : 0;
    if (missing[action.id] == 0) ready.push(action.id);
  }
  std::vector<ActionId> ordered;
  ordered.reserve(count);
  while (!ready.empty()) {
    const ActionId id = ready.top();
    ready.pop();
    ordered.push_back(id);
    for (const Edge& edge : board.action(id).after) {
      const Action& then = board.action(edge.action);
      if (!is_in_graph(board, then) || !waits(board, then, {id, edge.flags})) continue;
      if (--missing[then.id] == 0) ready.push(then.id);
    }
  }
  return ordered;
}

}  // namespace bascule::policy::detail
