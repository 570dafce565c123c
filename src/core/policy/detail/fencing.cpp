// Fencing and shutdown of nodes, and what no longer needs to be done on them.
#include <algorithm>
#include <numeric>

#include "core/policy/detail/bundle.h"
#include "core/policy/detail/make_action.h"
#include "core/policy/detail/notifications.h"
#include "core/policy/detail/steps.h"
#include "core/policy/running.h"

namespace bascule::policy::detail {
namespace {

ActionId make_fence_action(Board& board, NodeId node, const std::string& how) {
  const std::string key = "stonith-" + board.node(node).name + "-" + how;
  const ActionId made = make_action(board, kNone, key, "stonith", node, false);
  Action& action = board.action(made);
  action.optional = false;
  action.runnable = true;
  action.node = node;
  action.reason = board.node(node).fence_reason.empty() ? "node is unclean" : board.node(node).fence_reason;
  return made;
}

bool known_on(const Board& board, ResourceId id, NodeId node) {
  for (const ResourceId child : board.resource(id).children)
    if (known_on(board, child, node)) return true;
  const auto& known = board.resource(id).known_on;
  return std::find(known.begin(), known.end(), node) != known.end();
}

/// A stop would never be answered: that everything has stopped follows from the fencing.
void imply_stops(Board& board, ResourceId id, NodeId node, ActionId fencing, bool ordered) {
  const ResourceId top = board.top_of(id);
  ActionId of_top = kNone;
  for (const ActionId each : board.resource(top).actions)
    if (board.action(each).task == "stop") of_top = each;  // of several the newest stands for the whole
  for (const ActionId each : std::vector<ActionId>(board.resource(id).actions)) {
    Action& action = board.action(each);
    if (action.task != "stop" || (action.node != node && action.node != kNone)) continue;
    action.pseudo = action.runnable = true;
    action.implied_by_fencing = action.implied_by_fencing || ordered;
    if (ordered && !bundled(board, id)) order(board, fencing, each, order_preserve);
    if (ordered && of_top != kNone) order(board, fencing, of_top, order_preserve);
    notify_after_fencing(board, id, fencing);
  }
}

void imply_demotes(Board& board, ResourceId id, NodeId node, ActionId fencing, bool ordered) {
  for (const ActionId each : std::vector<ActionId>(board.resource(id).actions)) {
    Action& action = board.action(each);
    if (action.task != "demote" || action.node != node) continue;
    const Node& place = board.node(node);
    if (place.online && !place.unclean && !board.resource(id).failed) continue;
    action.pseudo = action.runnable = true;
    if (!bundled(board, id) && ordered) order(board, fencing, each, order_preserve | order_optional);
  }
}

void order_starts(Board& board, ResourceId id, NodeId node, ActionId fencing) {
  for (const ActionId each : std::vector<ActionId>(board.resource(id).actions)) {
    const Action& action = board.action(each);
    if (action.needs_fencing) {
      order(board, fencing, each, order_optional);
    } else if (action.needs_quorum && action.task == "start") {
      // It may be active there: as one waits for probes.
      if (!known_on(board, id, node) && board.resource(id).scores[node] != kNotAllowed)
        order(board, fencing, each, order_optional | order_runnable_left);
    }
  }
}

void constrain_by_fencing(Board& board, NodeId node, ActionId fencing) {
  for (ResourceId id = 0; id < board.resources.size(); ++id) {
    if (!board.resource(id).primitive() || !board.resource(id).managed) continue;
    order_starts(board, id, node, fencing);
    const bool ordered = board.resource(id).needs >= Requires::fencing || board.node(node).is_guest();
    imply_stops(board, id, node, fencing, ordered);
    imply_demotes(board, id, node, fencing, ordered);
  }
}

/// A guest node is fenced by what happens to its container; others wait for a point in time that stands for it.
void fence_guest(Board& board, NodeId node) {
  const ResourceId container = board.node(node).container;
  const ActionId stop = find_action(board, container, "stop", kNone);
  const bool starts = find_action(board, container, "start", kNone) != kNone;
  const ActionId fencing = make_fence_action(board, node, starts ? "reboot" : "off");
  board.action(fencing).pseudo = true;
  board.action(fencing).reason = "guest is unclean";
  if (stop != kNone && board.action(stop).pseudo) {
    const ActionId of_host = make_fence_action(board, board.action(stop).node, board.properties.fencing_action);
    order(board, of_host, fencing, order_runnable_left | order_implies_then);
  } else if (stop != kNone) {
    order(board, stop, fencing, order_runnable_left | order_implies_then);
  } else {
    // Nobody stops it: maybe only its history was lost. A probe of it comes before its connection's stop.
    order(board, find_action(board, board.node(node).connection, "stop", kNone), fencing, order_optional);
  }
  constrain_by_fencing(board, node, fencing);
}

bool any_managed(const Board& board) {
  return std::any_of(board.resources.begin(), board.resources.end(),
                     [](const Resource& each) { return each.primitive() && each.managed; });
}

ActionId make_shutdown(Board& board, NodeId node) {
  const std::string key = "do_shutdown-" + board.node(node).name;
  const ActionId made = make_action(board, kNone, key, "do_shutdown", node, false);
  Action& action = board.action(made);
  action.optional = false;
  action.runnable = true;
  action.node = node;
  for (ResourceId id = 0; id < board.resources.size(); ++id)
    for (const ActionId each : std::vector<ActionId>(board.resource(id).actions)) {
      if (board.action(each).task != "stop" || board.action(each).node != node) continue;
      // What is left alone does not hold up the shutdown; what is blocked does.
      const Resource& resource = board.resource(id);
      if (resource.maintenance || board.node(node).maintenance || (!resource.managed && !resource.blocked)) continue;
      board.action(each).optional = false;
      order(board, each, made, order_optional | order_runnable_left);
    }
  return made;
}

std::vector<NodeId> by_name(const Board& board) {
  std::vector<NodeId> nodes(board.nodes.size());
  std::iota(nodes.begin(), nodes.end(), NodeId{0});
  std::stable_sort(nodes.begin(), nodes.end(), [&board](NodeId left, NodeId right) {
    return natural_order(board.node(left).name, board.node(right).name) < 0;
  });
  return nodes;
}

/// Who is taken down, and in which order.
struct Downs {
  std::vector<ActionId> fencings, shutdowns;
  ActionId of_dc = kNone;
};

/// What is known of a lost connection's failures is forgotten when the node behind it has been fenced.
void forget_after_fencing(Board& board, NodeId node, ActionId fencing) {
  const ResourceId connection = board.node(node).connection;
  if (connection == kNone || board.resource(connection).reconnect_ms == 0) return;
  for (const ActionId each : std::vector<ActionId>(board.resource(connection).actions))
    if (board.action(each).task == "clear_failcount") order(board, fencing, each, order_implies_then);
}

void take_down(Board& board, NodeId node, bool managed, Downs& downs) {
  const Node& place = board.node(node);
  if (place.unclean && managed && can_fence(board, node)) {
    const ActionId fencing = make_fence_action(board, node, board.properties.fencing_action);
    constrain_by_fencing(board, node, fencing);
    forget_after_fencing(board, node, fencing);
    if (place.dc) {
      downs.of_dc = fencing;
      return;
    }
    // One at a time, unless devices may work at once.
    if (!board.properties.concurrent_fencing && !downs.fencings.empty())
      order(board, downs.fencings.back(), fencing, order_optional);
    downs.fencings.push_back(fencing);
  } else if (!place.is_remote() && place.online && place.shutdown) {
    const ActionId down = make_shutdown(board, node);
    if (place.dc)
      downs.of_dc = down;
    else
      downs.shutdowns.push_back(down);
  }
}

}  // namespace

void make_fencing(Board& board) {
  const bool managed = any_managed(board);
  Downs downs;
  for (const NodeId node : by_name(board)) {
    if (!board.node(node).is_guest())
      take_down(board, node, managed, downs);
    else if (board.node(node).remote_requires_reset && managed && can_fence(board, node))
      fence_guest(board, node);
  }
  // Whoever decides goes last; a shutdown needs not wait for it to be shot.
  if (downs.of_dc == kNone) return;
  if (board.action(downs.of_dc).task == "do_shutdown")
    for (const ActionId each : downs.shutdowns) order(board, each, downs.of_dc, order_optional);
  if (!board.properties.concurrent_fencing && !downs.fencings.empty()) downs.fencings = {downs.fencings.back()};
  for (const ActionId each : downs.fencings) order(board, each, downs.of_dc, order_optional);
}

}  // namespace bascule::policy::detail
