// The one place where actions and orderings come into being.
#include "core/policy/detail/make_action.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/policy/detail/steps.h"
#include "core/policy/operations.h"
#include "core/policy/running.h"

namespace bascule::policy::detail {
namespace {

bool needs_start_conditions(const Action& action) { return action.task == "start" || action.task == "promote"; }

void read_needs(const Board& board, Action& action) {
  if (action.resource == kNone || !needs_start_conditions(action)) return;
  const Requires needs = board.resource(action.resource).needs;
  action.needs_fencing = needs >= Requires::fencing;
  action.needs_quorum = needs != Requires::nothing;
}

void read_definition(const Board& board, Action& action) {
  if (action.resource == kNone) return;
  const Resource& resource = board.resource(action.resource);
  action.definition = find_operation(resource, action.task, action.interval_ms);
  action.on_fail = on_fail_of(board, resource, action.task, action.interval_ms, action.definition);
  action.fail_role = fail_role_of(action.on_fail, action.task);
}

/// The resource's part of the cluster lacks quorum: what may it do? Nothing is said of what it did anyway while it
/// stays frozen: a restart that was asked for before it was known where stays a stop.
std::optional<bool> quorum_allows(Board& board, const Action& action) {
  const Properties& properties = board.properties;
  if (!action.needs_quorum || properties.have_quorum) return true;
  if (properties.no_quorum == NoQuorumPolicy::stop) return false;
  Resource& resource = board.resource(action.resource);
  if (properties.no_quorum == NoQuorumPolicy::demote) {
    // What knows the role goes on without it.
    if (resource.role < Role::Unpromoted) return false;
    resource.next_role = std::min(resource.next_role, Role::Unpromoted);
    return true;
  }
  if (properties.no_quorum != NoQuorumPolicy::freeze) return true;
  if (active(board, action.resource, true) && resource.next_role <= resource.role) return std::nullopt;
  return false;
}

void judge_runnable(Board& board, Action& action) {
  if (action.pseudo || action.resource == kNone) return;
  if (action.node == kNone) {
    action.runnable = false;
    return;
  }
  const Node& node = board.node(action.node);
  const bool recovering_guest = node.is_guest() && !node.remote_requires_reset;
  if (!node.online && !recovering_guest && action.task != "lrm_delete") {
    action.runnable = false;
    const bool lost_stop = action.task == "stop" && action.required() && board.resource(action.resource).managed;
    if (lost_stop && !node.unclean) fence_node(board, action.node, "resource actions are unrunnable");
  } else if (node.pending) {
    action.runnable = false;
  } else if (!action.needs_quorum && !action.needs_fencing) {
    action.runnable = !node.is_guest() || can_fence(board, action.node);
  } else {
    action.runnable = quorum_allows(board, action).value_or(action.runnable);
    if (!action.runnable)
      action.reason = board.properties.no_quorum == NoQuorumPolicy::freeze ? "quorum freeze" : "no quorum";
  }
}

/// What is not managed is left alone; its monitors go on.
bool forced_optional(const Board& board, const Action& action) {
  if (action.pseudo || action.resource == kNone || action.node == kNone || action.interval_ms != 0) return false;
  return !board.resource(action.resource).managed;
}

}  // namespace

std::vector<ActionId> find_by_key(const Board& board, ResourceId resource, std::string_view key, NodeId node) {
  std::vector<ActionId> found;
  if (resource == kNone) {
    const auto named = board.actions_by_key.find(std::string(key));
    if (named != board.actions_by_key.end()) found = named->second;
    return found;
  }
  for (const ActionId id : board.resource(resource).actions) {
    const Action& action = board.action(id);
    if (action.key == key && (node == kNone || action.node == node)) found.push_back(id);
  }
  return found;
}

ActionId find_action(const Board& board, ResourceId resource, std::string_view task, NodeId node) {
  const std::vector<ActionId>& actions = board.resource(resource).actions;
  const auto found = std::find_if(actions.rbegin(), actions.rend(), [&](ActionId id) {
    const Action& action = board.action(id);
    return action.task == task && (node == kNone || action.node == node);
  });
  return found == actions.rend() ? kNone : *found;
}

namespace {

/// The same thing to do there. What was asked for before it was known where is there now.
ActionId find_same(Board& board, ResourceId resource, std::string_view key, NodeId node) {
  for (const ActionId each : board.resource(resource).actions) {
    Action& action = board.action(each);
    if (action.key != key) continue;
    if (action.node == kNone) action.node = node;
    if (node == kNone || action.node == node) return each;
  }
  return kNone;
}

}  // namespace

ActionId make_action(Board& board, ResourceId resource, const std::string& key, std::string_view task, NodeId node,
                     bool optional) {
  ActionId id = kNone;
  if (resource != kNone) {
    id = find_same(board, resource, key, node);
  } else {
    const std::vector<ActionId> same = find_by_key(board, kNone, key, kNone);
    if (!same.empty()) id = same.front();
  }
  if (id == kNone) {
    id = static_cast<ActionId>(board.actions.size());
    Action action;
    action.id = id;
    action.resource = resource;
    action.node = node;
    action.task = task;
    action.key = key;
    action.optional = true;
    const KeyParts parts = parse_key(key);
    if (parts.valid) action.interval_ms = parts.interval_ms;
    read_needs(board, action);
    read_definition(board, action);
    board.actions.push_back(std::move(action));
    (resource == kNone ? board.actions_by_key[key] : board.resource(resource).actions).push_back(id);
  }
  Action& action = board.action(id);
  if (forced_optional(board, action))
    action.optional = true;
  else if (!optional)
    action.optional = false;
  judge_runnable(board, board.actions[id]);
  return id;
}

ActionId make_pseudo(Board& board, ResourceId resource, const std::string& key, std::string_view task, bool optional,
                     bool runnable) {
  const ActionId id = make_action(board, resource, key, task, kNone, true);
  Action& action = board.action(id);
  action.pseudo = true;
  action.runnable = runnable;
  action.optional = optional;
  return id;
}

ActionId make_simple(Board& board, ResourceId resource, std::string_view task, NodeId node, bool optional) {
  return make_action(board, resource, operation_key(board.resource(resource).id, task, 0), task, node, optional);
}

void require_stop(Board& board, ResourceId resource, NodeId node) { make_simple(board, resource, "stop", node, false); }
void require_demote(Board& board, ResourceId resource, NodeId node) {
  make_simple(board, resource, "demote", node, false);
}

// ---- orderings ----------------------------------------------------------------------------------------------------

bool order(Board& board, ActionId first, ActionId then, OrderFlags flags) {
  if (first == then || first == kNone || then == kNone) return false;
  for (Edge& edge : board.action(first).after)
    if (edge.action == then && (edge.flags == flags || (edge.flags & flags) != 0)) return false;
  board.action(first).after.push_back({then, flags});
  board.action(then).before.push_back({first, flags});
  return true;
}

void order_later(Board& board, ResourceId first, std::string first_key, ActionId first_action, ResourceId then,
                 std::string then_key, ActionId then_action, OrderFlags flags) {
  board.orderings.push_back({flags, first, std::move(first_key), first_action, then, std::move(then_key), then_action});
}

void order_tasks(Board& board, ResourceId first, std::string_view first_task, ResourceId then,
                 std::string_view then_task, OrderFlags flags) {
  order_later(board, first, operation_key(board.resource(first).id, first_task, 0), kNone, then,
              operation_key(board.resource(then).id, then_task, 0), kNone, flags);
}

}  // namespace bascule::policy::detail
