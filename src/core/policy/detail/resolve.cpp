// Which actions happen after all, once the orderings have made others required or impossible.
#include <algorithm>
#include <string_view>

#include "core/policy/detail/invalid_orders.h"
#include "core/policy/detail/make_action.h"
#include "core/policy/detail/probe_orders.h"
#include "core/policy/detail/propagate.h"
#include "core/policy/detail/steps.h"
#include "core/policy/operations.h"

namespace bascule::policy::detail {
namespace {

// ---- from keys to actions -------------------------------------------------------------------------------------------

/// An action that nothing asked for yet, so that others can depend on it; kNone where it could have no meaning.
ActionId made_for(Board& board, ResourceId resource, const std::string& key) {
  const KeyParts parts = parse_key(key);
  if (!parts.valid) return kNone;
  const Role role = role_of_whole(board, resource);
  if (parts.task == "stop" && role <= Role::Stopped) return kNone;
  if (parts.task == "demote" && role == Role::Unpromoted) return kNone;
  const std::string own = operation_key(board.resource(resource).id, parts.task, parts.interval_ms);
  return make_action(board, resource, own, parts.task, kNone, true);
}

void connect_then(Board& board, ActionId first, const Ordering& ordering) {
  OrderFlags flags = ordering.flags;
  // Where a migration was interrupted the resource stops, and goes on running where it should be.
  if (first != kNone && board.action(first).dangling && board.action(first).resource == ordering.then_resource)
    flags &= ~order_implies_then;
  std::vector<ActionId> then;
  if (ordering.then_action != kNone)
    then.push_back(ordering.then_action);
  else if (ordering.then_resource != kNone)
    then = actions_meant(board, ordering.then_resource, ordering.then_key);
  for (const ActionId each : then) {
    if (first != kNone)
      order(board, first, each, flags);
    else if ((ordering.flags & order_runnable_left) != 0)
      board.action(each).runnable = false;
  }
}

void connect(Board& board, const Ordering& ordering) {
  if (ordering.first_action != kNone) return connect_then(board, ordering.first_action, ordering);
  if (ordering.first_resource == kNone) return;
  std::vector<ActionId> first = actions_meant(board, ordering.first_resource, ordering.first_key);
  if (first.empty()) {
    if (ordering.first_resource == ordering.then_resource) return;
    const ActionId made = made_for(board, ordering.first_resource, ordering.first_key);
    if (made == kNone) return;
    first.push_back(made);
  }
  for (const ActionId each : first) connect_then(board, each, ordering);
}

}  // namespace

// ---- until nothing changes ------------------------------------------------------------------------------------------

namespace {

/// Where another resource waits for a group or clone, it waits for its last word: for "running" instead of "start",
/// and with notifications until everyone has heard of it.
ActionId last_word(const Board& board, ActionId id) {
  const Action& action = board.action(id);
  if (action.resource == kNone || board.resource(action.resource).primitive()) return id;
  if (action.key.find("notify") != std::string::npos) return id;
  const std::string end(end_of(begun_by(action.task)));
  if (end.empty()) return id;
  const Resource& resource = board.resource(action.resource);
  const bool outermost =
      resource.parent == kNone || (resource.clone && board.resource(resource.parent).variant == Variant::bundle);
  const std::string task = resource.notify && outermost ? "confirmed-post_notify_" + end : end;
  const std::vector<ActionId> found = find_by_key(board, action.resource, operation_key(resource.id, task, 0), kNone);
  return found.empty() ? id : found.front();
}

/// An order that turns out to say nothing: neither side knows it any more.
void drop(Board& board, ActionId then, std::size_t index) {
  Edge& edge = board.action(then).before[index];
  for (Edge& back : board.action(edge.action).after)
    if (back.action == then && back.flags == edge.flags) back.flags = order_none;
  edge.flags = order_none;
}

class Resolver {
 public:
  explicit Resolver(Board& board) : board_(board), propagation_(board), queued_(board.actions.size(), 0) {}

  void run() {
    // What changes is looked at before anything else is, so that others meet it as crm_simulate's do.
    std::uint64_t left = 256 * (board_.actions.size() + 1024);
    for (ActionId next = static_cast<ActionId>(board_.actions.size()); next-- > 0;) {
      visit(next);
      while (!queue_.empty() && left-- > 0) {
        const ActionId id = queue_.back();
        queue_.pop_back();
        queued_[id] = 0;
        visit(id);
      }
    }
    add_up_clones();
  }

 private:
  /// Notifications go by what the instances' actions add up to in the end.
  void add_up_clones() {
    for (const Resource& resource : board_.resources)
      if (resource.clone)
        for (const ActionId id : resource.actions) propagation_.standing(id, kNone);
  }

  void push(ActionId id) {
    if (queued_.size() <= id) queued_.resize(board_.actions.size(), 0);
    if (queued_[id] != 0) return;
    queued_[id] = 1;
    queue_.push_back(id);
  }

  void push_touched() {
    for (const ActionId id : propagation_.touched) {
      for (const Edge& edge : board_.action(id).after) push(edge.action);
      push(id);
    }
    propagation_.touched.clear();
  }

  void visit(ActionId then) {
    const bool counted = board_.action(then).requires_any;
    const bool was_runnable = board_.action(then).runnable;
    if (counted) {
      board_.action(then).runnable = false;
      board_.action(then).runnable_before = 0;
    }
    for (std::size_t i = 0; i < board_.action(then).before.size(); ++i) look_at(then, i);
    if (counted && board_.action(then).runnable != was_runnable) propagation_.touched.push_back(then);
    push_touched();
  }

  void look_at(ActionId then_id, std::size_t index) {
    const Edge edge = board_.action(then_id).before[index];
    if (edge.flags == order_none) return;
    const Action& first = board_.action(edge.action);
    const Action& then = board_.action(then_id);
    const bool apart = first.node != kNone && then.node != kNone && first.node != then.node;
    if ((edge.flags & order_same_node) != 0 && apart) return drop(board_, then_id, index);
    if ((edge.flags & order_then_cancels_first) != 0 && then.required() && first.required()) {
      board_.action(edge.action).optional = true;
      propagation_.touched.push_back(edge.action);
    }
    const bool others = first.resource != kNone && then.resource != kNone && first.resource != then.resource &&
                        !is_inside(board_, then.resource, first.resource);
    const ActionId word = others ? last_word(board_, edge.action) : edge.action;
    if (word == edge.action && stops_instead(first, then, edge.flags)) return drop(board_, then_id, index);
    if (word == edge.action) return propagation_.apply(edge.action, then_id, edge.flags);
    if (!order(board_, word, then_id, edge.flags)) return;
    drop(board_, then_id, index);
    propagation_.touched.push_back(then_id);
  }

  /// A probe waits for a start that brings what it looks for; not for one that cannot happen while that still runs.
  [[nodiscard]] bool stops_instead(const Action& first, const Action& then, OrderFlags flags) const {
    return (flags & order_probe) != 0 && then.resource != kNone && first.resource != kNone && !first.runnable &&
           !board_.resource(first.resource).running_on.empty();
  }

  Board& board_;
  Propagation propagation_;
  std::vector<std::uint8_t> queued_;
  std::vector<ActionId> queue_;
};

}  // namespace

void resolve_orderings(Board& board) {
  for (std::size_t i = 0; i < board.orderings.size(); ++i) connect(board, Ordering(board.orderings[i]));
  order_probes(board);
  Resolver(board).run();
  drop_invalid_orders(board);
}

}  // namespace bascule::policy::detail
