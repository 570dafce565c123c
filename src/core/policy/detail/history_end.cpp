#include <algorithm>
#include <string>

#include "core/policy/detail/bundle.h"
#include "core/policy/detail/changes.h"
#include "core/policy/detail/failures.h"
#include "core/policy/detail/history.h"
#include "core/policy/detail/make_action.h"
#include "core/policy/detail/steps.h"
#include "core/policy/operations.h"
#include "core/policy/running.h"

namespace bascule::policy::detail {
namespace {

bool runs(Role role) { return role != Role::Stopped && role != Role::Unknown; }

// ---- migration --------------------------------------------------------------------------------------------------

const cib::OperationResult* last_result(const Board& board, NodeId node, const Resource& resource,
                                        std::string_view task) {
  const cib::NodeState* state = board.node(node).state;
  const cib::OperationResult* found = nullptr;
  if (state == nullptr) return nullptr;
  for (const cib::ResourceHistory& history : state->resources) {
    if (history.id != resource.id && history.id != resource.history_id) continue;
    for (const cib::OperationResult& each : history.operations)
      if (each.operation == task && (found == nullptr || later_than(each, *found))) found = &each;
  }
  return found;
}

bool stopped_since(const Board& board, NodeId node, const Resource& resource, const cib::OperationResult& since) {
  const cib::OperationResult* stop = last_result(board, node, resource, "stop");
  return stop != nullptr && stop->status == Outcome::done && stop->rc == 0 && later_than(*stop, since);
}

// ---- the worst failure --------------------------------------------------------------------------------------------

void note_lost(Board& board, const History& history) {
  Resource& resource = board.resource(history.resource);
  Node& node = board.node(history.node);
  if (resource.role <= Role::Stopped || node.online || node.maintenance || !resource.managed) return;
  if (node.is_guest()) {
    resource.failed = resource.must_stop = true;
    return fence_node(board, history.node, resource.id + " is thought to be active there");
  }
  if (!board.properties.fencing) return;
  if (node.is_remote() && node.connection != kNone && !board.resource(node.connection).failed) node.unseen = true;
  fence_node(board, history.node, resource.id + " is thought to be active there");
}

void restart_container(Board& board, const History& history) {
  Resource& resource = board.resource(history.resource);
  resource.failed = resource.must_stop = true;
  if (resource.container != kNone && bundled(board, history.resource)) {
    board.stops_needed.emplace_back(resource.container, kNone);
  } else if (resource.container != kNone) {
    require_stop(board, resource.container, history.node);
  } else if (runs(resource.role)) {
    require_stop(board, history.resource, history.node);
  }
}

void apply_failure(Board& board, const History& history, OnFail on_fail) {
  Resource& resource = board.resource(history.resource);
  Node& node = board.node(history.node);
  switch (on_fail) {
    case OnFail::ignore:
    case OnFail::none:
      return;
    case OnFail::demote:
      resource.failed = true;
      require_demote(board, history.resource, history.node);
      return;
    case OnFail::fence:
      return fence_node(board, history.node, resource.id + " failed there");
    case OnFail::standby:
      node.standby = node.standby_on_fail = true;
      return;
    case OnFail::block:
      resource.managed = false;
      resource.blocked = true;
      return;
    case OnFail::migrate:
      return ban(board, history.resource, history.node, "on-fail=migrate");
    case OnFail::stop:
      resource.next_role = Role::Stopped;
      return;
    case OnFail::recover:
      if (!runs(resource.role)) return;
      resource.failed = true;
      return require_stop(board, history.resource, history.node);
    case OnFail::restart_container:
      return restart_container(board, history);
    case OnFail::reset_remote:
      resource.failed = resource.must_stop = true;
      if (board.properties.fencing && resource.remote_node != kNone && resource.container == kNone &&
          !board.node(resource.remote_node).remote_was_fenced)
        fence_node(board, resource.remote_node, "remote connection is unrecoverable");
      if (runs(resource.role)) require_stop(board, history.resource, history.node);
      if (board.resource(history.resource).reconnect_ms > 0) board.resource(history.resource).next_role = Role::Stopped;
      return;
  }
}

void note_known(Board& board, const History& history) {
  for (ResourceId id = history.resource; id != kNone; id = board.resource(id).parent) {
    auto& known = board.resource(id).known_on;
    if (std::find(known.begin(), known.end(), history.node) == known.end()) known.push_back(history.node);
    if (board.resource(id).unique) break;
  }
}

}  // namespace

bool expired(Board& board, const History& history, const Outcome& outcome) {
  const cib::OperationResult& result = *outcome.result;
  const std::int64_t timeout_s = board.resource(history.resource).failure_timeout_s;
  bool old = false;
  if (timeout_s > 0 && result.last_change_s > 0) {
    old = board.snapshot.now_s >= result.last_change_s + timeout_s;
    const FailCount fresh = fail_count(board, history.resource, history.node, true);
    const FailCount all = fail_count(board, history.resource, history.node, false);
    if (board.resource(history.resource).failure_timeout_s == 0) old = false;  // a blocking failure stays
    if (old && all.count > 0 && fresh.count > 0) old = false;
    if (old && all.count > 0) clear_fail_count(board, history.resource, history.node, "it expired");
  }
  const bool last_failure = result.id.size() > 15 && result.id.rfind("_last_failure_0") == result.id.size() - 15;
  if (!old && last_failure && parameters_changed(board, history.resource, history.node, result))
    clear_fail_count(board, history.resource, history.node, "resource parameters have changed");
  const bool probe = result.operation == "monitor" && result.interval_ms == 0;
  const bool a_state = outcome.rc == 0 || outcome.rc == 7 || outcome.rc == 8 || outcome.rc == 190 || outcome.rc == 191;
  return old && !(probe && a_state);
}

void migrated_away(Board& board, History& history, const Outcome& outcome) {
  const NodeId source = board.find_node(outcome.result->migrate_source);
  const NodeId target = board.find_node(outcome.result->migrate_target);
  Resource& resource = board.resource(history.resource);
  resource.role = Role::Started;
  if (source == kNone || target == kNone) return;
  if (stopped_since(board, source, resource, *outcome.result)) return;
  const cib::OperationResult* arrived = last_result(board, target, resource, "migrate_from");
  const bool pending = arrived == nullptr || arrived->status == Outcome::pending;
  if (!pending && arrived->status == Outcome::done && arrived->rc == 0) {
    resource.dangling_migrations.push_back(source);
    resource.role = Role::Stopped;
    return;
  }
  if (!board.node(target).online) {
    resource.failed = true;
    resource.allow_migrate = false;
    return;
  }
  if (!pending) return add_running(board, history.resource, target, true);
  add_running(board, history.resource, target, false);
  if (!board.node(source).online) return;
  board.resource(history.resource).migration_source = source;
  board.resource(history.resource).migration_target = target;
}

void migration_failed(Board& board, History& history, const Outcome& outcome) {
  const NodeId source = board.find_node(outcome.result->migrate_source);
  const NodeId target = board.find_node(outcome.result->migrate_target);
  Resource& resource = board.resource(history.resource);
  resource.role = Role::Started;
  if (source == kNone || target == kNone) return;
  // Where it is now nobody knows: it counts as active on the other side as well, unless that one says otherwise.
  const bool to = outcome.result->operation == "migrate_to";
  const NodeId other = to ? target : source;
  const cib::OperationResult* there = last_result(board, other, resource, to ? "migrate_from" : "migrate_to");
  if (to && there == nullptr && last_result(board, target, resource, "stop") == nullptr) {
    if (board.node(target).online) add_running(board, history.resource, target, true);
  } else if (!to && there != nullptr && !stopped_since(board, source, resource, *there) && board.node(source).online) {
    add_running(board, history.resource, source, true);
  }
}

void remember_recurring(Board& board, const History& history) {
  if (!board.node(history.node).online) return;
  std::size_t since = 0;
  for (std::size_t i = 0; i < history.results.size(); ++i) {
    const cib::OperationResult& each = *history.results[i];
    const bool begins = each.operation == "start" || each.operation == "migrate_from" || each.operation == "promote" ||
                        each.operation == "demote";
    if (each.operation == "stop" || begins) since = begins ? i : i + 1;
  }
  for (std::size_t i = since; i < history.results.size(); ++i) {
    const cib::OperationResult& each = *history.results[i];
    if (each.interval_ms == 0 || each.status == Outcome::pending) continue;
    make_action(board, history.resource,
                operation_key(board.resource(history.resource).id, each.operation, each.interval_ms), each.operation,
                history.node, true);
  }
}

void settle(Board& board, History& history) {
  const ResourceId id = history.resource;
  if (board.resource(id).role != Role::Unknown) note_known(board, history);
  note_lost(board, history);
  // Once its node is fenced it may start again.
  const OnFail on_fail = board.node(history.node).unclean ? OnFail::ignore : history.on_fail;
  apply_failure(board, history, on_fail);
  Resource& resource = board.resource(id);
  if (resource.failed && resource.remote_node != kNone && board.node(resource.remote_node).unclean)
    board.node(resource.remote_node).unseen = false;
  if (runs(resource.role)) {
    add_running(board, id, history.node, history.on_fail != OnFail::ignore);
    if (on_fail == OnFail::demote || on_fail == OnFail::block) board.resource(id).failed = true;
  } else {
    for (const ActionId action : board.resource(id).actions)
      if (board.action(action).task == "stop" && board.action(action).node == history.node)
        board.action(action).optional = true;
  }
  Resource& after = board.resource(id);
  if (after.role == Role::Stopped && after.migration_source == history.node && after.migration_target != kNone)
    after.role = Role::Started;
}

}  // namespace bascule::policy::detail
