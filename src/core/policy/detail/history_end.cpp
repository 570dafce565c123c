// What the end of a resource's history means: which outcome counts, what is pending, what has expired.
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
  const bool may_return = node.is_remote() && node.connection != kNone && !board.resource(node.connection).failed;
  if (may_return) node.unseen = true;
  fence_node(board, history.node,
             resource.id + (may_return ? " is active there (fencing will be revoked if remote connection can be "
                                         "re-established elsewhere)"
                                       : " is thought to be active there"));
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
      resource.failed = resource.must_stop = true;
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

/// What failed where it is active stops there, and starts anew, unless less than that is asked for.
void mark_failed(Resource& resource, OnFail on_fail) {
  if (on_fail == OnFail::ignore || on_fail == OnFail::none) return;
  resource.failed = true;
  if (on_fail != OnFail::demote && on_fail != OnFail::block) resource.must_stop = true;
}

void note_known(Board& board, const History& history) {
  for (ResourceId id = history.resource; id != kNone; id = board.resource(id).parent) {
    auto& known = board.resource(id).known_on;
    if (std::find(known.begin(), known.end(), history.node) == known.end()) known.push_back(history.node);
    if (board.resource(id).unique) break;
  }
}

/// The failed monitor of a lost connection counts until its node has been fenced: it would not be reported again.
bool waits_for_fencing(const Board& board, const History& history, const cib::OperationResult& result) {
  const Resource& resource = board.resource(history.resource);
  return resource.reconnect_ms != 0 && board.properties.fencing && result.interval_ms != 0 &&
         result.operation == "monitor" && resource.remote_node != kNone &&
         !board.node(resource.remote_node).remote_was_fenced;
}

}  // namespace

bool expired(Board& board, const History& history, const Outcome& outcome) {
  const cib::OperationResult& result = *outcome.result;
  const bool last_failure = result.id.size() > 15 && result.id.rfind("_last_failure_0") == result.id.size() - 15;
  const std::int64_t timeout_s = board.resource(history.resource).failure_timeout_s;
  bool old = false;
  if (timeout_s > 0 && result.last_change_s > 0) {
    old = board.snapshot.now_s >= result.last_change_s + timeout_s && !waits_for_fencing(board, history, result);
    const FailCount fresh = fail_count(board, history.resource, history.node, true);
    const FailCount all = fail_count(board, history.resource, history.node, false);
    if (board.resource(history.resource).failure_timeout_s == 0) old = false;  // a blocking failure stays
    if (old && all.count > 0 && fresh.count > 0) old = false;
    if (old && all.count > 0) clear_fail_count(board, history.resource, history.node, "it expired");
    if (old && all.count == 0 && last_failure && board.resource(history.resource).reconnect_ms != 0)
      clear_fail_count(board, history.resource, history.node, "reconnect interval is set");
  }
  if (!old && last_failure && parameters_changed(board, history.resource, history.node, result))
    clear_fail_count(board, history.resource, history.node, "resource parameters have changed");
  const bool probe = result.operation == "monitor" && result.interval_ms == 0;
  const bool a_state = outcome.rc == 0 || outcome.rc == 7 || outcome.rc == 8 || outcome.rc == 190 || outcome.rc == 191;
  return old && !(probe && a_state);
}

void remember_recurring(Board& board, const History& history) {
  if (!board.node(history.node).online) return;
  const auto [start, stop] = activity(history.results);
  for (std::size_t i = static_cast<std::size_t>(std::max(start < stop ? stop + 1 : start, std::ptrdiff_t{0}));
       i < history.results.size(); ++i) {
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
    mark_failed(board.resource(id), on_fail);
  } else if (resource.history_id != resource.id && resource.history_id.find(':') != std::string::npos) {
    resource.history_id = resource.id;  // it has no place, so nothing binds it to that number
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
