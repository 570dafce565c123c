// Places for instances of a clone, or containers of a bundle: who stays, who is served next, how many on a node.
#include <algorithm>
#include <utility>

#include "core/policy/detail/assign.h"
#include "core/policy/detail/instances.h"
#include "core/policy/running.h"

namespace bascule::policy::detail {
namespace {

/// Counts, while instances are placed, how many each node has.
class Distribution {
 public:
  Distribution(Board& board, const Distributed& what) : board_(board), what_(what), counts_(board.nodes.size(), 0) {
    for (NodeId node = 0; node < board.nodes.size(); ++node)
      if (parent().scores[node] != kNotAllowed && board.usable(node)) ++available_;
    per_node_ = available_ == 0 ? 1 : std::max(1, what_.max / available_);
  }

  void run(const std::vector<ResourceId>& instances) {
    for (const ResourceId instance : instances) {
      if (assigned_ >= what_.max) break;
      keep_in_place(instance);
    }
    for (const ResourceId instance : instances)
      if (!board_.resource(instance).assigned_yet) place(instance);
  }

 private:
  [[nodiscard]] const Resource& parent() const { return board_.resource(what_.parent); }

  /// What the parent must or must not be with binds each instance; mere preferences only if not all nodes get one.
  /// An instance that was not placed where it was hears of it twice.
  void share_colocations(ResourceId instance) {
    const bool all = what_.max < available_;
    for (const std::uint32_t index : parent().with) {
      const Score score = board_.colocations[index].score;
      if (all || score < 0 || score >= kInfinity) bind(board_, instance, index);
    }
    for (const std::uint32_t index : parent().others_with) {
      const Colocation& colocation = board_.colocations[index];
      if ((all || colocation.score < 0) && has_influence(board_, colocation, instance))
        bind_other(board_, instance, index);
    }
  }

  /// Instances stay where they are, as far as each node gets its share.
  void keep_in_place(ResourceId instance) {
    const NodeId node = current_node(board_, instance);
    const Resource& resource = board_.resource(instance);
    if (node == kNone || resource.assigned_yet || resource.failed) return;
    if (!board_.usable(node) || board_.node(node).weight < 0) return;
    if (parent().scores[node] != kNotAllowed && counts_[node] >= per_node_) return;
    if (resource.scores[node] == kNotAllowed || resource.scores[node] < 0) return;
    if (try_at(instance, node)) ++assigned_;
  }

  void place(ResourceId instance) {
    // Behind the last one nobody looks for a place, not even to leave what is not managed where it is.
    if (assigned_ >= what_.max)
      ban_everywhere(board_, instance, Cause::Kind::clone);
    else if (try_at(instance, kNone))
      ++assigned_;
  }

  [[nodiscard]] bool takes_one(ResourceId instance, NodeId node) const {
    if (board_.resource(instance).orphan || !board_.usable(node)) return false;
    const Score score = parent().scores[node];
    return score != kNotAllowed && score >= 0 && counts_[node] < what_.node_max;
  }

  void ban_where_impossible(ResourceId instance) {
    for (NodeId node = 0; node < counts_.size(); ++node) {
      if (board_.resource(instance).scores[node] == kNotAllowed || takes_one(instance, node)) continue;
      each_in(board_, instance, [&](ResourceId each) {
        if (board_.resource(each).scores[node] != kNotAllowed) board_.resource(each).scores[node] = -kInfinity;
      });
    }
    each_in(board_, instance, [&](ResourceId each) { note(board_, each, Cause::Kind::clone); });
  }

  bool try_at(ResourceId instance, NodeId preferred) {
    ban_where_impossible(instance);
    share_colocations(instance);
    std::vector<std::pair<ResourceId, Scores>> before;
    if (preferred != kNone)
      each_in(board_, instance, [&](ResourceId each) { before.emplace_back(each, board_.resource(each).scores); });
    const NodeId chosen = assign(board_, instance, preferred);
    if (chosen == kNone) return false;
    if (preferred == kNone || chosen == preferred) {
      ++counts_[chosen];
      return true;
    }
    if (board_.snapshot.with_faults && board_.resource(instance).variant == Variant::group) {
      // Its members stay where they would not have been put, and nobody counts them.
      board_.resource(instance).scores = std::move(before.front().second);
      return false;
    }
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

  Board& board_;
  Distributed what_;
  std::vector<int> counts_;
  int available_ = 0;
  int per_node_ = 1;
  int assigned_ = 0;
};

}  // namespace

void distribute(Board& board, const Distributed& what, const std::vector<ResourceId>& instances) {
  Distribution(board, what).run(instances);
}

}  // namespace bascule::policy::detail
