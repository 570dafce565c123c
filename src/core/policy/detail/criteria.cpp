// What forbids a node to a resource whatever its scores: failures, health, discovery, the node's state.
#include <algorithm>
#include <charconv>

#include "core/policy/detail/constraints.h"
#include "core/policy/detail/failures.h"
#include "core/policy/detail/make_action.h"
#include "core/policy/detail/shutdown_lock.h"
#include "core/policy/detail/steps.h"
#include "core/policy/running.h"

namespace bascule::policy::detail {
namespace {

// ---- node health --------------------------------------------------------------------------------------------------

struct Health {
  Score red = 0, yellow = 0, green = 0;
  Score base = 0;
  bool active = false;
};

Score property(const Board& board, std::string_view name, Score otherwise) {
  const auto found = board.properties.all.find(name);
  return found == board.properties.all.end() ? otherwise : parse_score(found->second).value_or(otherwise);
}

Health health_rules(const Board& board) {
  const std::string& strategy = board.properties.health_strategy;
  if (strategy == "migrate-on-red") return {-kInfinity, 0, 0, 0, true};
  if (strategy == "only-green") return {-kInfinity, -kInfinity, 0, 0, true};
  if (strategy != "progressive" && strategy != "custom") return {};
  return {property(board, "node-health-red", -kInfinity), property(board, "node-health-yellow", 0),
          property(board, "node-health-green", 0),
          strategy == "progressive" ? property(board, "node-health-base", 0) : 0, true};
}

Score health_of(const Node& node, const Health& rules) {
  Score sum = rules.base;
  for (const auto& [name, value] : node.attributes) {
    if (name.rfind("#health", 0) != 0) continue;
    const Score score = value == "red"      ? rules.red
                        : value == "yellow" ? rules.yellow
                        : value == "green"  ? rules.green
                                            : parse_score(value).value_or(0);
    sum = add(sum, score);
  }
  return sum;
}

// ---- locations ----------------------------------------------------------------------------------------------------

void apply_discovery(Board& board, Resource& resource, NodeId node, Discovery mode) {
  if (mode == Discovery::always) return;
  if (resource.discovery.empty()) resource.discovery.assign(board.nodes.size(), Discovery::always);
  if (mode > resource.discovery[node]) resource.discovery[node] = mode;
  if (mode == Discovery::exclusive) resource.exclusive_discovery = true;
}

void apply_location(Board& board, ResourceId id, const Location& location, Cause::Kind kind = Cause::Kind::location) {
  const bool one_role = location.role != Role::Unknown && location.role != Role::Unpromoted;
  const bool bundle = board.resource(id).variant == Variant::bundle;
  each_in(board, id, [&](ResourceId each) {
    Resource& resource = board.resource(each);
    // What is inside a bundle has its own nodes.
    if (bundle && each != id && (resource.remote_node != kNone || !resource.primitive() || resource.instance >= 0))
      return;
    if (one_role && location.role != resource.next_role) return;
    // Of a group the first member speaks for all; the others only come to be allowed there.
    const bool follows = each != id && resource.parent != kNone &&
                         board.resource(resource.parent).variant == Variant::group &&
                         board.resource(resource.parent).children.front() != each;
    for (const auto& [node, score] : location.nodes) {
      board.add_score(each, node, follows ? 0 : score, {kind, location.id});
      apply_discovery(board, resource, node, location.discovery);
    }
  });
}

/// As a location would, which of a group concerns the first member only.
void apply_health(Board& board) {
  const Health rules = health_rules(board);
  if (!rules.active) return;
  for (NodeId node = 0; node < board.nodes.size(); ++node) {
    const Score health = health_of(board.node(node), rules);
    if (health == 0) continue;
    for (const ResourceId id : board.top)
      if (health > 0 || !board.resource(id).allow_unhealthy)
        apply_location(board, id, {"", Role::Unknown, Discovery::always, {{node, health}}}, Cause::Kind::health);
  }
}

void apply_locations(Board& board) {
  for (ResourceId id = 0; id < board.resources.size(); ++id) {
    const std::vector<Location> locations = board.resource(id).locations;
    for (const Location& location : locations) apply_location(board, id, location);
    // A role is for what runs inside, which comes after the bundle.
    const ResourceId inside = board.resource(id).bundle ? board.resource(id).bundle->child : kNone;
    for (const Location& location : locations)
      if (inside != kNone && location.role >= Role::Unpromoted) board.resource(inside).locations.push_back(location);
  }
}

// ---- stickiness and failures ----------------------------------------------------------------------------------------

void apply_stickiness(Board& board, ResourceId id) {
  const Resource& resource = board.resource(id);
  if (!resource.managed || resource.stickiness <= 0 || resource.running_on.size() != 1) return;
  const NodeId node = resource.running_on.front();
  const bool allowed = resource.scores[node] != kNotAllowed;
  if (board.properties.symmetric || allowed) board.add_score(id, node, resource.stickiness, Cause::Kind::stickiness);
}

ResourceId whole_of(const Board& board, ResourceId id) {
  ResourceId whole = id;
  for (ResourceId each = id; each != kNone; each = board.resource(each).parent)
    if (board.resource(each).variant == Variant::clone && !board.resource(each).unique) whole = each;
  return whole;
}

void ban_after_failures(Board& board, ResourceId id, NodeId node) {
  // What is about to be forgotten drives nobody away.
  if (find_action(board, id, "clear_failcount", node) != kNone || !threshold_reached(board, id, node)) return;
  ban(board, whole_of(board, id), node, {Cause::Kind::failures, "", id});
}

void apply_failures(Board& board) {
  // Most nodes have no fail count at all.
  for (NodeId node = 0; node < board.nodes.size(); ++node) {
    const auto& attributes = board.node(node).attributes;
    const auto first = attributes.lower_bound("fail-count-");
    if (first == attributes.end() || first->first.rfind("fail-count-", 0) != 0) continue;
    for (ResourceId id = 0; id < board.resources.size(); ++id)
      if (board.resource(id).primitive()) ban_after_failures(board, id, node);
  }
}

/// Only what is said of a whole, or of what is in one that it is said of, keeps it from other nodes.
void apply_exclusive_discovery(Board& board, ResourceId id) {
  if (!board.resource(board.top_of(id)).exclusive_discovery) return;
  Resource& resource = board.resource(id);
  for (NodeId node = 0; node < board.nodes.size(); ++node) {
    const bool exclusive = !resource.discovery.empty() && resource.discovery[node] == Discovery::exclusive;
    if (!exclusive && resource.scores[node] != kNotAllowed) resource.scores[node] = -kInfinity;
  }
  note(board, id, Cause::Kind::discovery);
}

}  // namespace

void apply_node_criteria(Board& board) {
  apply_shutdown_locks(board);
  apply_health(board);
  apply_locations(board);
  for (ResourceId id = 0; id < board.resources.size(); ++id)
    if (board.resource(id).primitive()) apply_stickiness(board, id);
  apply_failures(board);
  for (ResourceId id = 0; id < board.resources.size(); ++id) apply_exclusive_discovery(board, id);
}

void make_internal_constraints(Board& board) {
  for (const ResourceId id : std::vector<ResourceId>(board.top)) constrain_inside(board, id);
}

}  // namespace bascule::policy::detail
