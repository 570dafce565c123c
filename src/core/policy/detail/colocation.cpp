// What a colocation does to scores, for primitives, groups, clones and bundles.
#include <algorithm>

#include "core/policy/detail/assign.h"
#include "core/policy/detail/propagate.h"

namespace bascule::policy::detail {
namespace {

int variant_rank(const Resource& resource) {
  switch (resource.variant) {
    case Variant::bundle:
      return 3;
    case Variant::clone:
      return 2;
    case Variant::group:
      return 1;
    default:
      return 0;
  }
}

bool more_important(const Board& board, ResourceId left_id, ResourceId right_id) {
  const Resource& left = board.resource(left_id);
  const Resource& right = board.resource(right_id);
  if (left.priority != right.priority) return left.priority > right.priority;
  if (variant_rank(left) != variant_rank(right)) return variant_rank(left) > variant_rank(right);
  if (left.promotable() != right.promotable()) return left.promotable();
  return left.id < right.id;
}

/// Guest nodes that nobody has seen yet do not know their own names, and so Pacemaker takes one for another (README,
/// "Faults").
bool nameless(const Board& board, NodeId node) {
  return board.snapshot.with_faults && board.node(node).is_guest() && !board.node(node).attributes.contains("#uname");
}

/// The best score among usable nodes that share the value of the attribute.
Score best_like(const Board& board, const Resource& resource, NodeId node, const std::string& attribute) {
  if (attribute.empty() && !nameless(board, node))
    return available(board, resource.scores, node, true) ? resource.scores[node] : -kInfinity;
  const std::string wanted = attribute_value(board, node, attribute);
  Score best = -kInfinity;
  for (NodeId each = 0; each < board.nodes.size(); ++each)
    if (available(board, resource.scores, each, true) && resource.scores[each] > best &&
        attribute_value(board, each, attribute) == wanted)
      best = resource.scores[each];
  return best;
}

/// Rounded half away from zero, and never to nothing.
Score part_of(Score score, Factor factor) {
  const std::int64_t product = static_cast<std::int64_t>(score) * factor;
  const std::int64_t half = product < 0 ? -kWhole / 2 : kWhole / 2;
  const auto part = static_cast<Score>(std::clamp<std::int64_t>((product + half) / kWhole, -kInfinity, kInfinity));
  if (part != 0 || score == 0 || factor == 0) return part;
  return factor > 0 ? 1 : -1;
}

constexpr Score marked = -kInfinity - 2;  ///< would have become negative

void add_matching(const Board& board, const Resource& resource, Scores& scores, const std::string& attribute,
                  Factor factor, bool nonnegative) {
  for (NodeId node = 0; node < scores.size(); ++node) {
    if (scores[node] == kNotAllowed || scores[node] == marked) continue;
    const Score score = best_like(board, resource, node, attribute);
    // What a dependent dislikes is no reason to like it.
    if (factor < 0 && score < 0) continue;
    const Score changed = add(part_of(score, factor), scores[node]);
    if (nonnegative && changed < 0 && scores[node] >= 0) {
      if (scores[node] > 0) scores[node] = marked;
      continue;
    }
    scores[node] = changed;
  }
}

const std::vector<ResourceId>& members(const Board& board, ResourceId id) { return board.resource(id).children; }

/// One step into the net of colocations, while there are some left.
class Visit {
 public:
  explicit Visit(ColocationVisits& visits) : visits_(visits) {
    if (visits_.depth++ == 0)
      visits_.left =
          visits_.exhausted < ColocationVisits::kExhaustedMost ? ColocationVisits::kMost : ColocationVisits::kMostLater;
    if (visits_.left > 0 && --visits_.left == 0) ++visits_.exhausted;
  }
  ~Visit() { --visits_.depth; }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;
  [[nodiscard]] bool allowed() const { return visits_.left > 0; }

 private:
  ColocationVisits& visits_;
};

}  // namespace

std::string attribute_value(const Board& board, NodeId node, const std::string& attribute) {
  if (attribute.empty()) return nameless(board, node) ? std::string() : board.node(node).name;
  const auto found = board.node(node).attributes.find(attribute);
  return found == board.node(node).attributes.end() ? std::string() : found->second;
}

bool has_influence(const Board& board, const Colocation& colocation, ResourceId instance) {
  const Resource& primary = board.resource(instance == kNone ? colocation.primary : instance);
  // That the connection to a container would rather be elsewhere is no reason to move the container.
  if (board.resource(colocation.dependent).remote_hosts && !primary.failed && primary.running_on.size() == 1)
    return false;
  return colocation.influence || primary.running_on.empty();
}

void bind(Board& board, ResourceId resource, std::uint32_t index) {
  auto& list = board.resource(resource).with;
  const ResourceId primary = board.colocations[index].primary;
  const auto place = std::find_if(list.begin(), list.end(), [&](std::uint32_t each) {
    return !more_important(board, board.colocations[each].primary, primary);
  });
  list.insert(place, index);
}

void bind_other(Board& board, ResourceId resource, std::uint32_t index) {
  auto& list = board.resource(resource).others_with;
  const ResourceId dependent = board.colocations[index].dependent;
  const auto place = std::find_if(list.begin(), list.end(), [&](std::uint32_t each) {
    return !more_important(board, board.colocations[each].dependent, dependent);
  });
  list.insert(place, index);
}

void add_colocated(Board& board, ResourceId id, Scores& scores, const std::string& attribute, Factor factor,
                   Preferences which) {
  if (board.resource(id).merging) return;
  const Visit visit(board.colocation_visits);
  if (!visit.allowed()) return;
  board.resource(id).merging = true;
  // A group speaks through its first member. What is with its last one counts again, though the chain of members has
  // led to it before.
  const bool group = board.resource(id).variant == Variant::group && !members(board, id).empty();
  Scores work = scores;
  if (group)
    add_colocated(board, members(board, id).front(), work, attribute, factor, which);
  else
    add_matching(board, board.resource(id), work, attribute, factor, which.nonnegative);
  if (any_available(board, work)) {
    const Resource& speaker = board.resource(group && !which.this_with ? members(board, id).back() : id);
    const std::vector<std::uint32_t> colocations = which.this_with ? speaker.with : speaker.others_with;
    for (const std::uint32_t index : colocations) {
      const Colocation& colocation = board.colocations[index];
      if (!which.this_with && !has_influence(board, colocation)) continue;
      const ResourceId other = which.this_with ? colocation.primary : colocation.dependent;
      // Only the direction carries over: how much it counts is for the last colocation of a chain to say.
      const Factor further = factor < 0 ? -factor_of(colocation.score) : factor_of(colocation.score);
      Preferences optional = which;
      optional.active = true;
      add_colocated(board, other, work, colocation.node_attribute, further, optional);
    }
  } else if (which.active) {
    board.resource(id).merging = false;
    return;  // nothing would be left
  }
  if (which.nonnegative)
    for (NodeId node = 0; node < work.size(); ++node)
      if (work[node] == marked) work[node] = 1;
  scores = std::move(work);
  board.resource(id).merging = false;
}

// ---- the effect on the dependent ----------------------------------------------------------------------------------

namespace {

enum class Affects : std::uint8_t { nothing, place, role };

Affects affects(const Board& board, const Resource& dependent, const Resource& primary, const Colocation& colocation) {
  if (!primary.assigned_yet) return Affects::nothing;
  const bool instance = dependent.parent != kNone && board.resource(board.top_of(dependent.parent)).promotable();
  if (colocation.dependent_role >= Role::Unpromoted && instance && dependent.assigned_yet) return Affects::role;
  if (dependent.assigned_yet) return Affects::nothing;
  const Role wanted = colocation.dependent_role;
  if (wanted != Role::Unknown && wanted != dependent.next_role && colocation.score > 0) return Affects::nothing;
  // To be apart from a role is to be apart from what does not have it yet.
  const bool has_role = colocation.primary_role == primary.next_role;
  if (colocation.primary_role != Role::Unknown && has_role != (colocation.score > 0)) return Affects::nothing;
  return Affects::place;
}

void affect_place(Board& board, Resource& dependent, const Resource& primary, const Colocation& colocation) {
  if (primary.node == kNone && colocation.score < 0) return;
  const std::string wanted =
      primary.node == kNone ? std::string() : attribute_value(board, primary.node, colocation.node_attribute);
  Scores work = dependent.scores;
  for (NodeId node = 0; node < work.size(); ++node) {
    if (work[node] == kNotAllowed) continue;
    if (primary.node == kNone)
      work[node] = add(-colocation.score, work[node]);
    else if (attribute_value(board, node, colocation.node_attribute) == wanted)
      work[node] = colocation.score < kInfinity ? add(colocation.score, work[node]) : work[node];
    else if (colocation.score >= kInfinity)
      work[node] = add(-colocation.score, work[node]);
  }
  const bool mandatory = colocation.score >= kInfinity || colocation.score <= -kInfinity;
  if (mandatory || any_available(board, work)) dependent.scores = std::move(work);
}

void affect_role(Board& board, Resource& dependent, const Resource& primary, const Colocation& colocation) {
  if (dependent.node == kNone || primary.node == kNone) return;
  const bool together = attribute_value(board, dependent.node, colocation.node_attribute) ==
                        attribute_value(board, primary.node, colocation.node_attribute);
  if (!together) {
    if (colocation.score == kInfinity && colocation.dependent_role == Role::Promoted) dependent.priority = -kInfinity;
    return;
  }
  if (colocation.primary_role != Role::Unknown && colocation.primary_role != primary.next_role) return;
  const Score score = colocation.dependent_role == Role::Unpromoted ? -colocation.score : colocation.score;
  dependent.priority = add(score, dependent.priority);
}

/// What the dependent is with: of a group the last member for a mandatory colocation, else the first.
void with_primary(Board& board, ResourceId dependent, ResourceId primary, const Colocation& colocation);

/// What is bound to the promoted (or unpromoted) role of a clone: it must be, or prefers to be, where an instance has
/// it; that such an instance likes a node counts for the dependent as well.
void with_role(Board& board, ResourceId dependent_id, ResourceId clone, const Colocation& colocation) {
  Resource& dependent = board.resource(dependent_id);
  std::vector<NodeId> places;
  for (const ResourceId instance : members(board, clone)) {
    const Resource& each = board.resource(instance);
    if (each.node == kNone || each.next_role != colocation.primary_role) continue;
    places.push_back(each.node);
    if (colocation.score >= kInfinity) {
      Score& score = dependent.scores[each.node];
      score = score == kNotAllowed ? -kInfinity : add(score, each.scores[each.node]);
      continue;
    }
    const std::string wanted = attribute_value(board, each.node, colocation.node_attribute);
    for (NodeId node = 0; node < dependent.scores.size(); ++node)
      if (dependent.scores[node] != kNotAllowed && attribute_value(board, node, colocation.node_attribute) == wanted)
        dependent.scores[node] = add(dependent.scores[node], colocation.score);
  }
  if (colocation.score < kInfinity) return;
  for (NodeId node = 0; node < dependent.scores.size(); ++node)
    if (dependent.scores[node] != kNotAllowed && std::find(places.begin(), places.end(), node) == places.end())
      dependent.scores[node] = -kInfinity;
}

/// An instance that has its place: is it to be promoted where the other clone has the role?
void promote_with_role(Board& board, ResourceId dependent_id, ResourceId clone, const Colocation& colocation) {
  Resource& dependent = board.resource(dependent_id);
  if (counterpart(board, dependent_id, clone, colocation.primary_role, false) != kNone)
    dependent.priority = add(dependent.priority, colocation.score);
  else if (colocation.score >= kInfinity)
    dependent.priority = -kInfinity;
}

bool any_blocked(const Board& board, ResourceId id) {
  return board.resource(id).blocked || std::any_of(members(board, id).begin(), members(board, id).end(),
                                                   [&](ResourceId each) { return any_blocked(board, each); });
}

/// An instance is with the one on its own node, or goes where there is one. Without one it has no place, and loses the
/// one that it was left at.
void with_counterpart(Board& board, ResourceId dependent, ResourceId whole, const Colocation& colocation) {
  const ResourceId partner = counterpart(board, dependent, whole, Role::Unknown, false);
  if (partner != kNone) return with_primary(board, dependent, partner, colocation);
  if (colocation.score >= kInfinity) finalize(board, dependent, kNone, true);
}

void with_clone(Board& board, ResourceId dependent_id, ResourceId clone, const Colocation& colocation) {
  Resource& dependent = board.resource(dependent_id);
  if (!board.resource(clone).assigned_yet) return;
  if (board.resource(clone).promotable() && colocation.primary_role != Role::Unknown) {
    if (!dependent.assigned_yet) return with_role(board, dependent_id, clone, colocation);
    if (colocation.dependent_role == Role::Promoted) return promote_with_role(board, dependent_id, clone, colocation);
  }
  const Resource& whole = board.resource(colocation.dependent);
  if (whole.clone && whole.clone->interleave && whole.clone->node_max == board.resource(clone).clone->node_max)
    return with_counterpart(board, dependent_id, clone, colocation);
  if (colocation.score < kInfinity) {
    for (const ResourceId instance : members(board, clone)) with_primary(board, dependent_id, instance, colocation);
    return;
  }
  // Mandatory: anywhere where an instance is.
  std::vector<NodeId> places;
  for (const ResourceId instance : members(board, clone))
    if (board.resource(instance).node != kNone && !any_blocked(board, instance))
      places.push_back(board.resource(instance).node);
  for (NodeId node = 0; node < dependent.scores.size(); ++node)
    if (dependent.scores[node] != kNotAllowed && std::find(places.begin(), places.end(), node) == places.end())
      dependent.scores[node] = -kInfinity;
}

/// A bundle is where its containers are.
void with_bundle(Board& board, ResourceId dependent_id, ResourceId bundle, const Colocation& colocation) {
  if (!board.resource(bundle).assigned_yet) return;
  const Variant whole = board.resource(colocation.dependent).variant;
  if (whole == Variant::clone || whole == Variant::bundle)
    return with_counterpart(board, dependent_id, bundle, colocation);
  const std::vector<BundleReplica>& replicas = board.resource(bundle).bundle->replicas;
  if (colocation.score < kInfinity) {
    for (const BundleReplica& each : replicas) with_primary(board, dependent_id, each.container, colocation);
    return;
  }
  const auto counts = [&](const BundleReplica& replica, const std::string& here) {
    const Resource& container = board.resource(replica.container);
    if (container.node == kNone || container.blocked) return false;
    if (colocation.primary_role >= Role::Promoted &&
        (replica.child == kNone || board.resource(replica.child).next_role < Role::Promoted))
      return false;
    return attribute_value(board, container.node, colocation.node_attribute) == here;
  };
  Resource& dependent = board.resource(dependent_id);
  for (NodeId node = 0; node < dependent.scores.size(); ++node) {
    if (dependent.scores[node] == kNotAllowed) continue;
    const std::string here = attribute_value(board, node, colocation.node_attribute);
    const bool there = std::any_of(replicas.begin(), replicas.end(),
                                   [&](const BundleReplica& replica) { return counts(replica, here); });
    if (!there) dependent.scores[node] = -kInfinity;
  }
}

void with_primary(Board& board, ResourceId dependent, ResourceId primary, const Colocation& colocation) {
  switch (board.resource(primary).variant) {
    case Variant::group:
      if (board.resource(primary).assigned_yet && !members(board, primary).empty()) {
        const bool mandatory = colocation.score >= kInfinity;
        with_primary(board, dependent, mandatory ? members(board, primary).back() : members(board, primary).front(),
                     colocation);
      }
      return;
    case Variant::clone:
      return with_clone(board, dependent, primary, colocation);
    case Variant::bundle:
      return with_bundle(board, dependent, primary, colocation);
    default:
      break;
  }
  Resource& it = board.resource(dependent);
  const Resource& with = board.resource(primary);
  switch (affects(board, it, with, colocation)) {
    case Affects::place:
      return affect_place(board, it, with, colocation);
    case Affects::role:
      return affect_role(board, it, with, colocation);
    case Affects::nothing:
      return;
  }
}

}  // namespace

void apply_colocation(Board& board, ResourceId dependent, ResourceId primary, const Colocation& colocation) {
  if (board.resource(dependent).variant == Variant::group) {
    if (!members(board, dependent).empty())
      apply_colocation(board, members(board, dependent).front(), primary, colocation);
    return;
  }
  with_primary(board, dependent, primary, colocation);
}

}  // namespace bascule::policy::detail
