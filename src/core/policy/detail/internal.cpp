#include "core/policy/detail/bundle.h"
#include "core/policy/detail/constraints.h"
#include "core/policy/detail/remote_nodes.h"
#include "core/policy/detail/steps.h"
#include "core/policy/detail/unfencing.h"

namespace bascule::policy::detail {
namespace {

bool inside_promotable(const Board& board, ResourceId id) { return board.resource(board.top_of(id)).promotable(); }

// ---- primitives -----------------------------------------------------------------------------------------------------

/// What is inside a container lives and dies with it, and runs where it runs.
void constrain_contained(Board& board, ResourceId id) {
  const ResourceId container = board.resource(id).container;
  if (container == kNone) return;
  ResourceId connection = kNone;
  if (board.resource(id).remote_node != kNone) {
    if (!board.resource(id).remote_hosts) avoid_remote_nodes(board, container);
    order_tasks_of(board, container, "monitor", id, "stop", order_optional);
  } else if (board.resource(container).remote_node != kNone) {
    connection = container;
  } else {
    for (const ResourceId filler : board.resource(container).fillers)
      if (board.resource(filler).remote_node != kNone) connection = filler;
  }
  if (connection != kNone) {
    for (NodeId node = 0; node < board.nodes.size(); ++node)
      if (board.node(node).connection != connection && board.resource(id).scores[node] != kNotAllowed)
        board.resource(id).scores[node] = -kInfinity;
    note(board, id, {Cause::Kind::container, "", connection});
    return;
  }
  order_tasks_of(board, container, "start", id, "start", order_implies_then | order_runnable_left);
  order_tasks_of(board, id, "stop", container, "stop", order_implies_first);
  add_colocation(board, {"#resource-with-container", id, container, Role::Unknown, Role::Unknown,
                         board.resource(id).remote_hosts ? 10'000 : kInfinity, "", true});
}

void constrain_primitive(Board& board, ResourceId id) {
  if (!board.resource(id).managed) return;
  order_tasks_of(board, id, "stop", id, "start", order_optional | order_implies_then | order_restart);
  if (inside_promotable(board, id) || board.resource(id).role > Role::Unpromoted) {
    order_tasks_of(board, id, "demote", id, "stop", order_promoted_implies_first);
    order_tasks_of(board, id, "start", id, "promote", order_runnable_left);
  }
  order_tasks_of(board, id, "delete", id, "start", order_same_node | order_then_cancels_first);
  order_restart_around_unfencing(board, id);
  constrain_contained(board, id);
  if (board.resource(id).remote_node != kNone || board.resource(id).fence_device) avoid_remote_nodes(board, id);
}

// ---- groups ---------------------------------------------------------------------------------------------------------

void chain_members(Board& board, ResourceId earlier, ResourceId later) {
  add_colocation(board, {"#group-members", later, earlier, Role::Unknown, Role::Unknown, kInfinity, "",
                         board.resource(later).critical});
  order_tasks_of(board, earlier, "start", later, "start", order_implies_then | order_runnable_left);
  order_tasks_of(board, later, "stop", earlier, "stop", order_optional | order_restart);
  if (inside_promotable(board, later)) {
    order_tasks_of(board, earlier, "promote", later, "promote", order_implies_then | order_runnable_left);
    order_tasks_of(board, later, "demote", earlier, "demote", order_optional);
  }
  const bool odd = board.resource(earlier).running_on.empty() && !board.resource(later).running_on.empty();
  if (odd) order_tasks_of(board, later, "stop", earlier, "start", order_implies_first | order_runnable_left);
}

void constrain_group(Board& board, ResourceId group) {
  order_tasks_of(board, group, "stop", group, "stopped", order_runnable_left);
  order_tasks_of(board, group, "stopped", group, "start", order_optional);
  order_tasks_of(board, group, "start", group, "running", order_runnable_left);
  const bool promotable = inside_promotable(board, group);
  const std::vector<ResourceId> members = board.resource(group).children;
  ResourceId previous = kNone;
  ResourceId last_active = kNone;
  for (const ResourceId member : members) {
    constrain_inside(board, member);
    order_tasks_of(board, group, "start", member, "start", order_implies_first_printed);
    order_tasks_of(board, group, "stop", member, "stop", order_implies_first_printed);
    const OrderFlags down = order_implies_then_printed | (previous == kNone ? order_implies_then : order_none);
    order_tasks_of(board, member, "stop", group, "stopped", down);
    order_tasks_of(board, member, "start", group, "running",
                   order_runnable_left | order_implies_then | order_implies_then_printed);
    if (promotable) {
      order_tasks_of(board, group, "promote", member, "promote", order_implies_first_printed);
      order_tasks_of(board, member, "promote", group, "promoted",
                     order_runnable_left | order_implies_then | order_implies_then_printed);
      order_tasks_of(board, group, "demote", member, "demote", order_implies_first_printed);
      order_tasks_of(board, member, "demote", group, "demoted", down);
    }
    if (previous != kNone) chain_members(board, previous, member);
    // A group that is active in parts stops in sequence, too.
    if (!board.resource(member).running_on.empty()) {
      if (previous != kNone && last_active != kNone && board.resource(previous).running_on.empty())
        order_tasks_of(board, member, "stop", last_active, "stop", order_optional);
      last_active = member;
    }
    previous = member;
  }
  if (members.empty()) return;
  // The group's colocations are those of its ends.
  auto& first = board.resource(members.front()).with;
  first.insert(first.end(), board.resource(group).with.begin(), board.resource(group).with.end());
  auto& last = board.resource(members.back()).others_with;
  last.insert(last.end(), board.resource(group).others_with.begin(), board.resource(group).others_with.end());
}

// ---- clones ---------------------------------------------------------------------------------------------------------

void constrain_promotable(Board& board, ResourceId clone) {
  order_tasks_of(board, clone, "promote", clone, "promoted", order_runnable_left);
  order_tasks_of(board, clone, "demote", clone, "demoted", order_runnable_left);
  order_tasks_of(board, clone, "running", clone, "promote", order_runnable_left);
  order_tasks_of(board, clone, "demoted", clone, "stop", order_optional);
  order_tasks_of(board, clone, "demoted", clone, "start", order_optional);
  order_tasks_of(board, clone, "stopped", clone, "promote", order_optional);
  order_tasks_of(board, clone, "demoted", clone, "promote", order_optional);
  ResourceId previous = kNone;
  for (const ResourceId instance : board.resource(clone).children) {
    order_tasks_of(board, clone, "promote", instance, "promote", order_optional);
    order_tasks_of(board, instance, "promote", clone, "promoted", order_optional);
    order_tasks_of(board, clone, "demote", instance, "demote", order_implies_first_printed);
    order_tasks_of(board, instance, "demote", clone, "demoted", order_implies_then_printed);
    order_tasks_of(board, instance, "demote", instance, "promote", order_optional);
    if (board.resource(clone).clone->ordered && previous != kNone) {
      order_tasks_of(board, previous, "promote", instance, "promote", order_optional);
      order_tasks_of(board, instance, "demote", previous, "demote", order_optional);
    }
    previous = instance;
  }
}

void constrain_clone(Board& board, ResourceId clone) {
  order_tasks_of(board, clone, "stopped", clone, "start", order_optional);
  order_tasks_of(board, clone, "start", clone, "running", order_runnable_left);
  order_tasks_of(board, clone, "stop", clone, "stopped", order_runnable_left);
  const std::vector<ResourceId> instances = board.resource(clone).children;
  ResourceId previous = kNone;
  for (const ResourceId instance : instances) {
    constrain_inside(board, instance);
    order_tasks_of(board, clone, "start", instance, "start", order_runnable_left | order_implies_first_printed);
    order_tasks_of(board, instance, "start", clone, "running", order_implies_then_printed);
    order_tasks_of(board, clone, "stop", instance, "stop", order_implies_first_printed);
    order_tasks_of(board, instance, "stop", clone, "stopped", order_implies_then_printed);
    if (board.resource(clone).clone->ordered && previous != kNone) {
      order_tasks_of(board, previous, "start", instance, "start", order_optional);
      order_tasks_of(board, instance, "stop", previous, "stop", order_optional);
    }
    previous = instance;
  }
  if (board.resource(clone).promotable()) constrain_promotable(board, clone);
}

}  // namespace

void constrain_inside(Board& board, ResourceId id) {
  switch (board.resource(id).variant) {
    case Variant::primitive:
      return constrain_primitive(board, id);
    case Variant::group:
      return constrain_group(board, id);
    case Variant::clone:
      return constrain_clone(board, id);
    case Variant::bundle:
      return constrain_bundle(board, id);
  }
}

}  // namespace bascule::policy::detail
