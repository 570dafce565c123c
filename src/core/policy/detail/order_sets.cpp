#include <algorithm>
#include <charconv>

#include "core/policy/detail/constraints.h"
#include "core/policy/detail/make_action.h"
#include "core/policy/detail/steps.h"
#include "core/policy/operations.h"

/// Order constraints between resources, and between and inside sets of them.
namespace bascule::policy::detail {
namespace {

std::string inverse_of(const std::string& action) {
  if (action == "start") return "stop";
  if (action == "stop") return "start";
  if (action == "promote") return "demote";
  if (action == "demote") return "promote";
  if (action == "promoted") return "demoted";
  if (action == "demoted") return "promoted";
  if (action == "started" || action == "running") return "stopped";
  return action == "stopped" ? "started" : action;
}

enum class Kind : std::uint8_t { mandatory, optional, serialize };
enum class Symmetry : std::uint8_t { asymmetric, symmetric, inverse };

Kind kind_of(const std::string& kind, const std::string& score) {
  if (kind == "Optional") return Kind::optional;
  if (kind == "Serialize") return Kind::serialize;
  if (!kind.empty() || score.empty()) return Kind::mandatory;
  return parse_score(score).value_or(0) == 0 ? Kind::optional : Kind::mandatory;
}

OrderFlags flags_of(Kind kind, const std::string& first, Symmetry symmetry) {
  OrderFlags flags = order_optional;
  if (kind == Kind::serialize) return flags | order_serialize_only;
  if (kind == Kind::optional) return flags;
  if (symmetry == Symmetry::asymmetric) return flags | order_asymmetrical;
  if (symmetry == Symmetry::inverse) return flags | order_implies_first;
  flags |= order_implies_then;
  if (first == "start" || first == "promote") flags |= order_runnable_left;
  return flags;
}

Symmetry symmetry_of(const std::optional<std::string>& word, Kind kind) {
  const bool symmetric = word ? truth(*word) : kind != Kind::serialize;
  return symmetric && kind != Kind::serialize ? Symmetry::symmetric : Symmetry::asymmetric;
}

// ---- enough of several ----------------------------------------------------------------------------------------------

/// A point in time that is reached when `enough` of the actions before it can run.
ActionId make_threshold(Board& board, const std::string& key, int enough) {
  const ActionId id = make_pseudo(board, kNone, key, key, true, true);
  board.action(id).requires_any = true;
  board.action(id).required_runnable_before = enough;
  return id;
}

void before_threshold(Board& board, ResourceId resource, const std::string& task, ActionId threshold) {
  order_later(board, resource, operation_key(board.resource(resource).id, task, 0), kNone, kNone, "", threshold,
              order_one_or_more | order_implies_then_printed);
}

void after_threshold(Board& board, ActionId threshold, ResourceId resource, const std::string& task, OrderFlags flags) {
  order_later(board, kNone, "", threshold, resource, operation_key(board.resource(resource).id, task, 0), kNone,
              flags | order_runnable_left);
}

/// How many instances of a clone must be up before what comes after it may start; 0: all that are to start.
int instances_needed(const Resource& first, const cib::OrderConstraint& written) {
  if (!first.clone) return 0;
  if (first.clone->minimum > 0) return first.clone->minimum;
  return written.require_all.value_or(true) ? 0 : 1;
}

// ---- two resources --------------------------------------------------------------------------------------------------

void order_resources(Board& board, const cib::OrderConstraint& written, ResourceId first, ResourceId then) {
  const Kind kind = kind_of(written.kind, written.score);
  const Symmetry symmetry = symmetry_of(written.symmetrical, kind);
  const std::string before = written.first_action.empty() ? "start" : written.first_action;
  const std::string after = written.then_action.empty() ? before : written.then_action;
  // The dependent's deprecated meta-attribute `restart-type` makes an optional order one that restarts.
  const auto restart = board.resource(then).meta.find("restart-type");
  const bool restarts =
      kind == Kind::optional && restart != board.resource(then).meta.end() && restart->second == "restart";
  const OrderFlags flags = flags_of(kind, before, symmetry) | (restarts ? order_implies_then : order_none);
  const int needed = instances_needed(board.resource(first), written);
  if (needed > 0) {
    const ActionId threshold = make_threshold(board, "clone-one-or-more:" + written.id, needed);
    for (const ResourceId instance : board.resource(first).children)
      before_threshold(board, instance, before, threshold);
    after_threshold(board, threshold, then, after, flags);
  } else {
    order_tasks_of(board, first, before, then, after, flags);
  }
  if (symmetry != Symmetry::symmetric) return;
  order_tasks_of(board, then, inverse_of(after), first, inverse_of(before),
                 flags_of(kind, inverse_of(after), Symmetry::inverse) | (restarts ? order_implies_first : order_none));
}

// ---- sets -----------------------------------------------------------------------------------------------------------

struct Set {
  std::vector<ResourceId> members;
  std::string id, action;
  bool sequential = true, require_all = true;
  bool by_ends = false;  ///< `sequential` is written: other sets are ordered with its ends, not with each member
};

Set set_of(const cib::ResourceSet& written, const SetMembers& members) {
  return {members.ids,
          written.id,
          written.action.empty() ? "start" : written.action,
          written.sequential.value_or(true),
          written.require_all.value_or(true),
          written.sequential.value_or(false)};
}

void order_inside(Board& board, const Set& set, Kind kind, Symmetry symmetry) {
  const std::vector<ResourceId>& members = set.members;
  const OrderFlags flags = flags_of(kind, set.action, symmetry);
  for (std::size_t i = 0; kind == Kind::serialize && i < members.size(); ++i)
    for (std::size_t j = i + 1; j < members.size(); ++j)
      order_tasks_of(board, members[i], set.action, members[j], set.action, flags);
  if (kind == Kind::serialize || !set.sequential) return;
  for (std::size_t i = 1; i < members.size(); ++i)
    order_tasks_of(board, members[i - 1], set.action, members[i], set.action, flags);
  if (symmetry == Symmetry::asymmetric) return;
  const std::string back = inverse_of(set.action);
  for (std::size_t i = 1; i < members.size(); ++i)
    order_tasks_of(board, members[i], back, members[i - 1], back, flags_of(kind, back, Symmetry::inverse));
}

void order_sets(Board& board, Set first, Set then, Kind kind, Symmetry symmetry) {
  if (first.members.empty() || then.members.empty()) return;
  const bool inverse = symmetry == Symmetry::inverse;
  if (inverse) {
    first.action = inverse_of(first.action);
    then.action = inverse_of(then.action);
  }
  // Pacemaker 2.1 looks at the later action, also when it asks whether the earlier one must be possible.
  const OrderFlags flags = flags_of(kind, then.action, symmetry);
  const bool begins = first.action != "stop" && first.action != "demote";
  if (!first.require_all && begins) {
    const ActionId threshold = make_threshold(board, "one-or-more:" + first.id, 1);
    for (const ResourceId each : first.members) before_threshold(board, each, first.action, threshold);
    for (const ResourceId each : then.members) after_threshold(board, threshold, each, then.action, flags);
    return;
  }
  if (first.by_ends) first.members = {inverse ? first.members.front() : first.members.back()};
  if (then.by_ends) then.members = {inverse ? then.members.back() : then.members.front()};
  for (const ResourceId before : first.members)
    for (const ResourceId after : then.members) order_tasks_of(board, before, first.action, after, then.action, flags);
}

void read_order_sets(Board& board, const cib::OrderConstraint& written) {
  const Kind kind = kind_of(written.kind, written.score);
  const Symmetry symmetry = symmetry_of(written.symmetrical, kind);
  std::optional<Set> last;
  const std::vector<SetMembers> members = members_of_sets(board, written.sets, written.id);
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (!members[i].complete) return;
    const Set set = set_of(written.sets[i], members[i]);
    order_inside(board, set, kind, symmetry);
    if (last) order_sets(board, *last, set, kind, symmetry);
    if (last && symmetry == Symmetry::symmetric) order_sets(board, set, *last, kind, Symmetry::inverse);
    last = set;
  }
}

}  // namespace

void read_order(Board& board, const cib::OrderConstraint& written) {
  if (!written.sets.empty()) return read_order_sets(board, written);
  for (const ResourceId first : resources_named(board, written.first, written.id))
    for (const ResourceId then : resources_named(board, written.then, written.id))
      order_resources(board, written, first, then);
}

}  // namespace bascule::policy::detail
