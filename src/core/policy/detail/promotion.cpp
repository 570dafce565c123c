// Which instances of a promotable clone are promoted.
#include "core/policy/detail/promotion.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "core/policy/detail/assign.h"
#include "core/policy/detail/find_resource.h"
#include "core/policy/detail/instances.h"
#include "core/policy/detail/merge_sort.h"
#include "core/policy/detail/propagate.h"
#include "core/policy/detail/tickets.h"
#include "core/policy/running.h"

namespace bascule::policy::detail {
namespace {

bool contains(const std::vector<NodeId>& nodes, NodeId node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

/// Where its agent leaves its attributes: container-attribute-target=host means the container's host.
NodeId attribute_node(const Board& board, const Resource& resource, NodeId node) {
  const auto target = resource.meta.find("container-attribute-target");
  if (!board.node(node).is_guest() || target == resource.meta.end() || target->second != "host") return node;
  const auto& hosts = board.resource(board.node(node).container).running_on;
  return hosts.empty() ? node : hosts.front();
}

std::optional<Score> attribute_score(const Board& board, const Resource& resource, NodeId place) {
  const NodeId node = attribute_node(board, resource, place);
  for (const std::string& name :
       {resource.history_id, resource.id, resource.unique ? resource.id : base_id(resource.id)}) {
    const auto found = board.node(node).attributes.find("master-" + name);
    if (found != board.node(node).attributes.end()) return parse_score(found->second);
  }
  return std::nullopt;
}

/// What the instances of an anonymous clone have in common: where their primitive of that name is, or is known.
bool sister(const Board& board, ResourceId id, const auto& holds) {
  const std::string base = base_id(board.resource(id).id);
  bool any = false;
  each_in(board, board.top_of(id), [&](ResourceId each) {
    const Resource& other = board.resource(each);
    any = any || (other.primitive() && base_id(other.id) == base && holds(each, other));
  });
  return any;
}

/// What an agent said counts only where it is known what the instance does; before anything is known, everywhere.
bool score_counts(const Board& board, ResourceId id, NodeId node) {
  const Resource& resource = board.resource(id);
  if (resource.scores[node] == kNotAllowed || resource.scores[node] < 0) return false;
  if (!resource.unique) {
    if (contains(resource.running_on, node)) return true;
    const bool other_active = sister(board, id, [&](ResourceId each, const Resource& other) {
      return each != id && contains(other.running_on, node);
    });
    const bool probed =
        sister(board, id, [&](ResourceId, const Resource& other) { return contains(other.known_on, node); });
    if (!other_active && probed) return true;
  }
  if (resource.running_on.empty() && resource.known_on.empty()) return true;
  return contains(resource.known_on, node) || contains(resource.running_on, node);
}

/// Of a group the sum of its members'.
std::optional<Score> promotion_score(const Board& board, ResourceId id, NodeId node) {
  const Resource& resource = board.resource(id);
  if (!resource.children.empty()) {
    std::optional<Score> sum;
    for (const ResourceId child : resource.children)
      if (const auto score = promotion_score(board, child, node)) sum = add(sum.value_or(0), *score);
    return sum;
  }
  if (!score_counts(board, id, node)) return std::nullopt;
  return attribute_score(board, resource, node);
}

void add_promoted_locations(Resource& instance, const Resource& from, NodeId node) {
  for (const Location& location : from.locations) {
    if (location.role != Role::Promoted) continue;
    for (const auto& [where, score] : location.nodes)
      if (where == node) instance.priority = add(instance.priority, score);
  }
}

Role current_role(const Board& board, ResourceId instance) {
  Role role = Role::Unknown;
  each_in(board, instance, [&](ResourceId each) { role = std::max(role, board.resource(each).role); });
  return role;
}

struct Candidate {
  ResourceId instance;
  NodeId node;
  Score key;
  Role role;
};

/// The instance's priority for promotion: what its agent says (-1: nothing), the locations and colocations of the
/// promoted role.
Score set_priority(Board& board, ResourceId clone, ResourceId id, NodeId node) {
  Resource& instance = board.resource(id);
  Role next = Role::Unknown;
  each_in(board, id, [&](ResourceId each) { next = std::max(next, board.resource(each).next_role); });
  if (next == Role::Started || next == Role::Unknown)
    instance.priority = promotion_score(board, id, node).value_or(-1);
  else if (next != Role::Promoted)
    instance.priority = -kInfinity;
  add_promoted_locations(instance, instance, node);
  add_promoted_locations(instance, board.resource(clone), node);
  const std::vector<std::uint32_t> with = board.resource(id).with;
  for (const std::uint32_t index : with) {
    const Colocation colocation = board.colocations[index];
    apply_colocation(board, id, colocation.primary, colocation);
    each_in(board, id, [&](ResourceId each) {
      note(board, each, {Cause::Kind::colocation, colocation.id, colocation.primary});
    });
  }
  board.resource(id).promotion_priority = board.resource(id).priority;
  return next == Role::Promoted ? kInfinity : board.resource(id).priority;
}

/// What the promoted role is to be with, and what is to be with it, tells where to promote.
void weigh_by_colocations(Board& board, ResourceId clone, std::vector<Candidate>& candidates) {
  Scores scores = board.resource(clone).scores;
  for (const Candidate& each : candidates)
    if (each.node != kNone && each.key >= 0) scores[each.node] = add(scores[each.node], each.key);
  board.resource(clone).merging = true;
  for (const std::uint32_t index : std::vector<std::uint32_t>(board.resource(clone).with)) {
    const Colocation colocation = board.colocations[index];
    if (colocation.dependent_role == Role::Promoted)
      add_colocated(board, colocation.primary, scores, colocation.node_attribute, factor_of(colocation.score),
                    {false, false, colocation.score < kInfinity});
  }
  for (const std::uint32_t index : std::vector<std::uint32_t>(board.resource(clone).others_with)) {
    const Colocation colocation = board.colocations[index];
    if (colocation.primary_role == Role::Promoted && has_influence(board, colocation))
      add_colocated(board, colocation.dependent, scores, colocation.node_attribute, factor_of(colocation.score),
                    {false, true, true});
  }
  board.resource(clone).merging = false;
  const auto stays = [&board](const Candidate& each) {
    const Resource& instance = board.resource(each.instance);
    return !instance.managed && instance.next_role == Role::Promoted;
  };
  for (Candidate& each : candidates)
    if (each.node != kNone && each.key >= 0 && !stays(each)) each.key = scores[each.node];
  // What is with the clone hears of it from now on.
  board.resource(clone).scores = std::move(scores);
  note(board, clone, Cause::Kind::promotion);
}

void set_role_deep(Board& board, ResourceId instance, Role role) {
  each_in(board, instance, [&](ResourceId each) {
    Resource& resource = board.resource(each);
    if (role == Role::Unpromoted)
      resource.next_role = resource.node == kNone ? Role::Stopped : Role::Unpromoted;
    else if (resource.next_role == Role::Unknown)
      resource.next_role = role;
  });
}

/// Whether the resource, of an instance or a member of one, can have that role where it is.
bool can_be_promoted(const Board& board, ResourceId id, const CloneParts& parts, const std::vector<int>& promoted_on) {
  const Resource& resource = board.resource(id);
  for (const ResourceId member : resource.children)
    if (!can_be_promoted(board, member, parts, promoted_on)) return false;
  if (resource.node == kNone) return false;
  if (!resource.managed) return current_role(board, id) == Role::Promoted;
  if (resource.priority < 0 || !board.usable(resource.node)) return false;
  const ResourceId container = board.node(resource.node).container;
  if (container != kNone && board.resource(container).node == kNone) return false;
  return promoted_on[resource.node] < parts.promoted_node_max;
}

bool is_promoted(const Board& board, ResourceId clone, const Candidate& candidate,
                 const std::vector<int>& promoted_on) {
  const CloneParts& parts = *board.resource(clone).clone;
  const bool enough = parts.promoted_assigned >= parts.promoted_max && board.resource(clone).managed;
  if (enough || candidate.key < 0 || !can_be_promoted(board, candidate.instance, parts, promoted_on)) return false;
  const Properties& properties = board.properties;
  const bool frozen = !properties.have_quorum && properties.no_quorum == NoQuorumPolicy::freeze;
  return !frozen || candidate.role == Role::Promoted;
}

/// Those with the highest priority first; among equals those that have the role, then as they were served.
std::vector<Candidate> sorted(Board& board, std::vector<Candidate> candidates) {
  return merge_sorted(std::move(candidates), [&board](const Candidate& left, const Candidate& right) {
    if (left.key != right.key) return left.key > right.key ? -1 : 1;
    if (left.role != right.role) return left.role > right.role ? -1 : 1;
    return compare_service(board, left.instance, right.instance);
  });
}

}  // namespace

void add_promotion_scores(Board& board, ResourceId clone) {
  for (const ResourceId instance : board.resource(clone).children)
    for (NodeId node = 0; node < board.nodes.size(); ++node) {
      if (!available(board, board.resource(instance).scores, node, true)) continue;
      const Score score = promotion_score(board, instance, node).value_or(0);
      if (score > 0) board.add_score(instance, node, score, Cause::Kind::promotion);
      board.resource(instance).priority = std::max(board.resource(instance).priority, score);
    }
}

void set_instance_roles(Board& board, ResourceId clone) {
  const std::vector<ResourceId> instances = board.resource(clone).children;
  std::vector<Candidate> candidates;
  const bool no_ticket = ticket_forbids_promotion(board, clone);
  for (const ResourceId instance : instances) {
    // In a group with a promoted member the others are what they are.
    if (role_of_whole(board, instance) == Role::Started)
      each_in(board, instance, [&](ResourceId each) {
        if (board.resource(each).role == Role::Started) board.resource(each).role = Role::Unpromoted;
      });
    const NodeId node = board.resource(instance).node;
    Score key = node == kNone ? 0 : set_priority(board, clone, instance, node);
    if (no_ticket) key = board.resource(instance).priority = -kInfinity;
    // What it must be with may just have taken its place away.
    candidates.push_back({instance, board.resource(instance).node, key, current_role(board, instance)});
  }
  weigh_by_colocations(board, clone, candidates);
  for (const Candidate& each : candidates) board.resource(each.instance).sort_key = each.key;
  candidates = sorted(board, std::move(candidates));
  // Whoever looks for an instance from now on meets the promoted ones first.
  for (std::size_t i = 0; i < candidates.size(); ++i) board.resource(clone).children[i] = candidates[i].instance;
  std::vector<int> promoted_on(board.nodes.size(), 0);
  for (const Candidate& each : candidates) {
    const bool promoted = is_promoted(board, clone, each, promoted_on);
    set_role_deep(board, each.instance, promoted ? Role::Promoted : Role::Unpromoted);
    if (!promoted) continue;
    ++board.resource(clone).clone->promoted_assigned;
    ++promoted_on[each.node];
  }
  for (const ResourceId instance : instances) board.resource(instance).priority = board.resource(clone).priority;
}

}  // namespace bascule::policy::detail
