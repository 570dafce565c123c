// Single changes of the configuration that could alter a decision.
#include "core/explain/candidates.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/explain/words.h"

namespace bascule::explain {
namespace {

using namespace policy::detail;  // NOLINT: this file reads what is there
using policy::Role;
using policy::Score;
using Kind = Cause::Kind;
using Rank = Candidate::Rank;
using policy::kInfinity;

/// More nodes than this are not looked at: those with the best scores come first.
constexpr std::size_t kMostNodes = 12;

class Collector {
 public:
  Collector(const Board& board, const Subject& subject) : board_(board), subject_(subject) {}

  void come(NodeId node) { come(leaf_for(board_, subject_, node), node, 0); }

  /// Wherever it is not yet, the most likely nodes first.
  void come_anywhere() {
    std::vector<NodeId> nodes = others(kNone);
    for (const NodeId node : nodes) come(node);
  }

  void leave(NodeId node) {
    const ResourceId leaf = leaf_for(board_, subject_, node);
    of_resource(leaf);
    for (const NodeId other : others(node)) {
      of_node(other);
      of_failures(leaf, other);
      of_scores(leaf, other, 0);
    }
    const std::string name = board_.node(node).name;
    add(Rank::add, kInfinity, "add a location constraint of -INFINITY for " + configured(leaf) + " on " + name,
        [id = configured(leaf), name](cib::Cib& cib) { return add_location(cib, id, name, "-INFINITY"); });
    add(Rank::standby, 0, "put " + name + " in standby",
        [name](cib::Cib& cib) { return set_attribute(cib, name, "standby", "on"); });
  }

  std::vector<Candidate> sorted() {
    std::stable_sort(all_.begin(), all_.end(), [](const Candidate& left, const Candidate& right) {
      return left.rank != right.rank ? left.rank < right.rank : left.amount < right.amount;
    });
    return std::move(all_);
  }

 private:
  void add(Rank rank, std::int64_t amount, std::string text, Edit edit) {
    if (known_.insert(text).second) all_.push_back({rank, amount, std::move(text), std::move(edit)});
  }

  [[nodiscard]] std::string configured(ResourceId leaf) const {
    const Resource& top = board_.resource(board_.top_of(leaf));
    const bool part = top.parent != kNone && board_.resource(top.parent).variant == Variant::bundle;
    return part ? board_.resource(top.parent).id : top.id;
  }
  [[nodiscard]] static std::string written(const Resource& resource) {
    return resource.definition == nullptr ? resource.id : resource.definition->id;
  }

  /// All nodes but one (kNone: all), the best first.
  [[nodiscard]] std::vector<NodeId> others(NodeId but) const {
    std::vector<std::pair<Score, NodeId>> ranked;
    for (NodeId node = 0; node < board_.nodes.size(); ++node) {
      if (node == but || board_.node(node).for_bundle) continue;
      ranked.emplace_back(board_.resource(leaf_for(board_, subject_, node)).scores[node], node);
    }
    std::stable_sort(ranked.begin(), ranked.end(),
                     [](const auto& left, const auto& right) { return left.first > right.first; });
    if (ranked.size() > kMostNodes) ranked.resize(kMostNodes);
    std::vector<NodeId> nodes;
    for (const auto& [score, node] : ranked) nodes.push_back(node);
    return nodes;
  }

  // ---- what stands in its way ---------------------------------------------------------------------------------------

  void come(ResourceId leaf, NodeId node, int depth) {
    of_resource(leaf);
    // Where a group is its first member decides.
    const ResourceId group = board_.resource(leaf).parent;
    if (group != kNone && board_.resource(group).variant == Variant::group) leaf = board_.resource(group).children[0];
    of_node(node);
    of_failures(leaf, node);
    of_scores(leaf, node, depth);
    const Action* start = blocked_start(board_, leaf);
    if (start == nullptr || depth > 0 || start->because.what == Because::What::none) return;
    const ResourceId before = board_.action(start->because.other).resource;
    if (before != kNone && board_.resource(before).primitive()) come(before, node, depth + 1);
  }

  void of_node(NodeId id) {
    const Node& node = board_.node(id);
    const std::string name = node.name;
    const auto attribute = [this, &name](const char* which, const char* value, const std::string& text) {
      add(Rank::resume, 0, text,
          [name, which, value](cib::Cib& cib) { return set_attribute(cib, name, which, value); });
    };
    if (node.is_guest()) return;
    if (node.standby && !node.pending) attribute("standby", "off", "end the standby of " + name);
    if (node.maintenance) attribute("maintenance", "off", "end the maintenance of " + name);
    if (!node.online && !node.is_remote())
      add(Rank::bring_back, 0, "start node " + name,
          [name](cib::Cib& cib) { return set_presence(cib, name, Presence::up); });
    for (const auto& [which, value] : node.attributes)
      if (which.rfind("#health", 0) == 0 && board_.properties.health_strategy != "none" && value != "green")
        add(Rank::resume, 1, "mend the health of " + name + " (" + which + "=green)",
            [name, which = which](cib::Cib& cib) { return set_attribute(cib, name, which, "green"); });
  }

  void of_failures(ResourceId leaf, NodeId node) {
    const Failures failures = failures_of(board_, leaf, node);
    if (failures.count == 0 && failures.result == nullptr) return;
    const std::string name = board_.node(node).name;
    const std::string id = written(board_.resource(leaf));
    add(Rank::forget, 0, "forget the failures of " + id + " on " + name,
        [id, name](cib::Cib& cib) { return forget_failures(cib, id, name); });
  }

  void meta(Rank rank, ResourceId leaf, const char* name, const char* value) {
    const std::string id = written(board_.resource(leaf));
    add(rank, 0, std::string("set ") + name + " of " + id + " to " + value,
        [id, name, value](cib::Cib& cib) { return set_meta(cib, id, name, value); });
  }
  void property(Rank rank, const char* name, const char* value) {
    add(rank, 0, std::string("set the property ") + name + " to " + value,
        [name, value](cib::Cib& cib) { return set_property(cib, name, value); });
  }

  void of_resource(ResourceId leaf) {
    const Resource& resource = board_.resource(leaf);
    if (resource.target_role == Role::Stopped) meta(Rank::switch_on, leaf, "target-role", "Started");
    if (board_.properties.stop_everything) property(Rank::switch_on, "stop-all-resources", "false");
    if (!board_.properties.have_quorum)
      add(Rank::bring_back, 1, "regain quorum", [](cib::Cib& cib) { return set_quorum(cib, true); });
    if (resource.managed) return;
    if (board_.properties.maintenance) property(Rank::resume, "maintenance-mode", "false");
    if (resource.maintenance) meta(Rank::resume, leaf, "maintenance", "false");
    if (resource.meta.contains("is-managed")) meta(Rank::resume, leaf, "is-managed", "true");
    if (board_.properties.fencing && !board_.properties.have_fencing_device)
      property(Rank::switch_on, "stonith-enabled", "false");
    for (const NodeId place : resource.running_on) {
      of_failures(leaf, place);
      of_node(place);
    }
  }

  // ---- scores -------------------------------------------------------------------------------------------------------

  void of_scores(ResourceId leaf, NodeId node, int depth) {
    const Resource& resource = board_.resource(leaf);
    const Score here = resource.scores[node];
    const NodeId place = resource.node;
    if (here == kNotAllowed) return new_location(leaf, node, {0, 1});
    for (const Contribution& each : board_.ledger->of(leaf, node)) hindrance(leaf, node, each, depth);
    if (here < 0 && here > -kInfinity) raise(leaf, node, -static_cast<std::int64_t>(here));
    if (place == kNone || place == node || here < 0) return;
    const std::int64_t gap = static_cast<std::int64_t>(resource.scores[place]) - here;
    if (gap < 0) return;
    if (resource.scores[place] < kInfinity) {
      for (const std::int64_t more : {gap, gap + 1}) {
        if (more == 0) continue;
        raise(leaf, node, more);
        lower(leaf, place, more);
      }
      if (gap > 0) new_location(leaf, node, {gap});
      new_location(leaf, node, {gap + 1});
    } else {
      for (const Contribution& each : board_.ledger->of(leaf, place))
        if (each.score >= kInfinity) drop(each);
      new_location(leaf, node, {kInfinity});
    }
  }

  void drop(const Contribution& summand) {
    if (summand.text.empty() || summand.text[0] == '#') return;
    if (summand.kind != Kind::location && summand.kind != Kind::colocation && summand.kind != Kind::attraction) return;
    const std::string kind = summand.kind == Kind::location ? "location " : "colocation ";
    const std::string id = summand.text;
    add(Rank::drop, 0, "drop " + kind + id, [id](cib::Cib& cib) { return drop_constraint(cib, id); });
  }

  void hindrance(ResourceId leaf, NodeId node, const Contribution& summand, int depth) {
    if (summand.score >= 0) return;
    drop(summand);
    if (summand.kind == Kind::ticket)
      add(Rank::switch_on, 0, "grant ticket " + summand.text,
          [id = summand.text](cib::Cib& cib) { return grant_ticket(cib, id, true); });
    if (summand.kind == Kind::lock) property(Rank::switch_on, "shutdown-lock", "false");
    if (summand.kind == Kind::failures) of_failures(summand.other == kNone ? leaf : summand.other, node);
    if (summand.kind != Kind::colocation || summand.score > -kInfinity || depth > 0 || summand.other == kNone) return;
    const ResourceId primary = summand.other;
    if (board_.resource(primary).primitive() && board_.resource(primary).node != node) come(primary, node, depth + 1);
  }

  void change_score(const Contribution& summand, const std::string& node, std::int64_t to, std::int64_t amount) {
    if (to <= -kInfinity || to >= kInfinity) return;
    const std::string id = summand.text;
    add(Rank::score, amount,
        std::string(to > summand.score ? "raise" : "lower") + " the score of location " + id + " (it counts for " +
            node + ") from " + policy::text_of(summand.score) + " to " + std::to_string(to),
        [id, to](cib::Cib& cib) { return set_score(cib, id, std::to_string(to)); });
  }

  void raise(ResourceId leaf, NodeId node, std::int64_t by) {
    for (const Contribution& each : board_.ledger->of(leaf, node))
      if (each.kind == Kind::location && each.score > -kInfinity && each.score < kInfinity)
        change_score(each, board_.node(node).name, each.score + by, by);
  }

  void lower(ResourceId leaf, NodeId place, std::int64_t by) {
    for (const Contribution& each : board_.ledger->of(leaf, place)) {
      if (each.score <= 0 || each.score >= kInfinity) continue;
      if (each.kind == Kind::location) change_score(each, board_.node(place).name, each.score - by, by);
      if (each.kind == Kind::stickiness && each.score >= by) {
        const std::string id = written(board_.resource(leaf));
        const std::string to = std::to_string(each.score - by);
        add(Rank::score, by, "lower the resource-stickiness of " + id + " to " + to,
            [id, to](cib::Cib& cib) { return set_meta(cib, id, "resource-stickiness", to); });
      }
    }
  }

  void new_location(ResourceId leaf, NodeId node, std::initializer_list<std::int64_t> scores) {
    const std::string id = configured(leaf);
    const std::string name = board_.node(node).name;
    for (const std::int64_t each : scores) {
      const std::string score = each >= kInfinity ? "INFINITY" : std::to_string(each);
      add(Rank::add, each, "add a location constraint of " + score + " for " + id + " on " + name,
          [id, name, score](cib::Cib& cib) { return add_location(cib, id, name, score); });
    }
  }

  const Board& board_;
  const Subject& subject_;
  std::vector<Candidate> all_;
  std::set<std::string> known_;
};

}  // namespace

std::vector<Candidate> candidates(const Board& board, const Subject& subject, Goal goal) {
  Collector collector(board, subject);
  switch (goal.what) {
    case Goal::What::come:
      collector.come(goal.node);
      break;
    case Goal::What::leave:
      collector.leave(goal.node);
      break;
    case Goal::What::run:
      collector.come_anywhere();
      break;
    case Goal::What::change:
      for (const std::string& place : places(board, subject)) collector.leave(board.find_node(place));
      break;
  }
  return collector.sorted();
}

}  // namespace bascule::explain
