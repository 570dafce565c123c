// Starts wait for the probes that could find the same resource elsewhere.
#include "core/policy/detail/probe_orders.h"

#include <string_view>

#include "core/policy/detail/make_action.h"
#include "core/policy/detail/propagate.h"
#include "core/policy/operations.h"

namespace bascule::policy::detail {
namespace {

std::vector<ActionId> probes_of(const Board& board, ResourceId id) {
  return find_by_key(board, id, operation_key(board.resource(id).id, "monitor", 0), kNone);
}

// ---- restarts -------------------------------------------------------------------------------------------------------

bool is_collective(const Board& board, ResourceId id) { return id != kNone && !board.resource(id).primitive(); }

/// Follows what comes after a probe by way of starts and promotions: what would have to stop or be demoted for them to
/// happen again must not do so before the probe has told whether they need to.
class RestartOrders {
 public:
  explicit RestartOrders(Board& board) : board_(board), seen_(board.actions.size(), kNone) {}

  void follow(ActionId probe) {
    const std::vector<Edge> next = board_.action(probe).after;
    for (const Edge& edge : next) {
      ++walk_;
      visit(probe, edge.action);
    }
  }

 private:
  void visit(ActionId probe, ActionId after) {
    std::vector<ActionId> open{after};
    while (!open.empty()) {
      const ActionId id = open.back();
      open.pop_back();
      if (seen_[id] == walk_) continue;
      seen_[id] = walk_;
      order_opposite(probe, id);
      const std::vector<ActionId> next = onwards(probe, id);
      open.insert(open.end(), next.rbegin(), next.rend());
    }
  }

  void order_opposite(ActionId probe, ActionId id) {
    const ResourceId resource = board_.action(id).resource;
    if (resource == kNone || is_collective(board_, resource) || resource == board_.action(probe).resource) return;
    const std::string& task = board_.action(id).task;
    const char* opposite = task == "start" ? "stop" : task == "promote" ? "demote" : nullptr;
    if (opposite == nullptr) return;
    const std::string key = operation_key(board_.resource(resource).id, opposite, 0);
    for (const ActionId each : find_by_key(board_, resource, key, kNone))
      if (!board_.action(each).pseudo) order(board_, probe, each, order_optional);
  }

  std::vector<ActionId> onwards(ActionId probe, ActionId id) {
    const ResourceId from = board_.action(id).resource;
    const ResourceId probed = board_.action(probe).resource;
    const bool by_instance = is_interleaved(from);
    const ResourceId only = by_instance ? counterpart(board_, probed, from, Role::Unknown, false) : kNone;
    std::vector<ActionId> next;
    for (const Edge& edge : board_.action(id).after) {
      if ((edge.flags & order_implies_then) == 0) {
        // Only from a whole to its parts; of an interleaved clone to the part on the same node.
        if (!is_collective(board_, from) || board_.resource(probed).parent == from) continue;
        const ResourceId to = board_.action(edge.action).resource;
        if (to == kNone || board_.resource(to).parent != from || board_.resource(to).clone) continue;
        if (by_instance && to != only) continue;
      }
      next.push_back(edge.action);
    }
    return next;
  }

  [[nodiscard]] bool is_interleaved(ResourceId id) const {
    return id != kNone && board_.resource(id).clone && board_.resource(id).clone->interleave;
  }

  Board& board_;
  std::vector<std::uint32_t> seen_;
  std::uint32_t walk_ = 0;
};

// ---- stops ----------------------------------------------------------------------------------------------------------

bool is_about(const Board& board, ActionId action, const std::string& key, std::string_view task) {
  return action != kNone ? board.action(action).task == task : key.ends_with("_" + std::string(task) + "_0");
}

bool concerns_probes(const Board& board, const Ordering& ordering) {
  if (ordering.flags == order_none || ordering.first_resource == kNone) return false;
  if (ordering.first_resource == ordering.then_resource) return false;
  if (!is_about(board, ordering.first_action, ordering.first_key, "stop")) return false;
  // A container's stop ends what is in it, and its probe may come when the container is up again.
  const bool inside =
      ordering.then_resource != kNone && board.resource(ordering.first_resource).container == ordering.then_resource;
  return !inside || !is_about(board, ordering.then_action, ordering.then_key, "stop");
}

bool comes_before(const Board& board, ActionId probe, ActionId then) {
  const Action& later = board.action(then);
  const NodeId node = board.action(probe).node;
  if (later.task == "stonith" && later.key.ends_with("-on")) return later.node != node;
  return later.task != "do_shutdown" || later.node == node;
}

void order_before_followers_of_stop(Board& board, const Ordering& ordering) {
  if (!concerns_probes(board, ordering)) return;
  const std::vector<ActionId> probes = probes_of(board, ordering.first_resource);
  if (probes.empty()) return;
  OrderFlags flags = order_optional | (ordering.flags & (order_apply_first_non_migratable | order_same_node));
  if (ordering.flags == order_anti_colocation || ordering.flags == order_load) flags = ordering.flags;
  std::vector<ActionId> then;
  if (ordering.then_action != kNone)
    then.push_back(ordering.then_action);
  else if (ordering.then_resource != kNone)
    then = actions_meant(board, ordering.then_resource, ordering.then_key);
  for (const ActionId probe : probes)
    for (const ActionId each : then)
      if (comes_before(board, probe, each)) order(board, probe, each, flags);
}

}  // namespace

std::vector<ActionId> actions_meant(const Board& board, ResourceId resource, const std::string& key) {
  std::vector<ActionId> found = find_by_key(board, resource, key, kNone);
  if (!found.empty()) return found;
  const KeyParts parts = parse_key(key);
  if (!parts.valid) return found;
  return find_by_key(board, resource, operation_key(board.resource(resource).id, parts.task, parts.interval_ms), kNone);
}

void order_probes(Board& board) {
  RestartOrders restarts(board);
  for (ResourceId id = 0; id < board.resources.size(); ++id)
    if (board.resource(id).primitive())
      for (const ActionId probe : probes_of(board, id))
        if (board.action(probe).task == "monitor") restarts.follow(probe);
  for (const Ordering& ordering : board.orderings) order_before_followers_of_stop(board, ordering);
}

}  // namespace bascule::policy::detail
