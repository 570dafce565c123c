// Placement: each resource gets the best node that its constraints leave.
#include "core/policy/detail/assign.h"

#include <algorithm>

#include "core/policy/detail/bundle.h"
#include "core/policy/detail/constraints.h"
#include "core/policy/detail/merge_sort.h"
#include "core/policy/detail/remote_nodes.h"
#include "core/policy/detail/steps.h"
#include "core/policy/detail/utilization.h"
#include "core/policy/running.h"

namespace bascule::policy::detail {
namespace {

Score usable_score(const Board& board, const Scores& scores, NodeId node) {
  return available(board, scores, node, true) ? scores[node] : -kInfinity;
}

bool better(const Board& board, const Scores& scores, NodeId left, NodeId right, NodeId current) {
  const Score left_score = usable_score(board, scores, left);
  const Score right_score = usable_score(board, scores, right);
  if (left_score != right_score) return left_score > right_score;
  const Node& one = board.node(left);
  const Node& other = board.node(right);
  if (board.properties.placement != PlacementStrategy::minimal) {
    if (board.properties.placement == PlacementStrategy::balanced)
      if (const int more = compare_capacity(one, other); more != 0) return more > 0;
    if (one.assigned_count != other.assigned_count) return one.assigned_count < other.assigned_count;
    if (left == current || right == current) return left == current;
  }
  return one.name < other.name;
}

// ---- a primitive --------------------------------------------------------------------------------------------------

void apply_this_with(Board& board, ResourceId id, std::uint32_t index) {
  const Colocation colocation = board.colocations[index];
  const bool optional = colocation.score > -kInfinity && colocation.score < 0;
  const bool may_revert = colocation.dependent_role >= Role::Promoted || optional;
  const Scores before = may_revert ? board.resource(id).scores : Scores{};
  assign(board, colocation.primary);
  apply_colocation(board, id, colocation.primary, colocation);
  if (may_revert && !any_available(board, board.resource(id).scores)) board.resource(id).scores = before;
  note(board, id, {Cause::Kind::colocation, colocation.id, colocation.primary});
}

void apply_with_this(Board& board, ResourceId id, std::uint32_t index) {
  const Colocation colocation = board.colocations[index];
  if (!has_influence(board, colocation)) return;
  Scores scores = board.resource(id).scores;
  add_colocated(board, colocation.dependent, scores, colocation.node_attribute, factor_of(colocation.score),
                {false, false, true});
  board.resource(id).scores = std::move(scores);
  note(board, id, {Cause::Kind::attraction, colocation.id, colocation.dependent, factor_of(colocation.score)});
}

/// What is not managed stays where it is.
void keep(Board& board, ResourceId id) {
  Resource& resource = board.resource(id);
  resource.next_role = resource.role;
  finalize(board, id, current_node(board, id), true);
}

NodeId favoured(const Board& board, const Resource& resource, NodeId preferred, NodeId best) {
  if (preferred == kNone || best == kNone) return kNone;
  const Scores& scores = resource.scores;
  if (scores[preferred] == kNotAllowed || scores[preferred] < scores[best]) return kNone;
  return available(board, scores, preferred) ? preferred : kNone;
}

bool choose(Board& board, ResourceId id, NodeId preferred) {
  const NodeId roomiest = ban_without_capacity(board, id);
  note_loads(board, id);
  if (preferred == kNone) preferred = roomiest;
  const Resource& resource = board.resource(id);
  const NodeId current = current_node(board, id);
  const std::vector<NodeId> nodes = by_preference(board, resource.scores, current);
  const NodeId best = nodes.empty() ? kNone : nodes.front();
  NodeId chosen = favoured(board, resource, preferred, best);
  if (chosen == kNone && best != kNone) {
    chosen = best;
    const bool unique_instance =
        resource.parent != kNone && resource.unique && board.resource(resource.parent).variant == Variant::clone;
    const bool good = resource.scores[chosen] > 0 && available(board, resource.scores, chosen);
    // Moving is not worth it for a node that is only as good.
    if (!unique_instance && good && current != kNone && available(board, resource.scores, current, true) &&
        resource.scores[current] == resource.scores[chosen])
      chosen = current;
  }
  return finalize(board, id, chosen, false);
}

void restrict_role(Board& board, Resource& resource, ResourceId id) {
  const bool frozen = !board.properties.have_quorum && board.properties.no_quorum == NoQuorumPolicy::freeze;
  if (resource.next_role == Role::Stopped)
    ban_everywhere(board, id, Cause::Kind::target_role);
  else if (resource.next_role > resource.role && frozen)
    resource.next_role = resource.role;
}

bool is_for_stopped(const Action& action) {
  return action.definition != nullptr && role_of(cib::value_of(action.definition->attributes, "role")) == Role::Stopped;
}

/// What was planned for it before it was known that it has no place.
void give_up_actions(Board& board, ResourceId id) {
  for (const ActionId each : board.resource(id).actions) {
    Action& action = board.action(each);
    if (action.task == "stop")
      action.optional = false;
    else if (action.task == "start" || (action.interval_ms != 0 && !is_for_stopped(action)))
      action.runnable = false;
  }
}

}  // namespace

bool available(const Board& board, const Scores& scores, NodeId node, bool negative_too) {
  if (scores[node] == kNotAllowed) return false;
  if (!negative_too && scores[node] < 0) return false;
  // A guest node needs a container that will run.
  const ResourceId container = board.node(node).container;
  if (container != kNone && board.resource(container).node == kNone &&
      (board.resource(container).assigned_yet || board.resource(container).running_on.empty()))
    return false;
  return board.usable(node);
}

bool any_available(const Board& board, const Scores& scores) {
  for (NodeId node = 0; node < scores.size(); ++node)
    if (available(board, scores, node)) return true;
  return false;
}

NodeId current_node(const Board& board, ResourceId id) {
  const Resource& resource = board.resource(id);
  const auto& places = resource.running_on;
  if (places.empty()) return kNone;
  if (resource.migration_source != kNone)
    return std::count(places.begin(), places.end(), resource.migration_source) != 0 ? resource.migration_source
                                                                                    : places.front();
  // What needs no fencing counts as active only where that is certain.
  if (resource.needs < Requires::fencing)
    for (const NodeId node : places)
      if (board.node(node).online && !board.node(node).unclean) return node;
  return places.front();
}

std::vector<NodeId> by_preference(const Board& board, const Scores& scores, NodeId current) {
  std::vector<NodeId> nodes;
  for (NodeId node = 0; node < scores.size(); ++node)
    if (scores[node] != kNotAllowed) nodes.push_back(node);
  const auto first = [&](NodeId left, NodeId right) { return better(board, scores, left, right, current); };
  // Capacities of several kinds may compare in a circle.
  if (board.properties.placement == PlacementStrategy::balanced)
    return merge_sorted(std::move(nodes), [&](NodeId left, NodeId right) { return first(right, left) ? 1 : -1; });
  std::sort(nodes.begin(), nodes.end(), first);
  return nodes;
}

bool finalize(Board& board, ResourceId id, NodeId chosen, bool force) {
  Resource& resource = board.resource(id);
  // Of a guest node it is assumed that it will come up; if it does not, the graph holds back what is to run there.
  const bool possible = chosen != kNone && resource.scores[chosen] >= 0 &&
                        (board.node(chosen).is_guest() || available(board, resource.scores, chosen));
  if (!force && chosen != kNone && !possible) {
    chosen = kNone;
    resource.next_role = Role::Stopped;
  }
  unassign(board, id);
  resource.assigned_yet = true;
  if (chosen == kNone) {
    resource.next_role = Role::Stopped;
    give_up_actions(board, id);
    return false;
  }
  resource.node = chosen;
  Node& node = board.node(chosen);
  node.assigned.push_back(id);
  ++node.assigned_count;
  // The first use of what the node says nothing about only notes that it has none; those after it count.
  for (const auto& [name, amount] : resource.utilization) {
    const auto [left, noted] = node.utilization.try_emplace(name, 0);
    if (!noted) left->second -= amount;
  }
  return true;
}

void unassign(Board& board, ResourceId id) {
  Resource& resource = board.resource(id);
  resource.assigned_yet = false;
  if (resource.node == kNone) return;
  Node& node = board.node(resource.node);
  std::erase(node.assigned, id);
  --node.assigned_count;
  for (const auto& [name, amount] : resource.utilization) node.utilization[name] += amount;
  resource.node = kNone;
}

NodeId assign_primitive(Board& board, ResourceId id, NodeId preferred) {
  if (board.resource(id).assigning) return kNone;
  board.resource(id).assigning = true;
  note(board, id, Cause::Kind::start);
  for (const std::uint32_t index : std::vector<std::uint32_t>(board.resource(id).with))
    apply_this_with(board, id, index);
  for (const std::uint32_t index : std::vector<std::uint32_t>(board.resource(id).others_with))
    apply_with_this(board, id, index);
  restrict_role(board, board.resource(id), id);
  note_scores(board, id, "pcmk__primitive_assign");
  const Properties& properties = board.properties;
  // Without a way to fence nothing is touched.
  if (properties.fencing && !properties.have_fencing_device) board.resource(id).managed = false;
  if (!board.resource(id).managed)
    keep(board, id);
  else if (properties.stop_everything)
    finalize(board, id, kNone, true);
  else if (!board.resource(id).assigned_yet)
    choose(board, id, preferred);
  board.resource(id).assigning = false;
  if (board.resource(id).remote_node != kNone) connection_assigned(board, id);
  return board.resource(id).node;
}

NodeId assign_group(Board& board, ResourceId id, NodeId preferred) {
  if (board.resource(id).assigning || board.resource(id).children.empty()) return kNone;
  board.resource(id).assigning = true;
  bind_members(board, id);
  NodeId first = kNone;
  const std::vector<ResourceId> members = board.resource(id).children;
  board.resource(id).role = board.resource(members.front()).role;
  note_scores(board, id, "pcmk__group_assign");
  for (const ResourceId member : members) {
    const NodeId node = assign(board, member, preferred);
    if (first == kNone) first = node;
  }
  Resource& group = board.resource(id);
  group.next_role = board.resource(members.front()).next_role;
  group.assigning = false;
  group.assigned_yet = true;
  group.node = first;
  return first;
}

NodeId assign(Board& board, ResourceId id, NodeId preferred) {
  const Resource& resource = board.resource(id);
  // A member is placed with its group or clone.
  if (resource.parent != kNone && !board.resource(resource.parent).assigning &&
      !board.resource(resource.parent).assigned_yet)
    assign(board, resource.parent, preferred);
  if (board.resource(id).assigned_yet) return board.resource(id).node;
  switch (board.resource(id).variant) {
    case Variant::primitive:
      return assign_primitive(board, id, preferred);
    case Variant::group:
      return assign_group(board, id, preferred);
    case Variant::bundle:
      return assign_bundle(board, id);
    default:
      return assign_clone(board, id);
  }
}

void assign_resources(Board& board) {
  sort_for_strategy(board);
  const std::vector<ResourceId> top = board.top;
  // Connections to remote nodes, and what they depend on, first: others may want to run there.
  for (const ResourceId id : top)
    if (board.resource(id).remote_node != kNone) assign(board, id, board.resource(id).migration_target);
  for (const ResourceId id : top) assign(board, id);
}

}  // namespace bascule::policy::detail
