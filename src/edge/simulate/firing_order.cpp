// The order in which crm_simulate carries out a plan, which decides what is recorded last.
#include "edge/simulate/firing_order.h"

#include <functional>
#include <queue>
#include <utility>

#include "core/policy/graph.h"

namespace bascule::simulate {
namespace {

using namespace policy::detail;  // NOLINT: this file orders what is there

/// The actions of a graph as Pacemaker writes them down.
class Written {
 public:
  explicit Written(const Board& board) : board_(board), taken_(board.actions.size(), false) {
    for (const ResourceId id : board.top) add_resource(id);
    for (auto action = board.actions.rbegin(); action != board.actions.rend(); ++action) add(action->id);
  }
  [[nodiscard]] const std::vector<ActionId>& actions() const { return actions_; }

 private:
  void add(ActionId id) {
    if (taken_[id] || !is_in_graph(board_, board_.action(id))) return;
    taken_[id] = true;
    actions_.push_back(id);
  }

  void add_resource(ResourceId id) {
    const Resource& resource = board_.resource(id);
    if (resource.bundle) return add_bundle(*resource.bundle);
    // A clone stands behind its instances, a group before its members.
    if (!resource.clone) add_own(resource);
    for (const ResourceId child : resource.children) add_resource(child);
    if (resource.clone) add_own(resource);
  }

  void add_own(const Resource& resource) {
    for (auto action = resource.actions.rbegin(); action != resource.actions.rend(); ++action) add(*action);
  }

  void add_bundle(const BundleParts& bundle) {
    if (bundle.child != kNone) add_resource(bundle.child);
    for (const BundleReplica& replica : bundle.replicas)
      for (const ResourceId part : {replica.ip, replica.container, replica.remote})
        if (part != kNone) add_resource(part);
  }

  const Board& board_;
  std::vector<bool> taken_;
  std::vector<ActionId> actions_;
};

}  // namespace

std::vector<ActionId> firing_order(const Board& board) {
  const Written written(board);
  const std::vector<ActionId>& actions = written.actions();
  std::vector<std::size_t> missing(board.actions.size(), 0);
  std::vector<std::vector<std::size_t>> followers(board.actions.size());  // by place in `actions`
  using Turn = std::pair<std::size_t, std::size_t>;                       // the round, and the place in `actions`
  std::priority_queue<Turn, std::vector<Turn>, std::greater<>> ready;
  for (std::size_t place = 0; place < actions.size(); ++place) {
    const std::vector<ActionId> inputs = inputs_of(board, board.action(actions[place]));
    missing[actions[place]] = inputs.size();
    for (const ActionId first : inputs) followers[first].push_back(place);
    if (inputs.empty()) ready.emplace(0, place);
  }
  std::vector<ActionId> fired;
  while (!ready.empty()) {
    const auto [round, place] = ready.top();
    ready.pop();
    fired.push_back(actions[place]);
    for (const std::size_t then : followers[actions[place]])
      if (--missing[actions[then]] == 0) ready.emplace(then > place ? round : round + 1, then);
  }
  return fired;
}

}  // namespace bascule::simulate
