// Probes: where nobody has looked yet whether a resource runs.
#include <algorithm>

#include "core/policy/detail/bundle.h"
#include "core/policy/detail/changes.h"
#include "core/policy/detail/find_resource.h"
#include "core/policy/detail/make_action.h"
#include "core/policy/detail/remote_nodes.h"
#include "core/policy/detail/schedule.h"
#include "core/policy/detail/steps.h"
#include "core/policy/detail/unfencing.h"
#include "core/policy/operations.h"

namespace bascule::policy::detail {
namespace {

template <typename Values, typename Value>
bool contains(const Values& values, const Value& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

/// Of instances without identity it is enough that one is known there.
bool known_there(const Board& board, ResourceId id, NodeId node) {
  const Resource& resource = board.resource(id);
  if (contains(resource.known_on, node)) return true;
  const ResourceId top = board.top_of(id);
  if (resource.unique || resource.parent == kNone || board.resource(top).variant != Variant::clone) return false;
  if (resource.parent == top) return contains(board.resource(top).known_on, node);
  const std::string name = base_id(resource.id);
  for (const ResourceId instance : board.resource(top).children)
    for (const ResourceId sister : board.resource(instance).children)
      if (base_id(board.resource(sister).id) == name && contains(board.resource(sister).known_on, node)) return true;
  return false;
}

bool wanted(const Board& board, ResourceId id, NodeId node) {
  const Resource& resource = board.resource(id);
  if (resource.orphan || known_there(board, id, node)) return false;
  if (resource.container != kNone && resource.remote_node == kNone) return false;
  const bool exclusive = resource.exclusive_discovery || board.resource(board.top_of(id)).exclusive_discovery;
  const Discovery mode = resource.discovery.empty() ? Discovery::always : resource.discovery[node];
  if (exclusive && mode != Discovery::exclusive) return false;
  return mode != Discovery::never;
}

bool probe_primitive(Board& board, ResourceId id, NodeId node) {
  if (!wanted(board, id, node) || !remote_probe(board, id, node)) return false;
  const std::string key = operation_key(board.resource(id).id, "monitor", 0);
  const ActionId probe = make_action(board, id, key, "monitor", node, false);
  board.action(probe).optional = false;
  order_after_unfencing(board, id, node, probe, order_optional);
  // No instance of a clone starts before it is known about all of them; in a group each waits for itself only.
  const ResourceId outermost = board.top_of(id);
  const ResourceId top = board.resource(outermost).clone ? outermost : id;
  const OrderFlags needed = !board.action(probe).runnable && board.resource(id).running_on.empty()
                                ? order_optional | order_runnable_left
                                : order_optional;
  order_later(board, id, "", probe, top, operation_key(board.resource(top).id, "start", 0), kNone, needed);
  order_later(board, top, "", probe, id, operation_key(board.resource(id).id, "reload-agent", 0), kNone,
              order_optional);
  return true;
}

/// Placement left the instances in the order in which they were served.
void sort_by_number(Board& board, ResourceId clone) {
  std::vector<ResourceId>& instances = board.resource(clone).children;
  std::stable_sort(instances.begin(), instances.end(), [&board](ResourceId left, ResourceId right) {
    return board.resource(left).instance < board.resource(right).instance;
  });
}

/// Whether something is known of it, or of a member of it, there.
bool anything_known(const Board& board, ResourceId id, NodeId node) {
  const Resource& resource = board.resource(id);
  if (resource.children.empty()) return contains(resource.known_on, node);
  return std::any_of(resource.children.begin(), resource.children.end(),
                     [&](ResourceId each) { return anything_known(board, each, node); });
}

/// Of instances without identity one is enough: the one that was looked for there before, or is to be there, else the
/// first.
bool probe_anonymous(Board& board, ResourceId clone, NodeId node) {
  const std::vector<ResourceId> instances = board.resource(clone).children;
  ResourceId chosen = kNone;
  for (const ResourceId each : instances)
    if (chosen == kNone && anything_known(board, each, node)) chosen = each;
  for (const ResourceId each : instances)
    if (chosen == kNone && board.resource(each).node == node) chosen = each;
  if (chosen == kNone && !instances.empty()) chosen = instances.front();
  return chosen != kNone && make_probe(board, chosen, node);
}

/// Clusters before Pacemaker 1.1.14 said with a node attribute that a node was to find out everything again; it did so
/// by itself.
bool probed_anew(Board& board, NodeId node) {
  const auto said = board.node(node).attributes.find("probe_complete");
  if (said == board.node(node).attributes.end() || truth(said->second)) return false;
  make_action(board, kNone, "probe_again-" + board.node(node).name, "probe_again", node, false);
  return true;
}

}  // namespace

bool make_probe(Board& board, ResourceId id, NodeId node) {
  const Resource& resource = board.resource(id);
  if (resource.primitive()) return probe_primitive(board, id, node);
  if (resource.variant == Variant::bundle) return probe_bundle(board, id, node);
  if (resource.variant == Variant::clone) sort_by_number(board, id);
  if (resource.variant == Variant::clone && !resource.unique) {
    const bool not_there = resource.exclusive_discovery &&
                           (resource.discovery.empty() || resource.discovery[node] != Discovery::exclusive);
    return !not_there && probe_anonymous(board, id, node);
  }
  bool any = false;
  const std::vector<ResourceId> children = resource.children;
  for (const ResourceId child : children) any = make_probe(board, child, node) || any;
  return any;
}

void make_probes(Board& board) {
  forget_orphaned_failures(board);
  if (!board.properties.startup_probes) return;
  for (NodeId node = 0; node < board.nodes.size(); ++node) {
    const Node& where = board.node(node);
    if (lost_remote_node(board, node)) fence_node(board, node, "the connection is unrecoverable");
    if (!where.online || where.unclean || !where.discovery) continue;
    if (probed_anew(board, node)) continue;
    const std::vector<ResourceId> top = board.top;
    for (const ResourceId id : top) make_probe(board, id, node);
  }
}

}  // namespace bascule::policy::detail
