#include "core/policy/graph.h"

#include <algorithm>
#include <functional>
#include <queue>

namespace bascule::policy::detail {
namespace {

bool is_stop(const Action& action) { return action.key.ends_with("_stop_0"); }

/// What a load or anti-colocation order is about: one leaves a node before another comes there.
bool shares_node(const Board& board, const Action& first, const Action& then) {
  // A migration is about the node that the resource will be on, not about the one that it is sent to.
  const NodeId place =
      then.task == "migrate_to" && then.resource != kNone ? board.resource(then.resource).node : then.node;
  return first.node != kNone && first.node == place;
}

/// The stop of a failed instance that nobody manages does not hold up other clones.
bool ignored_failure(const Board& board, const Action& first, const Action& then) {
  if (first.resource == kNone || then.resource == kNone || first.resource == then.resource) return false;
  const Resource& resource = board.resource(first.resource);
  return resource.failed && !resource.managed && is_stop(first) && board.resource(then.resource).clone;
}

/// Whether `then` waits for `first`, by all that was ever said about the two.
bool waits(const Board& board, const Action& first, const Action& then, OrderFlags flags) {
  if (flags == order_none) return false;
  constexpr OrderFlags weak = order_optional | order_implies_first_printed | order_implies_then_printed;
  if (!first.runnable && ((flags & ~weak) == 0 || (flags & order_one_or_more) != 0)) return false;
  if ((flags & order_migratable_implies_first) != 0 && !first.runnable) return false;
  // A migration does not wait for one that takes the place of a start or stop.
  if ((flags & order_apply_first_non_migratable) != 0 && first.migrate_runnable) return false;
  if (flags == order_optional && first.migrate_runnable && is_stop(first)) return false;
  if (flags == order_load) return shares_node(board, first, then) && (then.task == "migrate_to" || first.required());
  if (flags == order_anti_colocation)
    return first.required() && (first.node == kNone || then.node == kNone || first.node == then.node);
  if (ignored_failure(board, first, then)) return false;
  return first.required() || first.print_always || is_in_graph(board, first);
}

}  // namespace

bool is_in_graph(const Board& board, const Action& action) {
  if (!action.runnable) return false;
  if (action.optional && !action.print_always) return false;
  if (action.resource != kNone && !board.resource(action.resource).managed) {
    const bool allowed = action.task == "monitor" || action.interval_ms != 0;
    if (!allowed) return false;
  }
  if (action.pseudo || action.task == "stonith" || action.task == "do_shutdown" || action.task == "lrm_delete")
    return true;
  if (action.node == kNone) return false;
  const Node& node = board.node(action.node);
  return (node.online && !node.unclean) || (node.is_guest() && !node.remote_requires_reset);
}

std::vector<ActionId> inputs_of(const Board& board, const Action& action) {
  std::vector<Edge> edges = action.before;
  std::stable_sort(edges.begin(), edges.end(),
                   [](const Edge& one, const Edge& other) { return one.action < other.action; });
  std::vector<ActionId> inputs;
  for (std::size_t i = 0; i < edges.size();) {
    const ActionId first = edges[i].action;
    OrderFlags flags = order_none;
    for (; i < edges.size() && edges[i].action == first; ++i) flags |= edges[i].flags;
    if (waits(board, board.action(first), action, flags)) inputs.push_back(first);
  }
  return inputs;
}

std::vector<ActionId> in_graph_order(const Board& board) {
  std::vector<std::uint32_t> missing(board.actions.size(), 0);
  std::vector<std::vector<ActionId>> followers(board.actions.size());
  std::priority_queue<ActionId, std::vector<ActionId>, std::greater<>> ready;
  for (const Action& action : board.actions) {
    if (!is_in_graph(board, action)) continue;
    const std::vector<ActionId> inputs = inputs_of(board, action);
    missing[action.id] = static_cast<std::uint32_t>(inputs.size());
    for (const ActionId first : inputs) followers[first].push_back(action.id);
    if (inputs.empty()) ready.push(action.id);
  }
  std::vector<ActionId> ordered;
  while (!ready.empty()) {
    const ActionId id = ready.top();
    ready.pop();
    ordered.push_back(id);
    for (const ActionId then : followers[id])
      if (--missing[then] == 0) ready.push(then);
  }
  return ordered;
}

}  // namespace bascule::policy::detail
