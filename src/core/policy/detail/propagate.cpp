// What one action makes of another that is ordered with it: required, impossible, to be done again.
#include "core/policy/detail/propagate.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "core/policy/detail/make_action.h"

namespace bascule::policy::detail {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kEnds{{{"start", "running"},
                                                                              {"stop", "stopped"},
                                                                              {"promote", "promoted"},
                                                                              {"demote", "demoted"},
                                                                              {"notify", "notified"}}};

/// `RESOURCE_confirmed-post_notify_running_0` is about "running".
std::string_view subject_of(std::string_view key) {
  const std::size_t end = key.rfind('_');
  const std::size_t begin = end == std::string_view::npos || end == 0 ? end : key.rfind('_', end - 1);
  return begin == std::string_view::npos ? std::string_view() : key.substr(begin + 1, end - begin - 1);
}

}  // namespace

std::string_view begun_by(std::string_view task) {
  for (const auto& [begin, end] : kEnds)
    if (task == end) return begin;
  return task;
}

std::string_view end_of(std::string_view task) {
  for (const auto& [begin, end] : kEnds)
    if (task == begin) return end;
  return {};
}

std::string member_task(const Board& board, const Action& action, ResourceId member) {
  std::string_view task = action.task;
  if (task == "notify" || task == "notified") task = subject_of(action.key);
  return std::string(board.resource(member).primitive() ? begun_by(task) : task);
}

bool is_inside(const Board& board, ResourceId inner, ResourceId outer) {
  for (ResourceId id = board.resource(inner).parent; id != kNone; id = board.resource(id).parent)
    if (id == outer) return true;
  return false;
}

Role role_of_whole(const Board& board, ResourceId id) {
  Role role = board.resource(id).children.empty() ? board.resource(id).role : Role::Unknown;
  for (const ResourceId child : board.resource(id).children) role = std::max(role, role_of_whole(board, child));
  return role;
}

// ---- flags ----------------------------------------------------------------------------------------------------------

/// The first reason stays; that it cannot migrate outweighs it. What an action has to do with others of its own
/// resource is no reason.
void Propagation::give_reason(Action& action, Because::What what, ActionId because) {
  if (because == kNone || board_.action(because).resource == action.resource) return;
  const bool outweighs = what == Because::What::unmigratable;
  if (!outweighs && (action.because.what != Because::What::none || !action.reason.empty())) return;
  action.reason.clear();
  action.because = {what, because};
}

void Propagation::set_required(ActionId id, ActionId because) {
  Action& action = board_.action(id);
  if (!action.optional) return;
  action.optional = false;
  give_reason(action, Because::What::required, because);
  touched.push_back(id);
}

void Propagation::set_unrunnable(ActionId id, ActionId because) {
  Action& action = board_.action(id);
  if (!action.runnable) return;
  action.runnable = false;
  give_reason(action, Because::What::unrunnable, because);
  touched.push_back(id);
  if (action.resource != kNone && (action.task == "start" || action.task == "promote")) block_dependents(id);
}

void Propagation::summarize_unrunnable(ActionId id) {
  if (!board_.action(id).runnable) return;
  board_.action(id).runnable = false;
  touched.push_back(id);
}

void Propagation::summarize_required(ActionId id) {
  if (!board_.action(id).optional) return;
  board_.action(id).optional = false;
  if (!board_.snapshot.with_faults) touched.push_back(id);
}

void Propagation::block_dependents(ActionId id) {
  const bool start = board_.action(id).task == "start";
  const std::string task = board_.action(id).task;
  ResourceId whole = board_.top_of(board_.action(id).resource);
  if (board_.resource(whole).parent != kNone) whole = board_.resource(whole).parent;  // what is in a bundle
  // What is with a group is with its last member, where nobody looks: it starts all the same.
  if (board_.resource(whole).variant == Variant::group) return;
  // One instance that can is enough.
  for (const ResourceId child : board_.resource(whole).children) {
    const ActionId found = find_action(board_, child, task, kNone);
    if (found == kNone || board_.action(found).runnable) return;
  }
  for (const std::uint32_t index : board_.resource(whole).others_with) {
    const Colocation& colocation = board_.colocations[index];
    if (colocation.score < kInfinity) continue;
    if (!start && colocation.primary_role != Role::Promoted) continue;
    block(colocation.dependent, colocation.dependent_role == Role::Promoted ? "promote" : "start", id);
  }
}

void Propagation::block(ResourceId id, std::string_view task, ActionId because) {
  for (const ActionId each : std::vector<ActionId>(board_.resource(id).actions))
    if (board_.action(each).task == task) set_unrunnable(each, because);
  for (const ResourceId child : board_.resource(id).children) block(child, task, because);
}

void Propagation::set_runnable(ActionId id) {
  Action& action = board_.action(id);
  if (action.runnable) return;
  action.runnable = true;
  touched.push_back(id);
}

void Propagation::set_not_migratable(ActionId id, ActionId because) {
  Action& action = board_.action(id);
  if (!action.migrate_runnable) return;
  action.migrate_runnable = false;
  give_reason(action, Because::What::unmigratable, because);
  touched.push_back(id);
}

// ---- the rules of an edge -------------------------------------------------------------------------------------------

void Propagation::apply(ActionId first, ActionId then, OrderFlags flags) {
  const NodeId first_node = board_.action(first).node;
  const NodeId then_node = board_.action(then).node;
  Relation base;
  base.first = first;
  base.then = then;
  base.node = then_node;
  base.standing = standing(first, then_node);
  const Standing of_then = standing(then, first_node);
  if ((flags & order_implies_then_on_node) != 0) {
    flags = (flags & ~order_implies_then_on_node) | order_implies_then;
    base.node = first_node;
  }
  apply_rules(base, flags);
  printed(base, flags, of_then);
}

void Propagation::apply_rules(const Relation& base, OrderFlags flags) {
  const ResourceId of_first = board_.action(base.first).resource;
  const ResourceId of_then = board_.action(base.then).resource;
  const auto rule = [&](ResourceId method, OrderFlags type, bool optional, bool runnable) {
    if ((flags & type) == 0 || method == kNone) return;
    Relation relation = base;
    relation.type = type;
    relation.about_optional = optional;
    relation.about_runnable = runnable;
    update(method, relation);
  };
  if (of_then == kNone) apply_alone(base, flags);
  rule(of_then, order_implies_then, true, false);
  rule(of_then, order_restart, true, true);
  rule(of_first, order_implies_first, true, false);
  rule(of_then, order_promoted_implies_first, true, false);
  rule(of_then, order_one_or_more, false, true);
  const bool active_first = of_first != kNone && !board_.resource(of_first).running_on.empty();
  if ((flags & order_probe) != 0 && of_then != kNone && (base.standing.runnable || !active_first)) {
    Relation relation = base;
    relation.type = order_runnable_left;
    relation.about_runnable = true;
    update(of_then, relation);
  }
  rule(of_then, order_runnable_left, false, true);
  rule(of_then, order_migratable_implies_first, true, false);
  rule(of_then, order_pseudo_left, true, false);
  rule(of_then, order_optional, false, true);
  rule(of_then, order_asymmetrical, false, true);
}

/// `then` belongs to no resource: a point in time, or something done to a node.
void Propagation::apply_alone(const Relation& base, OrderFlags flags) {
  if ((flags & order_implies_then) != 0 && !base.standing.optional) set_required(base.then, base.first);
  if ((flags & order_runnable_left) != 0 && !base.standing.runnable) set_unrunnable(base.then, base.first);
  if ((flags & order_one_or_more) == 0 || !base.standing.runnable) return;
  Action& then = board_.action(base.then);
  if (++then.runnable_before >= std::max(1, then.required_runnable_before)) then.runnable = true;
}

void Propagation::printed(const Relation& base, OrderFlags flags, Standing of_then) {
  // That concerns the graph alone, and so nothing is touched.
  if ((flags & order_implies_then_printed) != 0 && base.standing.runnable && !base.standing.optional)
    board_.action(base.then).print_always = true;
  if ((flags & order_implies_first_printed) != 0 && !of_then.optional) board_.action(base.first).print_always = true;
  const Action& first = board_.action(base.first);
  const OrderFlags strict = order_implies_then | order_implies_first | order_restart;
  if ((flags & strict) == 0 || first.resource == kNone || first.task != "stop" || first.runnable) return;
  const Resource& resource = board_.resource(first.resource);
  if (!resource.managed && resource.blocked) set_unrunnable(base.then, base.first);
}

// ---- one rule -------------------------------------------------------------------------------------------------------

void Propagation::update(ResourceId method, const Relation& relation) {
  switch (board_.resource(method).variant) {
    case Variant::group:
      update_pair(relation);
      return update_members(relation);
    case Variant::clone:
    case Variant::bundle:
      if (interleaves(board_, board_.action(relation.first), board_.action(relation.then)))
        return update_interleaved(relation);
      update_pair(relation);
      return update_instances(relation);
    case Variant::primitive:
      return update_pair(relation);
  }
}

void Propagation::update_members(const Relation& relation) {
  const Action then = board_.action(relation.then);
  if (then.resource == kNone) return;
  for (const ResourceId member : board_.resource(then.resource).children) {
    const ActionId found = find_action(board_, member, then.task, relation.node);
    if (found == kNone) continue;
    Relation inner = relation;
    inner.then = found;
    update(member, inner);
  }
}

void Propagation::update_instances(const Relation& relation) {
  const Action then = board_.action(relation.then);
  if (then.resource == kNone) return;
  for (const ResourceId instance : instances_of(board_, then.resource)) {
    const ActionId found = find_action(board_, instance, then.task, relation.node);
    if (found == kNone || !members_standing(found, relation.node).runnable) continue;
    Relation inner = relation;
    inner.then = found;
    update(instance, inner);
  }
}

void Propagation::update_pair(const Relation& relation) {
  const Action& then = board_.action(relation.then);
  if ((relation.type & order_asymmetrical) != 0) asymmetric(relation);
  implied(relation);
  if ((relation.type & order_pseudo_left) != 0 && relation.about_optional && !board_.action(relation.first).runnable) {
    set_not_migratable(relation.then, relation.first);
    if (then.pseudo) {
      board_.action(relation.then).pseudo = false;
      touched.push_back(relation.then);
    }
  }
  if ((relation.type & order_runnable_left) != 0 && relation.about_runnable && then.runnable &&
      !relation.standing.runnable) {
    set_unrunnable(relation.then, relation.first);
    set_not_migratable(relation.then, relation.first);
  }
  if ((relation.type & order_implies_then) != 0 && relation.about_optional && !relation.standing.optional &&
      !board_.action(relation.first).migrate_runnable)
    set_required(relation.then, relation.first);
  if ((relation.type & order_restart) != 0) restart(relation);
}

/// What `then` being required means for `first`.
void Propagation::implied(const Relation& relation) {
  const Action& then = board_.action(relation.then);
  if ((relation.type & order_implies_first) != 0 && then.required()) {
    // A group or clone is required with what is in it; what is alone is required by its own start (restart()).
    if (!relation.standing.optional) set_required(relation.first, relation.then);
    if (!then.migrate_runnable) set_not_migratable(relation.first, relation.then);
  }
  if ((relation.type & order_promoted_implies_first) != 0 && then.required() && then.resource != kNone &&
      board_.resource(then.resource).role == Role::Promoted) {
    set_required(relation.first, relation.then);
    if (!then.migrate_runnable) set_not_migratable(relation.first, relation.then);
  }
  if ((relation.type & order_migratable_implies_first) != 0) {
    if (!then.migrate_runnable || !then.runnable) set_unrunnable(relation.first, relation.then);
    if (then.required()) set_required(relation.first, relation.then);
  }
}

/// F is a stop, T the start after it (or, in a group, F a later member's stop and T an earlier one's).
void Propagation::restart(const Relation& relation) {
  const Action& first = board_.action(relation.first);
  const Action& then = board_.action(relation.then);
  const bool recovery = then.required();
  const bool shutdown = !then.runnable && then.resource != kNone && board_.resource(then.resource).managed &&
                        first.resource == then.resource;
  if (!recovery && !shutdown) return;
  if (first.runnable || recovery) set_required(relation.first, relation.then);
  if (!then.migrate_runnable) set_not_migratable(relation.first, relation.then);
  if (first.required() && !first.runnable) set_unrunnable(relation.then, relation.first);
}

/// Only the one direction: T needs F, but what is done already stays.
void Propagation::asymmetric(const Relation& relation) {
  const Action& then = board_.action(relation.then);
  if (board_.action(relation.first).runnable || then.resource == kNone) return;
  const Role role = role_of_whole(board_, then.resource);
  if (then.task == "stop" && role == Role::Stopped) return;
  const std::vector<NodeId>& places = board_.resource(then.resource).running_on;
  const bool stays = then.optional && places.size() == 1 && places.front() == then.node;
  if (then.task == "start" && role >= Role::Started && stays) return;
  set_required(relation.then, relation.first);
  set_unrunnable(relation.then, relation.first);
}

}  // namespace bascule::policy::detail
