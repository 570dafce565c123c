#include <algorithm>

#include "core/policy/detail/assign.h"
#include "core/policy/detail/make_action.h"
#include "core/policy/detail/propagate.h"
#include "core/policy/detail/steps.h"

/// Clones that wait for each other instance by instance.
namespace bascule::policy::detail {
namespace {

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

bool blocked_anywhere(const Board& board, ResourceId id) {
  return board.resource(id).blocked ||
         std::any_of(board.resource(id).children.begin(), board.resource(id).children.end(),
                     [&board](ResourceId child) { return blocked_anywhere(board, child); });
}

ResourceId instance_at(const Board& board, ResourceId clone, NodeId node, Role role, bool now) {
  for (const ResourceId each : instances_of(board, clone)) {
    if (place_of_whole(board, each, now) != node || blocked_anywhere(board, each)) continue;
    const Role its = now ? role_of_whole(board, each) : board.resource(each).next_role;
    if (role == Role::Unknown || role == its) return each;
  }
  return kNone;
}

}  // namespace

NodeId place_of_whole(const Board& board, ResourceId id, bool now) {
  const Resource& resource = board.resource(id);
  if (resource.children.empty()) {
    if (!now) return resource.node;
    return resource.running_on.empty() ? kNone : resource.running_on.front();
  }
  for (const ResourceId child : resource.children)
    if (const NodeId node = place_of_whole(board, child, now); node != kNone) return node;
  return kNone;
}

bool interleaves(const Board& board, const Action& first, const Action& then) {
  if (first.resource == kNone || then.resource == kNone || first.resource == then.resource) return false;
  const Resource& one = board.resource(first.resource);
  const Resource& other = board.resource(then.resource);
  if ((!one.clone && !one.bundle) || (!other.clone && !other.bundle)) return false;
  const bool downwards = ends_with(then.key, "_stop_0") || ends_with(then.key, "_demote_0");
  const Meta& meta = (downwards ? one : other).meta;
  const auto said = meta.find("interleave");
  return said != meta.end() && truth(said->second);
}

ResourceId counterpart(const Board& board, ResourceId instance, ResourceId clone, Role role, bool now) {
  const NodeId node = place_of_whole(board, instance, now);
  if (node != kNone) return instance_at(board, clone, node, role, now);
  for (const NodeId each : by_preference(board, board.resource(instance).scores, kNone))
    if (const ResourceId found = instance_at(board, clone, each, role, now); found != kNone) return found;
  return kNone;
}

void Propagation::update_interleaved(const Relation& relation) {
  const Action first = board_.action(relation.first);
  const Action then = board_.action(relation.then);
  const bool now = ends_with(first.key, "_stopped_0") || ends_with(first.key, "_demoted_0");
  for (const ResourceId instance : instances_of(board_, then.resource)) {
    const ResourceId other = counterpart(board_, instance, first.resource, Role::Unknown, now);
    if (other != kNone) {
      update_counterparts(other, instance, relation);
    } else if (!now && (relation.type & (order_runnable_left | order_implies_then)) != 0) {
      give_up(instance);
    }
  }
}

/// Without a counterpart it may not be anywhere.
void Propagation::give_up(ResourceId id) {
  for (const ResourceId child : board_.resource(id).children) give_up(child);
  Resource& resource = board_.resource(id);
  if (!resource.primitive() || resource.node == kNone) return;
  resource.node = kNone;
  resource.next_role = Role::Stopped;
  for (const ActionId each : resource.actions) {
    const Action& action = board_.action(each);
    if (action.task == "stop") set_required(each);
    if (action.task == "start" || action.interval_ms != 0) set_unrunnable(each);
  }
}

namespace {

/// Who of a replica in a bundle is meant: for what comes first what runs in the container, unless that stops; for what
/// comes then the container, unless that is about a role.
ResourceId meant_by(const Board& board, ResourceId instance, const std::string& task, bool for_first) {
  const ResourceId parent = board.resource(instance).parent;
  if (parent == kNone || !board.resource(parent).bundle) return instance;
  const bool role = task == "promote" || task == "promoted" || task == "demote" || task == "demoted";
  if (for_first ? task == "stop" || task == "stopped" : !role) return instance;
  for (const BundleReplica& replica : board.resource(parent).bundle->replicas)
    if (replica.container == instance && replica.child != kNone) return replica.child;
  return instance;
}

}  // namespace

void Propagation::update_counterparts(ResourceId first_instance, ResourceId then_instance, const Relation& relation) {
  const std::string first_task = member_task(board_, board_.action(relation.first), first_instance);
  const std::string then_task = board_.action(relation.then).task;
  const ResourceId one = meant_by(board_, first_instance, first_task, true);
  const ResourceId other = meant_by(board_, then_instance, then_task, false);
  // What is in a container runs on the container's own node.
  const ActionId first =
      find_action(board_, one, std::string(begun_by(first_task)), one == first_instance ? relation.node : kNone);
  const ActionId then = find_action(board_, other, then_task, other == then_instance ? relation.node : kNone);
  if (first == kNone || then == kNone) return;
  if (order(board_, first, then, relation.type)) touched.push_back(then);
  Relation inner = relation;
  inner.first = first;
  inner.then = then;
  inner.standing = members_standing(first, relation.node);
  update(other, inner);
}

}  // namespace bascule::policy::detail
