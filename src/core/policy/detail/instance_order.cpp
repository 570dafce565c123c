// Which instance of a clone, or container of a bundle, is served before which.
#include <algorithm>
#include <charconv>
#include <utility>

#include "core/policy/detail/assign.h"
#include "core/policy/detail/instances.h"
#include "core/policy/detail/merge_sort.h"
#include "core/policy/running.h"

namespace bascule::policy::detail {
namespace {

bool any_failed(const Board& board, ResourceId instance) {
  bool any = false;
  each_in(board, instance, [&](ResourceId each) { any = any || board.resource(each).failed; });
  return any;
}

/// What the node has to say for itself. One that is down is no good place, but a remote node is not judged.
Score score_of(const Node& node) {
  const bool lost = !node.is_remote() && (!node.online || node.shutdown);
  return lost ? -kInfinity : node.weight;
}

/// How much the colocations of the parent want an instance to be where it is.
Score colocated_score(Board& board, ResourceId instance, NodeId node) {
  Scores scores(board.nodes.size(), kNotAllowed);
  scores[node] = score_of(board.node(node));
  const ResourceId parent = board.resource(instance).parent;
  for (const std::uint32_t index : std::vector<std::uint32_t>(board.resource(parent).with)) {
    const Colocation& colocation = board.colocations[index];
    add_colocated(board, colocation.primary, scores, colocation.node_attribute, factor_of(colocation.score), {});
  }
  for (const std::uint32_t index : std::vector<std::uint32_t>(board.resource(parent).others_with)) {
    const Colocation& colocation = board.colocations[index];
    if (has_influence(board, colocation, instance))
      add_colocated(board, colocation.dependent, scores, colocation.node_attribute, factor_of(colocation.score),
                    {false, true, false});
  }
  return scores[node];
}

/// What of an instance decides when it is served.
struct Standing {
  std::size_t places = 0;
  bool may_stay = true;  ///< where it is, if it is anywhere
  NodeId node = kNone;   ///< where it is and may stay
};

Standing standing_of(const Board& board, ResourceId id) {
  const Resource& instance = board.resource(id);
  Standing standing{instance.running_on.size(), true, current_node(board, id)};
  if (standing.node == kNone) return standing;
  const Score score = instance.scores[standing.node];
  standing.may_stay = score != kNotAllowed && score >= 0;
  if (!standing.may_stay) standing.node = kNone;
  return standing;
}

/// Which instance of its clone, or container of its bundle.
int number_of(const Resource& instance) {
  std::size_t begin = instance.id.rfind(':');
  if (begin == std::string::npos) begin = instance.id.rfind('-');
  int number = 0;
  if (begin != std::string::npos)
    std::from_chars(instance.id.data() + begin + 1, instance.id.data() + instance.id.size(), number);
  return number;
}

/// Less than zero: the left one first; zero: no matter.
int first_true(bool left, bool right) { return static_cast<int>(right) - static_cast<int>(left); }

int compare_active(Board& board, ResourceId left, NodeId at_left, ResourceId right, NodeId at_right) {
  if (const int order = first_true(board.usable(at_left), board.usable(at_right)); order != 0) return order;
  const Resource& parent = board.resource(board.resource(left).parent);
  const bool left_allowed = parent.scores[at_left] != kNotAllowed;
  const bool right_allowed = parent.scores[at_right] != kNotAllowed;
  if (left_allowed != right_allowed) return first_true(left_allowed, right_allowed);
  if (!left_allowed) return 0;
  if (const int order = first_true(!any_failed(board, left), !any_failed(board, right)); order != 0) return order;
  const Score left_score = colocated_score(board, left, at_left);
  const Score right_score = colocated_score(board, right, at_right);
  if (left_score != right_score) return left_score > right_score ? -1 : 1;
  return number_of(board.resource(left)) - number_of(board.resource(right));
}

int compare(Board& board, ResourceId left, ResourceId right) {
  const Standing one = standing_of(board, left);
  const Standing other = standing_of(board, right);
  if (one.places > 0 && other.places > 0 && one.places != other.places) return one.places < other.places ? -1 : 1;
  if (one.may_stay != other.may_stay) return first_true(one.may_stay, other.may_stay);
  const int left_priority = board.resource(left).priority;
  const int right_priority = board.resource(right).priority;
  if (left_priority != right_priority) return left_priority > right_priority ? -1 : 1;
  if (one.node == kNone || other.node == kNone) return first_true(one.node != kNone, other.node != kNone);
  return compare_active(board, left, one.node, right, other.node);
}

}  // namespace

int compare_service(Board& board, ResourceId left, ResourceId right) { return compare(board, left, right); }

std::vector<ResourceId> in_order_of_service(Board& board, std::vector<ResourceId> instances) {
  return merge_sorted(std::move(instances),
                      [&board](ResourceId left, ResourceId right) { return compare(board, left, right); });
}

}  // namespace bascule::policy::detail
