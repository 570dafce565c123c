// Capacity: what nodes have, what resources use, and in which order the placement strategy serves them.
#include "core/policy/detail/utilization.h"

#include <algorithm>
#include <map>
#include <string>

#include "core/policy/detail/assign.h"
#include "core/policy/detail/make_action.h"
#include "core/policy/operations.h"

namespace bascule::policy::detail {
namespace {

using Load = std::map<std::string, int, std::less<>>;
using Members = std::vector<ResourceId>;

bool in_list(const Members& members, ResourceId id) {
  return std::find(members.begin(), members.end(), id) != members.end();
}

// ---- what must be together --------------------------------------------------------------------------------------

void collect(const Board& board, ResourceId id, ResourceId origin, Members& found);

bool binds(const Board& board, const Colocation& colocation) {
  if (colocation.score < kInfinity) return false;
  const auto fits = [](Role wanted, Role next) { return wanted == Role::Unknown || wanted == next; };
  return fits(colocation.dependent_role, board.resource(colocation.dependent).next_role) &&
         fits(colocation.primary_role, board.resource(colocation.primary).next_role);
}

void collect_one(const Board& board, ResourceId id, ResourceId origin, Members& found) {
  if (in_list(found, id)) return;
  found.push_back(id);
  const Resource& resource = board.resource(id);
  for (const std::uint32_t index : resource.with) {
    const Colocation& colocation = board.colocations[index];
    if (colocation.primary != origin && binds(board, colocation)) collect(board, colocation.primary, origin, found);
  }
  for (const std::uint32_t index : resource.others_with) {
    const Colocation& colocation = board.colocations[index];
    const Resource& dependent = board.resource(colocation.dependent);
    // Which instance a dependent will be with nobody knows.
    if (resource.variant == Variant::clone && dependent.variant != Variant::clone) continue;
    if (colocation.dependent != origin && binds(board, colocation)) collect(board, colocation.dependent, origin, found);
  }
}

void collect(const Board& board, ResourceId id, ResourceId origin, Members& found) {
  if (board.resource(id).variant == Variant::group)
    for (const ResourceId member : board.resource(id).children) collect_one(board, member, origin, found);
  collect_one(board, id, origin, found);
}

// ---- what they need ---------------------------------------------------------------------------------------------

void add_load(const Board& board, ResourceId id, const Members& all, Load& load) {
  const Resource& resource = board.resource(id);
  if (resource.assigned_yet) return;
  if (resource.variant == Variant::primitive) {
    for (const auto& [name, amount] : resource.utilization) load[name] += amount;
  } else if (resource.variant == Variant::group) {
    for (const ResourceId member : resource.children)
      if (!in_list(all, member)) add_load(board, member, all, load);
  } else if (resource.variant == Variant::clone && !resource.children.empty()) {
    const bool counted = std::any_of(resource.children.begin(), resource.children.end(), [&](ResourceId instance) {
      const Members& members = board.resource(instance).children;
      return in_list(all, instance) ||
             std::any_of(members.begin(), members.end(), [&](ResourceId each) { return in_list(all, each); });
    });
    if (!counted) add_load(board, resource.children.front(), all, load);
  } else if (resource.bundle && !resource.bundle->replicas.empty()) {
    add_load(board, resource.bundle->replicas.front().container, all, load);
  }
}

bool fits(const Node& node, const Load& load) {
  return std::all_of(load.begin(), load.end(), [&node](const auto& need) {
    const auto room = node.utilization.find(need.first);
    return need.second <= (room == node.utilization.end() ? 0 : room->second);
  });
}

void ban_where_full(Board& board, ResourceId id, const Load& load) {
  for (NodeId node = 0; node < board.nodes.size(); ++node)
    if (available(board, board.resource(id).scores, node) && !fits(board.node(node), load))
      board.add_score(id, node, -kInfinity, Cause::Kind::utilization);
}

// ---- order of resources -----------------------------------------------------------------------------------------

struct Rank {
  ResourceId id;
  Score current;
  Scores wanted;
};

/// Adds what the resource is with, and what that is with.
void add_chain(Board& board, ResourceId id, Scores& scores) {
  if (!any_available(board, scores)) return;
  for (const std::uint32_t index : std::vector<std::uint32_t>(board.resource(id).with)) {
    const Colocation& colocation = board.colocations[index];
    add_colocated(board, colocation.primary, scores, colocation.node_attribute, factor_of(colocation.score),
                  {true, false, true});
  }
}

/// Of a group: those of its last member, and what that and the group are with.
Scores wanted_scores(Board& board, ResourceId id) {
  const bool group = board.resource(id).variant == Variant::group && !board.resource(id).children.empty();
  const ResourceId start = group ? board.resource(id).children.back() : id;
  Scores scores = board.resource(start).scores;
  board.resource(id).merging = board.resource(start).merging = true;
  add_chain(board, start, scores);
  board.resource(start).merging = false;
  if (group) add_chain(board, id, scores);
  board.resource(id).merging = false;
  return scores;
}

Rank rank_of(Board& board, ResourceId id) {
  Rank rank{id, -kInfinity, wanted_scores(board, id)};
  const NodeId current = current_node(board, id);
  if (current != kNone) rank.current = std::max(rank.wanted[current], -kInfinity);
  return rank;
}

}  // namespace

int compare_capacity(const Node& left, const Node& right) {
  int result = 0;
  for (const auto& [name, value] : left.utilization) {
    const auto other = right.utilization.find(name);
    const int theirs = other == right.utilization.end() ? 0 : other->second;
    result += value > theirs ? 1 : value < theirs ? -1 : 0;
  }
  for (const auto& [name, value] : right.utilization)
    if (!left.utilization.contains(name)) result += value > 0 ? -1 : value < 0 ? 1 : 0;
  return result;
}

NodeId ban_without_capacity(Board& board, ResourceId id) {
  if (board.properties.placement == PlacementStrategy::standard) return kNone;
  Members together;
  collect(board, id, id, together);
  Load all;
  for (const ResourceId each : together) add_load(board, each, together, all);
  NodeId roomiest = kNone;
  bool any = false;
  for (NodeId node = 0; node < board.nodes.size(); ++node) {
    if (!available(board, board.resource(id).scores, node)) continue;
    any = any || fits(board.node(node), all);
    if (roomiest == kNone || compare_capacity(board.node(node), board.node(roomiest)) > 0) roomiest = node;
  }
  ban_where_full(board, id, any ? all : board.resource(id).utilization);
  return any ? kNone : roomiest;
}

void order_by_load(Board& board, ResourceId id) {
  if (board.properties.placement == PlacementStrategy::standard) return;
  if (!board.resource(id).managed || board.resource(id).utilization.empty()) return;
  const auto emptied = [&board](NodeId node) {
    const std::string name = "load_stopped_" + board.node(node).name;
    const ActionId made = make_pseudo(board, kNone, name, name, false, true);
    board.action(made).node = node;
    return made;
  };
  const std::string& name = board.resource(id).id;
  const std::vector<NodeId> places = board.resource(id).running_on;
  for (const NodeId place : places)
    order_later(board, id, operation_key(name, "stop", 0), kNone, kNone, "", emptied(place), order_load);
  for (NodeId node = 0; node < board.nodes.size(); ++node) {
    if (board.resource(id).scores[node] == kNotAllowed) continue;
    const ActionId point = emptied(node);
    order_later(board, kNone, "", point, id, operation_key(name, "start", 0), kNone, order_load);
    order_later(board, kNone, "", point, id, operation_key(name, "migrate_to", 0), kNone, order_load);
  }
}

void sort_for_strategy(Board& board) {
  if (board.properties.placement == PlacementStrategy::standard) return;
  const std::vector<NodeId> nodes = by_preference(board, Scores(board.nodes.size(), 0), kNone);
  std::vector<Rank> ranks;
  for (const ResourceId id : board.top) ranks.push_back(rank_of(board, id));
  std::stable_sort(ranks.begin(), ranks.end(), [&](const Rank& left, const Rank& right) {
    const int here = board.resource(left.id).priority;
    const int there = board.resource(right.id).priority;
    if (here != there) return here > there;
    if (left.current != right.current) return left.current > right.current;
    for (const NodeId node : nodes) {
      const Score one = std::max(left.wanted[node], -kInfinity);
      const Score other = std::max(right.wanted[node], -kInfinity);
      if (one != other) return one > other;
    }
    return false;
  });
  for (std::size_t i = 0; i < ranks.size(); ++i) board.top[i] = ranks[i].id;
}

}  // namespace bascule::policy::detail
