// Nodes that must be switched on by a device before resources may start there.
#include "core/policy/detail/unfencing.h"

#include "core/policy/detail/make_action.h"
#include "core/policy/detail/steps.h"
#include "core/policy/operations.h"

namespace bascule::policy::detail {
namespace {

ActionId switch_on(Board& board, NodeId node) {
  const std::string key = "stonith-" + board.node(node).name + "-on";
  const ActionId made = make_action(board, kNone, key, "stonith", node, true);
  board.action(made).runnable = true;
  return made;
}

bool was_switched_on(const Node& node) {
  const auto found = node.attributes.find("#node-unfenced");
  return found != node.attributes.end() && found->second != "0";
}

bool can_be_switched_on(const Board& board, const Node& node) {
  return board.properties.unfencing && node.online && !node.unclean && !node.shutdown;
}

bool concerned(const Board& board, const Resource& resource) {
  return (resource.fence_device && board.properties.unfencing) || resource.needs == Requires::unfencing;
}

}  // namespace

void order_after_unfencing(Board& board, ResourceId id, NodeId node_id, ActionId action, OrderFlags flags) {
  if (node_id == kNone || !concerned(board, board.resource(id))) return;
  const ActionId on = switch_on(board, node_id);
  order(board, on, action, flags);
  const Node& node = board.node(node_id);
  if (was_switched_on(node) || !can_be_switched_on(board, node)) return;
  board.action(on).optional = false;
  if (board.action(on).reason.empty())
    board.action(on).reason = "required by " + board.resource(id).id + " " + board.action(action).task;
}

void switch_on_anew(Board& board, ResourceId device, NodeId node_id, std::string_view reason) {
  if (!board.resource(device).fence_device) return;
  for (NodeId node = 0; node < board.nodes.size(); ++node) {
    const bool meant = can_be_switched_on(board, board.node(node_id))
                           ? node == node_id
                           : board.resource(device).scores[node] != kNotAllowed;
    if (!meant || !can_be_switched_on(board, board.node(node))) continue;
    Action& on = board.action(switch_on(board, node));
    if (can_fence(board, node)) on.optional = false;
    if (on.reason.empty()) on.reason = reason;
  }
}

void order_stop_before_unfencing(Board& board, ResourceId id, NodeId node, ActionId stop) {
  if (board.resource(id).needs != Requires::unfencing) return;
  order(board, stop, switch_on(board, node), order_implies_first);
}

void order_restart_around_unfencing(Board& board, ResourceId id) {
  const Resource& resource = board.resource(id);
  if (resource.fence_device || !board.properties.unfencing || resource.needs != Requires::unfencing) return;
  for (NodeId node = 0; node < board.nodes.size(); ++node) {
    if (board.resource(id).scores[node] == kNotAllowed) continue;
    const ActionId on = switch_on(board, node);
    const std::string& name = board.resource(id).id;
    order_later(board, id, operation_key(name, "stop", 0), kNone, kNone, "", on, order_optional | order_same_node);
    order_later(board, kNone, "", on, id, operation_key(name, "start", 0), kNone,
                order_implies_then_on_node | order_same_node);
  }
}

}  // namespace bascule::policy::detail
