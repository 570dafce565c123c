// Placement and actions of a bundle: containers, connections and what runs inside.
#include <algorithm>
#include <utility>

#include "core/policy/detail/assign.h"
#include "core/policy/detail/bundle.h"
#include "core/policy/detail/constraints.h"
#include "core/policy/detail/failures.h"
#include "core/policy/detail/instances.h"
#include "core/policy/detail/make_action.h"
#include "core/policy/detail/schedule.h"
#include "core/policy/operations.h"
#include "core/policy/running.h"

namespace bascule::policy::detail {
namespace {

// ---- placement ------------------------------------------------------------------------------------------------------

std::vector<ResourceId> containers_of(const BundleParts& bundle) {
  std::vector<ResourceId> containers;
  for (const BundleReplica& replica : bundle.replicas) containers.push_back(replica.container);
  return containers;
}

void place_replica(Board& board, const BundleReplica& replica, ResourceId clone) {
  if (replica.ip != kNone) assign(board, replica.ip);
  const NodeId host = board.resource(replica.container).node;
  if (replica.remote != kNone && host != kNone && board.node(host).is_remote())
    add_colocation(board, {"#replica-connection-with-host-connection", replica.remote, board.node(host).connection,
                           Role::Unknown, Role::Unknown, kInfinity, "", true});
  if (replica.remote != kNone) assign(board, replica.remote);
  if (replica.child == kNone || clone == kNone) return;
  Resource& child = board.resource(replica.child);
  for (NodeId node = 0; node < child.scores.size(); ++node) {
    if (child.scores[node] == kNotAllowed) continue;
    // Whatever else speaks against it: where its replica is, it is, unless it failed there too often.
    if (node != replica.node)
      child.scores[node] = -kInfinity;
    else if (!threshold_reached(board, replica.child, node))
      child.scores[node] = kInfinity;
  }
  note(board, replica.child, {Cause::Kind::container, "", replica.container});
  const bool is_under_way = std::exchange(board.resource(clone).assigning, true);
  assign(board, replica.child, replica.node);
  board.resource(clone).assigning = is_under_way;  // else a clone that is to be with its own bundle goes in circles
}

std::string key_of(const Board& board, ResourceId id, std::string_view task) {
  return operation_key(board.resource(id).id, task, 0);
}

struct Doing {
  bool starting = false, stopping = false, active = false;
};

Doing containers_do(const Board& board, const BundleParts& bundle) {
  Doing doing;
  for (const BundleReplica& replica : bundle.replicas) {
    const Resource& container = board.resource(replica.container);
    doing.active = doing.active || !container.running_on.empty();
    for (const ActionId each : container.actions) {
      const Action& action = board.action(each);
      if (action.optional || (!action.pseudo && !action.runnable)) continue;
      doing.starting = doing.starting || (action.task == "start" && action.runnable);
      doing.stopping = doing.stopping || action.task == "stop";
    }
  }
  return doing;
}

void constrain_replica(Board& board, ResourceId id, const BundleReplica& replica) {
  const ResourceId container = replica.container;
  constrain_inside(board, container);
  order_tasks_of(board, id, "start", container, "start", order_runnable_left | order_implies_first_printed);
  if (replica.child != kNone) order_tasks_of(board, id, "stop", replica.child, "stop", order_implies_first_printed);
  order_tasks_of(board, id, "stop", container, "stop", order_implies_first_printed);
  order_tasks_of(board, container, "start", id, "running", order_implies_then_printed);
  order_tasks_of(board, container, "stop", id, "stopped", order_implies_then_printed);
  if (replica.ip != kNone) {
    constrain_inside(board, replica.ip);
    order_tasks_of(board, replica.ip, "start", container, "start", order_runnable_left | order_preserve);
    order_tasks_of(board, container, "stop", replica.ip, "stop", order_implies_first | order_preserve);
    add_colocation(
        board, {"#address-with-container", replica.ip, container, Role::Unknown, Role::Unknown, kInfinity, "", true});
  }
  if (replica.remote != kNone) constrain_inside(board, replica.remote);
}

}  // namespace

NodeId assign_bundle(Board& board, ResourceId id) {
  // No guard against coming here again: whoever asks for the bundle while one of its containers is being placed gets
  // the addresses and connections placed, without their container. It ends because a primitive is only placed once.
  board.resource(id).assigning = true;
  const BundleParts bundle = *board.resource(id).bundle;
  note_scores(board, id, "pcmk__bundle_allocate");
  distribute(board, {id, static_cast<int>(bundle.replicas.size()), bundle.replicas_per_host},
             in_order_of_service(board, containers_of(bundle)));
  for (const BundleReplica& replica : bundle.replicas) place_replica(board, replica, bundle.child);
  if (bundle.child != kNone) {
    Scores& scores = board.resource(bundle.child).scores;
    for (NodeId node = 0; node < scores.size(); ++node) {
      const bool ours = std::any_of(bundle.replicas.begin(), bundle.replicas.end(),
                                    [&](const BundleReplica& each) { return each.node == node; });
      if (scores[node] != kNotAllowed || ours) scores[node] = ours ? 0 : -kInfinity;
    }
    note(board, bundle.child, {Cause::Kind::container, "", id});
    assign(board, bundle.child);
  }
  board.resource(id).assigning = false;
  board.resource(id).assigned_yet = true;
  return kNone;
}

void constrain_bundle(Board& board, ResourceId id) {
  const BundleParts bundle = *board.resource(id).bundle;
  const ResourceId clone = bundle.child;
  if (clone != kNone) {
    order_tasks_of(board, id, "start", clone, "start", order_implies_first_printed);
    order_tasks_of(board, id, "stop", clone, "stop", order_implies_first_printed);
    order_tasks_of(board, clone, "running", id, "running", order_implies_then_printed);
    order_tasks_of(board, clone, "stopped", id, "stopped", order_implies_then_printed);
  }
  for (const BundleReplica& replica : bundle.replicas) constrain_replica(board, id, replica);
  if (clone == kNone) return;
  constrain_inside(board, clone);
  if (!board.resource(clone).promotable()) return;
  order_roles_of_whole(board, id);
  order_tasks_of(board, id, "promote", clone, "promote", order_implies_first_printed);
  order_tasks_of(board, clone, "promoted", id, "promoted", order_implies_then_printed);
  order_tasks_of(board, id, "demote", clone, "demote", order_implies_first_printed);
  order_tasks_of(board, clone, "demoted", id, "demoted", order_implies_then_printed);
}

void schedule_bundle(Board& board, ResourceId id) {
  const BundleParts bundle = *board.resource(id).bundle;
  for (const BundleReplica& replica : bundle.replicas)
    for (const ResourceId each : {replica.ip, replica.container, replica.remote})
      if (each != kNone) schedule(board, each);
  const Doing doing = containers_do(board, bundle);
  make_pseudo(board, id, key_of(board, id, "start"), "start", !doing.starting, true);
  make_pseudo(board, id, key_of(board, id, "running"), "running", !doing.starting, doing.active || doing.starting);
  make_pseudo(board, id, key_of(board, id, "stop"), "stop", !doing.stopping, true);
  make_pseudo(board, id, key_of(board, id, "stopped"), "stopped", !doing.stopping, true);
  if (bundle.child == kNone) return;
  schedule(board, bundle.child);
  if (!board.resource(bundle.child).promotable()) return;
  for (const char* task : {"promote", "promoted", "demote", "demoted"})
    make_pseudo(board, id, key_of(board, id, task), task, true, true);
}

bool probe_bundle(Board& board, ResourceId id, NodeId node) {
  const BundleParts bundle = *board.resource(id).bundle;
  bool any = bundle.child != kNone && make_probe(board, bundle.child, node);
  for (const BundleReplica& replica : bundle.replicas) {
    if (replica.ip != kNone) any = make_probe(board, replica.ip, node) || any;
    if (replica.child != kNone && replica.node == node) any = make_probe(board, replica.child, node) || any;
    if (make_probe(board, replica.container, node)) {
      any = true;
      // With one replica for each host no other may start before it is known that this one does not run.
      for (const BundleReplica& other : bundle.replicas)
        if (other.offset != replica.offset && bundle.replicas_per_host == 1)
          order_tasks_of(board, replica.container, "monitor", other.container, "start",
                         order_optional | order_same_node);
    }
    if (replica.remote == kNone || !make_probe(board, replica.remote, node)) continue;
    any = true;
    // Only when it is known where the container is.
    for (const ActionId probe : find_by_key(board, replica.remote, key_of(board, replica.remote, "monitor"), node))
      order_later(board, replica.container, key_of(board, replica.container, "start"), kNone, replica.remote, "", probe,
                  order_probe);
  }
  return any;
}

}  // namespace bascule::policy::detail
