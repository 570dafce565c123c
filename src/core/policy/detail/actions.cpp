// The actions that take each resource from where it is to where it shall be.
#include <algorithm>
#include <array>

#include "core/policy/detail/assign.h"
#include "core/policy/detail/bundle.h"
#include "core/policy/detail/changes.h"
#include "core/policy/detail/make_action.h"
#include "core/policy/detail/notifications.h"
#include "core/policy/detail/schedule.h"
#include "core/policy/detail/steps.h"
#include "core/policy/detail/unfencing.h"
#include "core/policy/detail/utilization.h"
#include "core/policy/operations.h"
#include "core/policy/running.h"

namespace bascule::policy::detail {
namespace {

// ---- from role to role ----------------------------------------------------------------------------------------------

constexpr std::size_t index_of(Role role) { return static_cast<std::size_t>(role); }

/// The next role on the way from one (row) to another (column).
Role step_towards(Role from, Role to) {
  using R = Role;
  static constexpr std::array<std::array<Role, 5>, 5> way{{
      {R::Unknown, R::Stopped, R::Stopped, R::Stopped, R::Stopped},
      {R::Stopped, R::Stopped, R::Started, R::Unpromoted, R::Unpromoted},
      {R::Stopped, R::Stopped, R::Started, R::Unpromoted, R::Promoted},
      {R::Stopped, R::Stopped, R::Stopped, R::Unpromoted, R::Promoted},
      {R::Stopped, R::Unpromoted, R::Unpromoted, R::Unpromoted, R::Promoted},
  }};
  return way[index_of(from)][index_of(to)];
}

void stop_everywhere(Board& board, ResourceId id, bool optional) {
  const std::vector<NodeId> places = board.resource(id).running_on;
  for (const NodeId place : places) {
    const Resource& resource = board.resource(id);
    if (resource.stop_unexpected && place == resource.node) continue;
    bool here_optional = optional;
    if (resource.migration_target != kNone) {
      if (resource.migration_target == place && resource.node == place) continue;
      here_optional = false;
    }
    const ActionId stop = make_simple(board, id, "stop", place, here_optional);
    if (board.resource(id).node == kNone)
      board.action(stop).reason = "node availability";
    else if (resource.stop_unexpected)
      board.action(stop).reason = "being multiply active";
    if (!board.resource(id).managed) board.action(stop).runnable = false;
    order_stop_before_unfencing(board, id, place, stop);
    if (board.properties.remove_after_stop) schedule_cleanup(board, id, place, here_optional);
  }
}

/// While others of it that nobody expected stop, it stays as it is where it should be. Pacemaker believes so even
/// where it is not yet, and never starts it there (README, "Faults").
bool stays_as_expected(const Board& board, ResourceId id, NodeId node, bool again) {
  const Resource& resource = board.resource(id);
  if (!again || !resource.stop_unexpected || node != resource.node) return false;
  return board.snapshot.with_faults || std::count(resource.running_on.begin(), resource.running_on.end(), node) != 0;
}

/// `again`: it stops and starts without a change of role between.
void start_on(Board& board, ResourceId id, NodeId node, bool optional, bool again) {
  const ActionId start = make_simple(board, id, "start", node, true);
  order_after_unfencing(board, id, node, start, order_implies_then);
  Action& action = board.action(start);
  if (!optional && action.runnable) action.optional = false;
  if (stays_as_expected(board, id, node, again)) action.pseudo = true;
}

void promote_on(Board& board, ResourceId id, NodeId node, bool optional, bool again) {
  bool startable = true;
  for (const ActionId each : board.resource(id).actions)
    if (board.action(each).task == "start" && !board.action(each).runnable) startable = false;
  if (startable) {
    const ActionId promote = make_simple(board, id, "promote", node, optional);
    if (stays_as_expected(board, id, node, again)) board.action(promote).pseudo = true;
    return;
  }
  for (const ActionId each : board.resource(id).actions)
    if (board.action(each).task == "promote") board.action(each).runnable = false;
}

void demote_everywhere(Board& board, ResourceId id, bool optional, bool again) {
  const std::vector<NodeId> places = board.resource(id).running_on;
  for (const NodeId place : places)
    if (!stays_as_expected(board, id, place, again)) make_simple(board, id, "demote", place, optional);
}

void take_step(Board& board, ResourceId id, Role from, Role to, NodeId node, bool optional, bool again) {
  if (to == Role::Stopped && (from == Role::Started || from == Role::Unpromoted || from == Role::Unknown))
    return stop_everywhere(board, id, optional);
  if (from == Role::Promoted) return demote_everywhere(board, id, optional, again);
  if (from == Role::Stopped && (to == Role::Started || to == Role::Unpromoted))
    return start_on(board, id, node, optional, again);
  if (to == Role::Promoted) return promote_on(board, id, node, optional, again);
}

// ---- one primitive --------------------------------------------------------------------------------------------------

struct Need {
  bool stop = false;
  bool promote = false;
};

void restart(Board& board, ResourceId id, NodeId current, Need need) {
  const Role was = board.resource(id).role;
  Role role = was;
  while (role != Role::Stopped) {
    const Role next = step_towards(role, Role::Stopped);
    take_step(board, id, role, next, current, !need.stop, true);
    role = next;
  }
  while (was <= board.resource(id).next_role && role != was && !board.resource(id).blocked) {
    const Role next = step_towards(role, was);
    const bool required = need.stop || (next == Role::Promoted && need.promote);
    take_step(board, id, role, next, board.resource(id).node, !required, true);
    role = next;
  }
}

void go_to_next_role(Board& board, ResourceId id) {
  Role role = board.resource(id).role;
  while (role != board.resource(id).next_role) {
    const Role next = step_towards(role, board.resource(id).next_role);
    take_step(board, id, role, next, board.resource(id).node, false, false);
    role = next;
  }
}

/// Active in more places than it should be: what is done is configured.
bool stop_first_because_doubled(Board& board, ResourceId id) {
  Resource& resource = board.resource(id);
  const auto clean = std::count_if(resource.running_on.begin(), resource.running_on.end(),
                                   [&](NodeId node) { return board.node(node).online && !board.node(node).unclean; });
  const auto places =
      resource.needs >= Requires::fencing ? static_cast<std::ptrdiff_t>(resource.running_on.size()) : clean;
  if (places <= 1) return false;
  if (resource.multiple_active == MultipleActive::stop_unexpected) resource.stop_unexpected = true;
  return resource.multiple_active == MultipleActive::stop_start ||
         resource.multiple_active == MultipleActive::stop_unexpected;
}

bool migration_goes_on(const Resource& resource, NodeId current) {
  return resource.migration_source != kNone && resource.migration_target != kNone && resource.running_on.size() == 2 &&
         resource.node == resource.migration_target && current == resource.migration_source;
}

Need judge(Board& board, ResourceId id, bool moving) {
  Need need;
  Resource& resource = board.resource(id);
  if (moving) {
    need.stop = true;
  } else if (resource.failed) {
    need.stop = resource.must_stop;
    need.promote = !resource.must_stop && resource.next_role == Role::Promoted;
  } else if (resource.blocked) {
    need.stop = true;
  } else if (resource.role > Role::Started && !resource.running_on.empty() && resource.node != kNone) {
    const ActionId start = make_simple(board, id, "start", resource.node, true);
    if (!board.action(start).optional) need.stop = true;
  }
  return need;
}

void schedule_primitive(Board& board, ResourceId id) {
  Resource& resource = board.resource(id);
  if (resource.next_role == Role::Unknown) resource.next_role = resource.node == kNone ? Role::Stopped : Role::Started;
  const NodeId current = current_node(board, id);
  const std::vector<NodeId> dangling = resource.dangling_migrations;
  for (const NodeId node : dangling) board.action(make_simple(board, id, "stop", node, false)).dangling = true;
  const bool moving = current != kNone && board.resource(id).node != kNone && current != board.resource(id).node &&
                      board.resource(id).next_role >= Role::Started;
  bool may_migrate = moving && can_migrate(board, id, current);
  bool from_scratch = false;
  const bool partial = board.resource(id).migration_source != kNone || board.resource(id).migration_target != kNone;
  if (!partial) {
    from_scratch = stop_first_because_doubled(board, id);
  } else if (!may_migrate || !migration_goes_on(board.resource(id), current)) {
    board.resource(id).migration_source = board.resource(id).migration_target = kNone;
    may_migrate = false;
    board.resource(id).allow_migrate = false;
    from_scratch = true;
  }
  if (board.resource(id).start_pending && board.resource(id).node != kNone)
    board.action(make_simple(board, id, "start", board.resource(id).node, true)).print_always = true;
  Need need = judge(board, id, moving);
  need.stop = need.stop || from_scratch;
  restart(board, id, current, need);
  go_to_next_role(board, id);
  make_recurring(board, id);
  if (may_migrate) make_migration(board, id, current);
  order_by_load(board, id);
}

// ---- groups and clones
// ------------------------------------------------------------------------------------------------

std::string key_of(const Board& board, ResourceId id, std::string_view task) {
  return operation_key(board.resource(id).id, task, 0);
}

void schedule_group(Board& board, ResourceId id) {
  const std::vector<ResourceId> members = board.resource(id).children;
  for (const ResourceId member : members) schedule(board, member);
  make_pseudo(board, id, key_of(board, id, "start"), "start", true, true);
  make_pseudo(board, id, key_of(board, id, "running"), "running", true, true);
  make_pseudo(board, id, key_of(board, id, "stop"), "stop", true, true);
  make_pseudo(board, id, key_of(board, id, "stopped"), "stopped", true, true);
  if (!board.resource(board.top_of(id)).promotable()) return;
  for (const char* task : {"demote", "demoted", "promote", "promoted"})
    make_pseudo(board, id, key_of(board, id, task), task, true, true);
}

struct Doing {
  bool starting = false, stopping = false, active = false, promoting = false, demoting = false;
  bool may_migrate = true;  ///< nothing in it restarts or moves: what depends on it may migrate meanwhile
};

void look_at(const Board& board, ResourceId id, Doing& doing) {
  for (const ResourceId child : board.resource(id).children) look_at(board, child, doing);
  if (!board.resource(id).primitive()) return;
  if (!board.resource(id).running_on.empty()) doing.active = true;
  for (const ActionId each : board.resource(id).actions) {
    const Action& action = board.action(each);
    if (action.optional) continue;
    doing.promoting = doing.promoting || action.task == "promote";
    doing.demoting = doing.demoting || action.task == "demote";
    if (!action.pseudo && !action.runnable) continue;
    doing.starting = doing.starting || (action.task == "start" && action.runnable);
    doing.stopping = doing.stopping || action.task == "stop";
  }
}

/// Of an ordered clone those that start or stop do so one after another by their numbers, whoever stays between them.
void order_instances(Board& board, ResourceId clone) {
  if (!board.resource(clone).clone->ordered) return;
  std::vector<ResourceId>& instances = board.resource(clone).children;
  std::stable_sort(instances.begin(), instances.end(), [&](ResourceId one, ResourceId other) {
    return board.resource(one).instance < board.resource(other).instance;
  });
  ActionId last_start = kNone;
  ActionId last_stop = kNone;
  for (const ResourceId instance : instances) {
    const ActionId start = find_action(board, instance, "start", kNone);
    const ActionId stop = find_action(board, instance, "stop", kNone);
    if (start != kNone && board.action(start).required()) {
      order(board, last_start, start, order_optional);
      last_start = start;
    }
    if (stop != kNone && board.action(stop).required()) {
      order(board, stop, last_stop, order_optional);
      last_stop = stop;
    }
  }
}

void schedule_clone(Board& board, ResourceId id) {
  Doing doing;
  const std::vector<ResourceId> instances = board.resource(id).children;
  for (const ResourceId instance : instances) {
    schedule(board, instance);
    Doing one;
    look_at(board, instance, one);
    doing.starting = doing.starting || one.starting;
    doing.stopping = doing.stopping || one.stopping;
    doing.promoting = doing.promoting || one.promoting;
    doing.demoting = doing.demoting || one.demoting;
    doing.active = doing.active || one.active;
    doing.may_migrate = doing.may_migrate && !(one.starting && one.stopping);
  }
  CloneParts parts = *board.resource(id).clone;
  parts.start = make_pseudo(board, id, key_of(board, id, "start"), "start", !doing.starting, true);
  parts.started =
      make_pseudo(board, id, key_of(board, id, "running"), "running", !doing.starting, doing.active || doing.starting);
  parts.stop = make_pseudo(board, id, key_of(board, id, "stop"), "stop", !doing.stopping, true);
  parts.stopped = make_pseudo(board, id, key_of(board, id, "stopped"), "stopped", !doing.stopping, true);
  board.action(parts.stop).migrate_runnable = doing.may_migrate;
  order_instances(board, id);
  const Notices start = make_notices(board, id, "start", parts.start, parts.started);
  const Notices stop = make_notices(board, id, "stop", parts.stop, parts.stopped);
  order(board, stop.after_done, start.before, order_optional);
  if (parts.promotable) {
    parts.promote = make_pseudo(board, id, key_of(board, id, "promote"), "promote", !doing.promoting, true);
    parts.promoted = make_pseudo(board, id, key_of(board, id, "promoted"), "promoted", !doing.promoting, true);
    parts.demote = make_pseudo(board, id, key_of(board, id, "demote"), "demote", !doing.demoting, true);
    parts.demoted = make_pseudo(board, id, key_of(board, id, "demoted"), "demoted", !doing.demoting, true);
    const Notices promote = make_notices(board, id, "promote", parts.promote, parts.promoted);
    const Notices demote = make_notices(board, id, "demote", parts.demote, parts.demoted);
    for (const ActionId each : {stop.after_done, start.after_done, demote.after_done})
      order(board, each, promote.before, order_optional);
    order(board, demote.after_done, start.before, order_optional);
    order(board, demote.after_done, stop.before, order_optional);
  }
  board.resource(id).clone = parts;
}

}  // namespace

void schedule(Board& board, ResourceId id) {
  switch (board.resource(id).variant) {
    case Variant::primitive:
      return schedule_primitive(board, id);
    case Variant::group:
      return schedule_group(board, id);
    case Variant::clone:
      return schedule_clone(board, id);
    case Variant::bundle:
      return schedule_bundle(board, id);
  }
}

void make_actions(Board& board) {
  const std::vector<ResourceId> top = board.top;
  for (const ResourceId id : top) schedule(board, id);
}

}  // namespace bascule::policy::detail
