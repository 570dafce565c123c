// Reads the recorded operations of a resource on a node, from the oldest to the newest.
#include "core/policy/detail/history.h"

#include <algorithm>
#include <charconv>

#include "core/policy/detail/assign.h"
#include "core/policy/detail/bundle.h"
#include "core/policy/detail/changes.h"
#include "core/policy/detail/failures.h"
#include "core/policy/detail/find_resource.h"
#include "core/policy/detail/make_action.h"
#include "core/policy/detail/remote_nodes.h"
#include "core/policy/detail/shutdown_lock.h"
#include "core/policy/detail/steps.h"
#include "core/policy/operations.h"
#include "core/policy/running.h"

namespace bascule::policy::detail {
namespace {

// Exit codes of the OCF agent API.
constexpr int ocf_ok = 0, ocf_invalid = 2, ocf_unimplemented = 3, ocf_permission = 4, ocf_not_installed = 5,
              ocf_not_configured = 6, ocf_not_running = 7, ocf_promoted = 8, ocf_failed_promoted = 9,
              ocf_degraded = 190, ocf_degraded_promoted = 191;

int expected_of(const cib::OperationResult& result) {
  const std::string& key = result.transition_key;  // action:graph:target-rc:uuid
  std::size_t at = key.find(':');
  if (at != std::string::npos) at = key.find(':', at + 1);
  int expected = -1;
  if (at != std::string::npos) std::from_chars(key.data() + at + 1, key.data() + key.size(), expected);
  return expected;
}

bool is_probe(const Outcome& outcome) {
  return outcome.result->operation == "monitor" && outcome.result->interval_ms == 0;
}

void set_active(Board& board, ResourceId id) {
  const ResourceId top = board.top_of(id);
  board.resource(id).role = board.resource(top).promotable() ? Role::Unpromoted : Role::Started;
}

// ---- what a result means ----------------------------------------------------------------------------------------

/// What could not be stopped, and cannot be fenced, is left as it is.
void block_if_unrecoverable(Board& board, const History& history, const Outcome& outcome) {
  if (outcome.result->operation != "stop" || can_fence(board, history.node)) return;
  board.resource(history.resource).managed = false;
  board.resource(history.resource).blocked = true;
}

void judge_by_rc(Board& board, const History& history, Outcome& outcome, bool expired) {
  Resource& resource = board.resource(history.resource);
  const bool as_expected = outcome.rc == outcome.expected;
  switch (outcome.rc) {
    case ocf_ok:
      if (is_probe(outcome) && outcome.expected == ocf_not_running) outcome.status = Outcome::done;
      break;
    case ocf_not_running:
      if (is_probe(outcome) || as_expected || !resource.managed) {
        outcome.status = Outcome::done;
        resource.role = Role::Stopped;
        outcome.on_fail_cleared = true;
        resource.next_role = Role::Unknown;
      }
      break;
    case ocf_promoted:
      if (is_probe(outcome) && !as_expected) outcome.status = Outcome::done;
      if (!expired || as_expected) resource.role = Role::Promoted;
      break;
    case ocf_failed_promoted:
      if (!expired) resource.role = Role::Promoted;
      outcome.status = Outcome::error;
      break;
    case ocf_not_configured:
      outcome.status = Outcome::error_fatal;
      break;
    case ocf_unimplemented:
      if (outcome.result->interval_ms > 0) {
        outcome.status = Outcome::not_supported;
        break;
      }
      [[fallthrough]];
    case ocf_invalid:
    case ocf_permission:
    case ocf_not_installed:
      block_if_unrecoverable(board, history, outcome);
      outcome.status = Outcome::error_hard;
      break;
    default:
      if (outcome.status == Outcome::done)
        outcome.status = outcome.rc == 1 || !as_expected ? Outcome::error : outcome.status;
  }
}

/// A probe where the resource is not even installed says no more than that it does not run there; not so in a bundle,
/// where it would have to be.
bool masked(const Board& board, const History& history, const Outcome& outcome) {
  if (!is_probe(outcome) || bundled(board, history.resource)) return false;
  return outcome.result->rc == ocf_not_installed || outcome.result->rc == ocf_invalid ||
         outcome.result->status == Outcome::not_installed;
}

/// The executor's status is final unless it is done or error: then the exit code against the expected one decides.
void interpret(Board& board, const History& history, Outcome& outcome, bool expired) {
  if (!expired && masked(board, history, outcome)) {
    outcome.status = Outcome::done;
    outcome.rc = ocf_not_running;
  }
  if (outcome.rc == ocf_degraded) outcome.rc = ocf_ok;
  if (outcome.rc == ocf_degraded_promoted) outcome.rc = ocf_promoted;
  if (outcome.status != Outcome::done && outcome.status != Outcome::error) return;
  if (outcome.expected < 0) {
    if (outcome.status == Outcome::done && outcome.rc != ocf_ok && outcome.rc != ocf_not_running &&
        outcome.rc != ocf_promoted)
      outcome.status = Outcome::error;
  } else {
    outcome.status = outcome.rc == outcome.expected ? Outcome::done : Outcome::error;
  }
  judge_by_rc(board, history, outcome, expired);
}

// ---- success ----------------------------------------------------------------------------------------------------

void forgive(Board& board, History& history) {
  switch (history.on_fail) {
    case OnFail::stop:
    case OnFail::fence:
    case OnFail::migrate:
    case OnFail::standby:
      return;  // only a person clears it
    case OnFail::reset_remote:
      // With a delay the connection stays down until the failure has expired.
      if (board.resource(history.resource).reconnect_ms != 0) return;
      [[fallthrough]];
    default:
      history.on_fail = OnFail::ignore;
      board.resource(history.resource).next_role = Role::Unknown;
  }
}

void take_success(Board& board, History& history, const Outcome& outcome, int rc) {
  Resource& resource = board.resource(history.resource);
  const std::string& task = outcome.result->operation;
  bool forgiven = false;
  if (rc == ocf_not_installed) {
    resource.role = Role::Stopped;
  } else if (rc == ocf_not_running) {
    forgiven = true;
  } else if (task == "monitor") {
    forgiven = history.last_failure != nullptr && history.last_failure->operation_key == outcome.result->operation_key;
    if (resource.role < Role::Started) set_active(board, history.resource);
  } else if (task == "start" || task == "migrate_from") {
    resource.role = Role::Started;
    forgiven = true;
  } else if (task == "stop") {
    resource.role = Role::Stopped;
    forgiven = true;
  } else if (task == "promote") {
    resource.role = Role::Promoted;
    forgiven = true;
  } else if (task == "demote") {
    forgiven = history.on_fail == OnFail::demote;
    resource.role = Role::Unpromoted;
  } else if (task == "migrate_to") {
    migrated_away(board, history, outcome);
  } else if (resource.role < Role::Started) {
    set_active(board, history.resource);
  }
  if (forgiven) forgive(board, history);
}

// ---- failure ----------------------------------------------------------------------------------------------------

void role_after_failure(Board& board, const History& history, const Outcome& outcome, OnFail on_fail) {
  Resource& resource = board.resource(history.resource);
  const std::string& task = outcome.result->operation;
  if (task == "promote") {
    resource.role = Role::Promoted;
  } else if (task == "demote") {
    if (on_fail == OnFail::block) {
      resource.role = Role::Promoted;
      resource.next_role = Role::Stopped;
    } else {
      resource.role = outcome.rc == ocf_not_running ? Role::Stopped : Role::Unpromoted;
    }
  }
  if (is_probe(outcome) && outcome.rc == ocf_not_installed)
    resource.role = Role::Stopped;
  else if (resource.role < Role::Started)
    set_active(board, history.resource);
}

ResourceId whole(const Board& board, ResourceId id) {
  const ResourceId top = board.top_of(id);
  const bool anonymous = board.resource(top).variant == Variant::clone && !board.resource(top).unique;
  return anonymous && !board.resource(id).unique ? top : id;
}

void take_failure(Board& board, History& history, const Outcome& outcome) {
  const std::string& task = outcome.result->operation;
  history.last_failure = outcome.result;
  Resource& resource = board.resource(history.resource);
  const cib::Operation* definition = find_operation(resource, task, outcome.result->interval_ms, true);
  const OnFail on_fail = on_fail_of(board, resource, task, outcome.result->interval_ms, definition);
  if (worse(on_fail, history.on_fail)) history.on_fail = on_fail;
  if (task == "stop") ban(board, history.resource, history.node, "a stop failed there");
  if (task == "migrate_to" || task == "migrate_from") migration_failed(board, history, outcome);
  role_after_failure(board, history, outcome, on_fail);
  // With a delay a lost connection stays down until its failure has expired.
  const bool waits = on_fail == OnFail::reset_remote && resource.reconnect_ms != 0;
  const Role fail_role = waits ? Role::Stopped : fail_role_of(on_fail, task);
  if (fail_role != Role::Started && resource.next_role < fail_role) resource.next_role = fail_role;
  if (fail_role == Role::Stopped) ban_everywhere(board, whole(board, history.resource), "on-fail=stop");
}

void take_error(Board& board, History& history, const Outcome& outcome) {
  Resource& resource = board.resource(history.resource);
  const std::string& task = outcome.result->operation;
  const cib::Operation* definition = find_operation(resource, task, outcome.result->interval_ms, true);
  const OnFail on_fail = on_fail_of(board, resource, task, outcome.result->interval_ms, definition);
  if (on_fail == OnFail::ignore || (on_fail == OnFail::restart_container && task == "stop")) {
    take_success(board, history, outcome, outcome.expected);
    resource.failure_ignored = true;
    if (on_fail == OnFail::restart_container && !worse(history.on_fail, OnFail::recover)) history.on_fail = on_fail;
    return;
  }
  take_failure(board, history, outcome);
  if (outcome.status == Outcome::error_hard) ban(board, whole(board, history.resource), history.node, "hard error");
  if (outcome.status == Outcome::error_fatal) ban_everywhere(board, whole(board, history.resource), "fatal error");
}

// ---- pending ----------------------------------------------------------------------------------------------------

void take_pending(Board& board, const History& history, const Outcome& outcome) {
  Resource& resource = board.resource(history.resource);
  const std::string& task = outcome.result->operation;
  if (task == "start") {
    resource.start_pending = true;
    set_active(board, history.resource);
  } else if (task == "promote") {
    resource.role = Role::Promoted;
  } else if (task == "migrate_to" && board.node(history.node).unclean) {
    const NodeId target = board.find_node(outcome.result->migrate_target);
    if (target != kNone) require_stop(board, history.resource, target);
  }
  if (!resource.pending_task.empty() || is_probe(outcome)) return;
  resource.pending_task = task;
  resource.pending_node = history.node;
}

// ---- one result -------------------------------------------------------------------------------------------------

bool old_failure(Board& board, const History& history, const Outcome& outcome) {
  return outcome.status != Outcome::not_installed && expired(board, history, outcome);
}

/// It is not there, and cannot be: the failure is shown, but nothing has to be recovered.
void mask(Board& board, const History& history, const cib::OperationResult& result) {
  if (board.node(history.node).online)
    board.failed_probes.push_back({history.node, board.resource(history.resource).history_id, result.rc});
  ban(board, whole(board, history.resource), history.node, "it cannot run there");
}

OnFail configured_on_fail(const Board& board, const History& history, const Outcome& outcome) {
  const Resource& resource = board.resource(history.resource);
  const cib::OperationResult& result = *outcome.result;
  const cib::Operation* definition = find_operation(resource, result.operation, result.interval_ms, true);
  return on_fail_of(board, resource, result.operation, result.interval_ms, definition);
}

void take(Board& board, History& history, const cib::OperationResult& result) {
  if (result.operation == "notify" || result.operation == "meta-data" || result.status == Outcome::cancelled) return;
  Outcome outcome{&result, result.status, result.rc, expected_of(result)};
  const bool is_old = old_failure(board, history, outcome);
  interpret(board, history, outcome, is_old);
  if (outcome.on_fail_cleared) history.on_fail = OnFail::ignore;
  if (is_old && result.rc != outcome.expected) {
    const Node& node = board.node(history.node);
    if (result.interval_ms == 0) return;
    if (node.online && !node.unclean) return board.rescheduled.push_back(&result);
  }
  if (masked(board, history, outcome)) return mask(board, history, result);
  switch (outcome.status) {
    case Outcome::pending:
      return take_pending(board, history, outcome);
    case Outcome::done:
      return take_success(board, history, outcome, outcome.rc);
    case Outcome::not_installed:
      // That cannot be ignored.
      if (configured_on_fail(board, history, outcome) == OnFail::ignore) history.on_fail = OnFail::migrate;
      ban(board, whole(board, history.resource), history.node, "not installed there");
      return take_failure(board, history, outcome);
    default:
      return take_error(board, history, outcome);
  }
}

// ---- the end of a history ---------------------------------------------------------------------------------------

void apply_target_role(Resource& resource) {
  if (!resource.target_role) return;
  if (resource.next_role == Role::Unknown || *resource.target_role < resource.next_role)
    resource.next_role = *resource.target_role;
}

void read_history(Board& board, NodeId node, const cib::ResourceHistory& written) {
  const bool locked = board.properties.shutdown_lock && written.shutdown_lock_s != 0;
  if (written.operations.empty() && !locked) return;
  const ResourceId id = find_for_history(board, node, written);
  if (id == kNone) return;
  if (locked) read_shutdown_lock(board, id, node, written);
  History history{id, node, OnFail::ignore, nullptr, in_order(written)};
  const Role saved = board.resource(id).role;
  board.resource(id).role = Role::Unknown;
  for (const cib::OperationResult* result : history.results) take(board, history, *result);
  remember_recurring(board, history);
  settle(board, history);
  apply_target_role(board.resource(id));
  board.resource(id).role = std::max(board.resource(id).role, saved);
}

/// What stands in the history of a node that is down runs there until it was fenced.
bool readable(const Board& board, NodeId id, bool whatever) {
  const Node& node = board.node(id);
  if (whatever) return true;
  if (node.is_remote()) return remote_history_readable(board, id);
  return node.online || board.properties.fencing || board.properties.shutdown_lock;
}

void read_node(Board& board, NodeId id) {
  Node& node = board.node(id);
  node.history_unpacked = true;
  if (node.is_remote()) {
    judge_remote_node(board, id);
    take_remote_state(board, id);
  }
  const cib::NodeState& state = *node.state;
  for (const cib::ResourceHistory& history : state.resources) read_history(board, id, history);
  for (const cib::ResourceHistory& history : state.resources) join_container(board, history);
}

}  // namespace

namespace {

/// One history that can be read now, in the order of the status section; others may depend on it.
bool read_next(Board& board, bool whatever) {
  for (const cib::NodeState& state : board.snapshot.cib->node_states) {
    const NodeId id = board.find_node(state.name.empty() ? state.id : state.name);
    if (id == kNone || board.node(id).history_unpacked) continue;
    board.node(id).state = &state;  // an orphaned connection's node is known only now
    if (!readable(board, id, whatever)) continue;
    read_node(board, id);
    return true;
  }
  return false;
}

}  // namespace

void read_histories(Board& board) {
  while (read_next(board, false)) {
  }
  while (board.properties.fencing && read_next(board, true)) {
  }
  // Containers whose connection failed stop where they run, which is known only now.
  for (const auto& [container, node] : board.stops_needed) {
    const NodeId current = node == kNone ? current_node(board, container) : node;
    if (current != kNone) require_stop(board, container, current);
  }
  finish_remote_nodes(board);
}

}  // namespace bascule::policy::detail
