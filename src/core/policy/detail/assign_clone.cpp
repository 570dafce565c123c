// Placement of a clone's instances: who stays, who is served next, how many on a node.
#include <algorithm>

#include "core/policy/detail/assign.h"
#include "core/policy/detail/promotion.h"
#include "core/policy/running.h"

namespace bascule::policy::detail {
namespace {

NodeId place_of(const Board& board, ResourceId instance) {
  const Resource& resource = board.resource(instance);
  return resource.running_on.empty() ? kNone : resource.running_on.front();
}

/// Its node can run it, and the clone as a whole may be there.
bool may_stay(const Board& board, const Resource& clone, ResourceId instance) {
  const NodeId node = place_of(board, instance);
  return node != kNone && board.usable(node) && clone.scores[node] != kNotAllowed && clone.scores[node] >= 0 &&
         board.resource(instance).scores[node] >= 0;
}

bool failed(const Board& board, ResourceId instance) {
  bool any = false;
  each_in(board, instance, [&](ResourceId each) { any = any || board.resource(each).failed; });
  return any;
}

/// The order in which instances are served (facts, "Clones").
struct InstanceOrder {
  const Board& board;
  const Resource& clone;

  bool keeps(const Resource& instance, NodeId node) const {
    return node != kNone && instance.scores[node] != kNotAllowed && instance.scores[node] >= 0;
  }
  Score colocated_score(const Resource& instance, NodeId node) const {
    return node == kNone ? 0 : instance.scores[node];
  }

  bool operator()(ResourceId left_id, ResourceId right_id) const {
    const Resource& left = board.resource(left_id);
    const Resource& right = board.resource(right_id);
    const NodeId at_left = place_of(board, left_id);
    const NodeId at_right = place_of(board, right_id);
    if (at_left != kNone && at_right != kNone && left.running_on.size() != right.running_on.size())
      return left.running_on.size() < right.running_on.size();
    // A place that it may not keep counts as none.
    const NodeId kept_left = keeps(left, at_left) ? at_left : kNone;
    const NodeId kept_right = keeps(right, at_right) ? at_right : kNone;
    const bool left_ok = at_left == kNone || kept_left != kNone;
    const bool right_ok = at_right == kNone || kept_right != kNone;
    if (left_ok != right_ok) return left_ok;
    if (left.priority != right.priority) return left.priority > right.priority;
    if (kept_left == kNone || kept_right == kNone) return kept_left != kNone && kept_right == kNone;
    if (board.usable(kept_left) != board.usable(kept_right)) return board.usable(kept_left);
    const bool left_allowed = clone.scores[kept_left] != kNotAllowed;
    const bool right_allowed = clone.scores[kept_right] != kNotAllowed;
    if (left_allowed != right_allowed) return left_allowed;
    if (failed(board, left_id) != failed(board, right_id)) return !failed(board, left_id);
    const Score left_score = colocated_score(left, at_left);
    const Score right_score = colocated_score(right, at_right);
    if (left_score != right_score) return left_score > right_score;
    return left.id < right.id;
  }
};

/// Counts, while instances are placed, how many each node has.
class Distribution {
 public:
  Distribution(Board& board, ResourceId clone)
      : board_(board), clone_(clone), parts_(*board.resource(clone).clone), counts_(board.nodes.size(), 0) {
    for (NodeId node = 0; node < board.nodes.size(); ++node)
      if (available(board, board.resource(clone).scores, node, true)) ++available_;
    per_node_ = available_ == 0 ? 1 : std::max(1, parts_.max / available_);
  }

  void run() {
    const std::vector<ResourceId> instances = board_.resource(clone_).children;
    for (const ResourceId instance : instances) {
      share_colocations(instance);
      keep_in_place(instance);
    }
    for (const ResourceId instance : instances)
      if (!board_.resource(instance).assigned_yet) place(instance);
  }

 private:
  /// What the clone must or must not be with binds each instance; mere preferences only if not all nodes get one.
  void share_colocations(ResourceId instance) {
    const bool all = parts_.max < available_;
    for (const std::uint32_t index : board_.resource(clone_).with) {
      const Score score = board_.colocations[index].score;
      if (all || score < 0 || score >= kInfinity) bind(board_, instance, index);
    }
    for (const std::uint32_t index : board_.resource(clone_).others_with) {
      const Colocation& colocation = board_.colocations[index];
      const bool influence = colocation.influence || board_.resource(instance).running_on.empty();
      if (influence && (all || colocation.score < 0)) bind_other(board_, instance, index);
    }
  }

  /// Instances stay where they are, as far as each node gets its share.
  void keep_in_place(ResourceId instance) {
    if (assigned_ >= parts_.max) return;
    const NodeId node = place_of(board_, instance);
    const Resource& resource = board_.resource(instance);
    if (node == kNone || resource.assigned_yet || resource.failed) return;
    if (!may_stay(board_, board_.resource(clone_), instance) || counts_[node] >= per_node_) return;
    if (try_at(instance, node)) ++assigned_;
  }

  void place(ResourceId instance) {
    if (assigned_ >= parts_.max) {
      ban_everywhere(board_, instance, Cause::Kind::clone);
      assign(board_, instance);
      return;
    }
    if (try_at(instance, kNone)) ++assigned_;
  }

  bool try_at(ResourceId instance, NodeId preferred) {
    std::vector<std::pair<ResourceId, Scores>> before;
    if (preferred != kNone)
      each_in(board_, instance, [&](ResourceId each) { before.emplace_back(each, board_.resource(each).scores); });
    for (NodeId node = 0; node < counts_.size(); ++node)
      if (counts_[node] >= parts_.node_max || board_.resource(clone_).scores[node] < 0)
        each_in(board_, instance, [&](ResourceId each) {
          if (board_.resource(each).scores[node] != kNotAllowed) board_.resource(each).scores[node] = -kInfinity;
        });
    each_in(board_, instance, [&](ResourceId each) { note(board_, each, Cause::Kind::clone); });
    const NodeId chosen = assign(board_, instance, preferred);
    if (chosen != kNone && preferred != kNone && chosen != preferred) {
      each_in(board_, instance, [&](ResourceId each) {
        unassign(board_, each);
        board_.resource(each).node = kNone;
      });
      for (auto& [each, scores] : before) {
        board_.resource(each).scores = std::move(scores);
        note(board_, each, Cause::Kind::taken_back);
      }
      return false;
    }
    if (chosen == kNone) return false;
    ++counts_[chosen];
    return true;
  }

  Board& board_;
  ResourceId clone_;
  CloneParts parts_;
  std::vector<int> counts_;
  int available_ = 0;
  int per_node_ = 1;
  int assigned_ = 0;
};

}  // namespace

NodeId assign_clone(Board& board, ResourceId id) {
  if (board.resource(id).assigning) return kNone;
  board.resource(id).assigning = true;
  if (board.resource(id).promotable()) add_promotion_scores(board, id);
  for (const std::uint32_t index : std::vector<std::uint32_t>(board.resource(id).with))
    assign(board, board.colocations[index].primary);
  for (const std::uint32_t index : std::vector<std::uint32_t>(board.resource(id).others_with)) {
    const Colocation& colocation = board.colocations[index];
    if (!has_influence(board, colocation)) continue;
    Scores scores = board.resource(id).scores;
    add_colocated(board, colocation.dependent, scores, colocation.node_attribute, factor_of(colocation.score),
                  {false, true, true});
    board.resource(id).scores = std::move(scores);
    note(board, id, {Cause::Kind::attraction, colocation.id, colocation.dependent, factor_of(colocation.score)});
  }
  note_scores(board, id, "pcmk__clone_allocate");
  std::vector<ResourceId>& children = board.resource(id).children;
  std::vector<ResourceId> sorted = children;
  std::stable_sort(sorted.begin(), sorted.end(), InstanceOrder{board, board.resource(id)});
  board.resource(id).children = sorted;
  Distribution(board, id).run();
  board.resource(id).assigned_yet = true;
  if (board.resource(id).promotable()) set_instance_roles(board, id);
  board.resource(id).assigning = false;
  return kNone;
}

}  // namespace bascule::policy::detail
