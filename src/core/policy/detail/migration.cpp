#include "core/policy/detail/assign.h"
#include "core/policy/detail/make_action.h"
#include "core/policy/detail/propagate.h"
#include "core/policy/detail/schedule.h"
#include "core/policy/operations.h"

/// Moving a resource without stopping it.
namespace bascule::policy::detail {

bool can_migrate(const Board& board, ResourceId id, NodeId current) {
  const Resource& resource = board.resource(id);
  if (!resource.allow_migrate || !resource.managed || resource.failed || resource.start_pending) return false;
  if (current == kNone || board.node(current).unclean) return false;
  return resource.next_role >= Role::Started && resource.node != kNone && !board.node(resource.node).unclean;
}

/// The start becomes a point in time; if it may not migrate in the end, it is a start again, and the migration does not
/// happen (order_pseudo_left, order_migratable_implies_first).
void make_migration(Board& board, ResourceId id, NodeId current) {
  const NodeId target = board.resource(id).node;
  const bool goes_on = board.resource(id).migration_target != kNone;
  const ActionId start = make_simple(board, id, "start", target, true);
  const ActionId stop = make_simple(board, id, "stop", current, true);
  const ActionId to = goes_on ? kNone : make_simple(board, id, "migrate_to", current, true);
  const ActionId from = make_simple(board, id, "migrate_from", target, true);
  board.action(start).migrate_runnable = board.action(stop).migrate_runnable = true;
  board.action(start).pseudo = true;
  board.action(from).migrate_runnable = true;
  Action& begin = board.action(goes_on ? from : to);
  begin.needs_quorum = board.action(start).needs_quorum;
  begin.needs_fencing = board.action(start).needs_fencing;
  if (to != kNone) {
    board.action(to).migrate_runnable = true;
    order_tasks(board, id, "monitor", id, "migrate_to", order_optional);
    order_tasks(board, id, "migrate_to", id, "migrate_from", order_optional | order_migratable_implies_first);
  } else {
    order_tasks(board, id, "monitor", id, "migrate_from", order_optional);
  }
  order_tasks(board, id, "migrate_from", id, "stop", order_optional | order_migratable_implies_first);
  order_tasks(board, id, "migrate_from", id, "start",
              order_optional | order_migratable_implies_first | order_pseudo_left);
}

namespace {

bool migratable(const Board& board, ResourceId id) {
  return board.resource(id).primitive() && board.resource(id).allow_migrate;
}

std::string task_of(const Board& board, ActionId action, const std::string& key) {
  return action == kNone ? parse_key(key).task : board.action(action).task;
}

/// What orders two starts or stops orders the migrations that take their place as well.
void order_equivalents(Board& board, const Ordering& ordering) {
  if (ordering.first_resource == kNone || ordering.then_resource == kNone) return;
  if (ordering.first_resource == ordering.then_resource || !migratable(board, ordering.then_resource)) return;
  if (is_inside(board, ordering.then_resource, ordering.first_resource)) return;
  const std::string first = task_of(board, ordering.first_action, ordering.first_key);
  const std::string then = task_of(board, ordering.then_action, ordering.then_key);
  const bool both = migratable(board, ordering.first_resource);
  const OrderFlags flags = order_optional | (both ? order_apply_first_non_migratable : 0U);
  if (first == "start" && then == "start") {
    if (both)
      order_tasks(board, ordering.first_resource, "migrate_from", ordering.then_resource, "migrate_to", order_optional);
    order_tasks(board, ordering.first_resource, "start", ordering.then_resource, "migrate_to", flags);
  } else if (then == "stop" && (first == "stop" || first == "demote")) {
    order_tasks(board, ordering.first_resource, first, ordering.then_resource, "migrate_to", flags);
    if (board.resource(ordering.then_resource).migration_target != kNone)
      order_tasks(board, ordering.first_resource, first, ordering.then_resource, "migrate_from", flags);
  } else if (first == "promote" && then == "start") {
    order_tasks(board, ordering.first_resource, "promote", ordering.then_resource, "migrate_to", flags);
  }
}

}  // namespace

void order_migrations(Board& board) {
  const std::size_t count = board.orderings.size();
  for (std::size_t i = 0; i < count; ++i) order_equivalents(board, Ordering(board.orderings[i]));
}

}  // namespace bascule::policy::detail
