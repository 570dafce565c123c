// Recurring monitors: which are started, which are cancelled, for which role.
#include <algorithm>

#include "core/policy/detail/make_action.h"
#include "core/policy/detail/schedule.h"
#include "core/policy/detail/steps.h"
#include "core/policy/operations.h"

namespace bascule::policy::detail {
namespace {

bool is_recorded(const Board& board, ResourceId id, const std::string& key, NodeId node) {
  const std::vector<ActionId> found = find_by_key(board, id, key, node);
  return std::any_of(found.begin(), found.end(), [&](ActionId each) { return board.action(each).node == node; });
}

/// What ends the role that the operation is for.
const char* change_of_role(const Resource& resource) {
  if (resource.role == Role::Promoted) return "demote";
  if (resource.next_role == Role::Promoted) return "promote";
  return resource.next_role == Role::Stopped ? "stop" : nullptr;
}

void for_other_role(Board& board, ResourceId id, const Recurring& operation, NodeId node, bool running) {
  if (!running) return;
  const ActionId cancel = make_cancel(board, id, operation.task, operation.interval_ms, node);
  const char* after = change_of_role(board.resource(id));
  if (after == nullptr) return;
  order_later(board, id, "", cancel, id, operation_key(board.resource(id).id, after, 0), kNone, order_runnable_left);
}

void order_recurring(Board& board, ResourceId id, ActionId start, ActionId recurring) {
  const Resource& resource = board.resource(id);
  order_later(board, id, "", start, id, "", recurring, order_implies_then | order_runnable_left);
  order_later(board, id, operation_key(resource.id, "reload-agent", 0), kNone, id, "", recurring,
              order_implies_then | order_runnable_left);
  if (resource.next_role == Role::Promoted)
    order_later(board, id, operation_key(resource.id, "promote", 0), kNone, id, "", recurring,
                order_optional | order_runnable_left);
  else if (resource.role == Role::Promoted)
    order_later(board, id, operation_key(resource.id, "demote", 0), kNone, id, "", recurring,
                order_optional | order_runnable_left);
}

void for_active_role(Board& board, ResourceId id, const Recurring& operation, ActionId start) {
  if (operation.role == Role::Stopped) return;
  const NodeId node = board.resource(id).node;
  bool optional = board.action(start).optional;
  if (node == kNone) {
  } else if (!is_recorded(board, id, operation.key, node)) {
    optional = false;
  } else {
    for (const ActionId each : find_by_key(board, id, operation.key, node))
      if (board.action(each).reschedule) optional = false;
  }
  const Role next = board.resource(id).next_role;
  const bool other_role = operation.role == Role::Unknown ? next == Role::Promoted : operation.role != next;
  if (other_role) return for_other_role(board, id, operation, node, optional && node != kNone);
  const ActionId made = make_action(board, id, operation.key, operation.task, node, optional);
  Action& action = board.action(made);
  const bool usable = node != kNone && board.node(node).online && !board.node(node).unclean;
  if (!board.action(start).runnable || !usable) action.runnable = false;
  if (node == kNone || board.resource(id).managed) order_recurring(board, id, start, made);
}

/// It is to tell whether the resource is active where it must not be.
void cancel_where_it_starts(Board& board, ResourceId id, const Recurring& operation, NodeId here) {
  const ActionId cancel = make_cancel(board, id, operation.task, operation.interval_ms, here);
  const Role next = board.resource(id).next_role;
  if (next != Role::Started && next != Role::Unpromoted) return;
  order_later(board, id, "", cancel, id, operation_key(board.resource(id).id, "start", 0), kNone, order_runnable_left);
}

void order_after_probes(Board& board, ResourceId id, ActionId made) {
  const NodeId node = board.action(made).node;
  for (const ActionId each : std::vector<ActionId>(board.resource(id).actions)) {
    const Action& action = board.action(each);
    if (action.task == "monitor" && action.interval_ms == 0 && action.node == node)
      order(board, each, made, order_implies_then | order_runnable_left);
  }
}

/// It is about the resource not being there: of what nobody manages only where that is so already.
void order_after_stops(Board& board, ResourceId id, ActionId made) {
  const bool managed = board.resource(id).managed;
  const NodeId node = board.action(made).node;
  for (const ActionId each : std::vector<ActionId>(board.resource(id).actions)) {
    const Action& stop = board.action(each);
    if (stop.task != "stop" || stop.node != node) continue;
    if (managed)
      order(board, each, made, order_implies_then | order_runnable_left);
    else if (stop.required())
      board.action(made).optional = true;
    if (!stop.runnable) board.action(made).runnable = false;
  }
}

void for_inactive_role(Board& board, ResourceId id, const Recurring& operation) {
  const bool anonymous = board.resource(board.top_of(id)).clone && !board.resource(id).unique;
  if (operation.role != Role::Stopped || anonymous) return;
  const NodeId here = board.resource(id).node;
  if (here != kNone && is_recorded(board, id, operation.key, here)) cancel_where_it_starts(board, id, operation, here);
  for (NodeId node = 0; node < board.nodes.size(); ++node) {
    if (node == here && board.resource(id).next_role != Role::Stopped) continue;
    const bool optional = is_recorded(board, id, operation.key, node);
    const ActionId made = make_action(board, id, operation.key, operation.task, node, optional);
    if (board.resource(id).managed) order_after_probes(board, id, made);
    order_after_stops(board, id, made);
    const Node& place = board.node(node);
    if (!place.online || place.unclean) board.action(made).runnable = false;
  }
}

}  // namespace

void make_recurring(Board& board, ResourceId id) {
  const Resource& resource = board.resource(id);
  if (resource.blocked || board.properties.maintenance || resource.maintenance) return;
  const std::vector<Recurring> operations = recurring_operations(board, resource);
  const bool active = resource.node != kNone && !board.node(resource.node).maintenance &&
                      (resource.next_role != Role::Stopped || !resource.managed);
  if (active) {
    // It starts again where it stops for another reason, whatever is to recur there.
    const ActionId start = make_simple(board, id, "start", board.resource(id).node, true);
    for (const Recurring& each : operations) for_active_role(board, id, each, start);
  }
  for (const Recurring& each : operations) for_inactive_role(board, id, each);
}

/// What is recorded as going on there becomes its own end.
ActionId make_cancel(Board& board, ResourceId id, std::string_view task, std::uint32_t interval_ms, NodeId node) {
  const std::string key = operation_key(board.resource(id).id, task, interval_ms);
  const ActionId made = make_action(board, id, key, "cancel", node, false);
  board.action(made).task = "cancel";
  board.action(made).cancel_task = task;
  return made;
}

}  // namespace bascule::policy::detail
