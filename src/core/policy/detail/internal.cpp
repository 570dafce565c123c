#include "core/policy/detail/assign.h"
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
  order_tasks_of(board, id, "lrm_delete", id, "monitor", order_same_node | order_then_cancels_first);
  order_restart_around_unfencing(board, id);
  constrain_contained(board, id);
  if (board.resource(id).remote_node != kNone || board.resource(id).fence_device) avoid_remote_nodes(board, id);
}

// ---- groups ---------------------------------------------------------------------------------------------------------

/// One member after another (`previous`; kNone for the first) as the group goes up and down.
struct Chain {
  ResourceId group = kNone;
  bool ordered = true;  ///< meta-attributes "ordered" and "collocated" of the group; deprecated, both default to true
  bool colocated = true;
  bool promotable = false;
  ResourceId previous = kNone;
  ResourceId last_active = kNone;
};

constexpr OrderFlags kNeeds = order_implies_then | order_runnable_left;

void order_member_in_group(Board& board, const Chain& chain, ResourceId member) {
  const ResourceId group = chain.group;
  // The group is stopped when its first member is, who is the last to stop.
  const bool last = chain.ordered && chain.previous == kNone;
  const OrderFlags down = order_implies_then_printed | (last ? order_implies_then : order_none);
  order_tasks_of(board, group, "start", member, "start", order_implies_first_printed);
  order_tasks_of(board, group, "stop", member, "stop", order_implies_first_printed);
  order_tasks_of(board, member, "stop", group, "stopped", down);
  order_tasks_of(board, member, "start", group, "running", kNeeds | order_implies_then_printed);
  if (!chain.promotable) return;
  order_tasks_of(board, group, "promote", member, "promote", order_implies_first_printed);
  order_tasks_of(board, member, "promote", group, "promoted", kNeeds | order_implies_then_printed);
  order_tasks_of(board, group, "demote", member, "demote", order_implies_first_printed);
  order_tasks_of(board, member, "demote", group, "demoted", down);
}

void order_member_after_previous(Board& board, const Chain& chain, ResourceId member) {
  if (!chain.ordered) {
    order_tasks_of(board, chain.group, "start", member, "start", kNeeds | order_implies_first_printed);
    if (chain.promotable)
      order_tasks_of(board, chain.group, "promote", member, "promote", kNeeds | order_implies_first_printed);
    return;
  }
  if (chain.previous == kNone) return;
  order_tasks_of(board, chain.previous, "start", member, "start", kNeeds);
  order_tasks_of(board, member, "stop", chain.previous, "stop", order_optional | order_restart);
  if (!chain.promotable) return;
  order_tasks_of(board, chain.previous, "promote", member, "promote", kNeeds);
  order_tasks_of(board, member, "demote", chain.previous, "demote", order_optional);
}

void constrain_member(Board& board, Chain& chain, ResourceId member) {
  constrain_inside(board, member);
  if (chain.previous != kNone && chain.colocated)
    add_colocation(board, {"#group-members", member, chain.previous, Role::Unknown, Role::Unknown, kInfinity, "",
                           board.resource(member).critical});
  order_member_in_group(board, chain, member);
  order_member_after_previous(board, chain, member);
  // A group that is active in parts stops in sequence, too.
  if (!board.resource(member).running_on.empty()) {
    if (chain.ordered && chain.previous != kNone && chain.last_active != kNone &&
        board.resource(chain.previous).running_on.empty())
      order_tasks_of(board, member, "stop", chain.last_active, "stop", order_optional);
    chain.last_active = member;
  }
  chain.previous = member;
}

bool told_not_to(const Resource& resource, std::string_view name) {
  const auto word = resource.meta.find(name);
  return word != resource.meta.end() && !truth(word->second);
}

void constrain_group(Board& board, ResourceId group) {
  order_tasks_of(board, group, "stop", group, "stopped", order_runnable_left);
  order_tasks_of(board, group, "stopped", group, "start", order_optional);
  order_tasks_of(board, group, "start", group, "running", order_runnable_left);
  Chain chain;
  chain.group = group;
  chain.ordered = !told_not_to(board.resource(group), "ordered");
  chain.colocated = !told_not_to(board.resource(group), "collocated");
  chain.promotable = inside_promotable(board, group);
  const std::vector<ResourceId> members = board.resource(group).children;
  for (const ResourceId member : members) constrain_member(board, chain, member);
}

// ---- clones ---------------------------------------------------------------------------------------------------------

void constrain_promotable(Board& board, ResourceId clone) {
  order_tasks_of(board, clone, "running", clone, "promote", order_runnable_left);
  order_roles_of_whole(board, clone);
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

void bind_members(Board& board, ResourceId group) {
  const bool colocated = !told_not_to(board.resource(group), "collocated");
  const std::vector<ResourceId>& members = board.resource(group).children;
  bool any_unmanaged = false;
  for (const ResourceId member : members) {
    const bool first = member == members.front();
    for (const std::uint32_t index : board.resource(group).with)
      if (first || !colocated || (any_unmanaged && board.colocations[index].score >= kInfinity))
        bind(board, member, index);
    if (member == members.back() || !colocated)
      for (const std::uint32_t index : board.resource(group).others_with) bind_other(board, member, index);
    any_unmanaged = any_unmanaged || !board.resource(member).managed;
  }
}

void order_roles_of_whole(Board& board, ResourceId id) {
  order_tasks_of(board, id, "stopped", id, "start", order_optional);
  order_tasks_of(board, id, "stopped", id, "promote", order_optional);
  order_tasks_of(board, id, "demoted", id, "start", order_optional);
  order_tasks_of(board, id, "running", id, "promote", order_optional);
  order_tasks_of(board, id, "demoted", id, "stop", order_optional);
  order_tasks_of(board, id, "demote", id, "demoted", order_optional);
  order_tasks_of(board, id, "demoted", id, "promote", order_optional);
}

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
