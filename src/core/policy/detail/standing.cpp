#include <string>

#include "core/policy/detail/make_action.h"
#include "core/policy/detail/propagate.h"

/// How an action looks from outside.
namespace bascule::policy::detail {
namespace {

bool is_about_roles(const std::string& task) {
  return task == "promote" || task == "promoted" || task == "demote" || task == "demoted" || task == "notify" ||
         task == "notified";
}

}  // namespace

std::vector<ResourceId> instances_of(const Board& board, ResourceId id) {
  const Resource& resource = board.resource(id);
  if (!resource.bundle) return resource.children;
  std::vector<ResourceId> containers;
  for (const BundleReplica& replica : resource.bundle->replicas) containers.push_back(replica.container);
  return containers;
}

Standing Propagation::plain(ActionId id) const { return {board_.action(id).optional, board_.action(id).runnable}; }

/// Required if any member's is, not runnable if any member's is not.
Standing Propagation::of_group(ActionId id, NodeId node) {
  Standing sum;
  const Action action = board_.action(id);
  for (const ResourceId member : board_.resource(action.resource).children) {
    const std::string task = member_task(board_, action, member);
    const ActionId found = find_action(board_, member, task, node);
    if (found == kNone) {
      if (task != "stop" && task != "demote") sum.runnable = false;
      continue;
    }
    const Standing one = members_standing(found, node);
    if (!one.optional) {
      sum.optional = false;
      summarize_required(id);
    }
    if (task != action.task && !one.runnable) {
      sum.runnable = false;
      summarize_unrunnable(id);
    }
  }
  return sum;
}

/// Required if any instance's is, runnable if any instance's is. Of a bundle its containers are the instances, but only
/// what runs inside them can be promoted and demoted.
Standing Propagation::of_clone(ActionId id, NodeId node) {
  Standing sum;
  bool any_runnable = false;
  const Action action = board_.action(id);
  const BundleParts* bundle =
      board_.resource(action.resource).bundle ? &*board_.resource(action.resource).bundle : nullptr;
  const bool inside = bundle != nullptr && bundle->child != kNone && is_about_roles(action.task);
  for (const ResourceId instance : instances_of(board_, inside ? bundle->child : action.resource)) {
    const std::string task = member_task(board_, action, instance);
    const bool primitive = board_.resource(instance).primitive();
    const ActionId found = find_action(board_, instance, task, primitive ? node : kNone);
    if (found == kNone) continue;
    const Standing one = members_standing(found, node);
    if (!one.optional) {
      sum.optional = false;
      summarize_required(id);
    }
    any_runnable = any_runnable || one.runnable;
  }
  sum.runnable = any_runnable;
  if (!any_runnable && node == kNone) summarize_unrunnable(id);
  return sum;
}

Standing Propagation::members_standing(ActionId id, NodeId node) {
  const ResourceId resource = board_.action(id).resource;
  if (resource == kNone) return plain(id);
  switch (board_.resource(resource).variant) {
    case Variant::group:
      return of_group(id, node);
    case Variant::clone:
    case Variant::bundle:
      return of_clone(id, node);
    case Variant::primitive:
      break;
  }
  return plain(id);
}

Standing Propagation::standing(ActionId id, NodeId node) {
  const Standing anywhere = members_standing(id, kNone);
  const ResourceId resource = board_.action(id).resource;
  if (node == kNone || resource == kNone || board_.resource(resource).variant != Variant::clone) return anywhere;
  Standing here = members_standing(id, node);
  here.runnable = here.runnable || anywhere.runnable;
  return here;
}

}  // namespace bascule::policy::detail
