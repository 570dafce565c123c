#include <algorithm>
#include <string_view>

#include "core/policy/detail/history.h"
#include "core/policy/running.h"

/// What a recorded migration says about where a resource is now: migrate_to on the source, migrate_from on the target,
/// a stop on the source; and either side's history may have been cleared, or have gone on, since.
namespace bascule::policy::detail {
namespace {

struct Migration {
  NodeId source = kNone;
  NodeId target = kNone;
  const cib::OperationResult* to = nullptr;    ///< migrate_to, on the source
  const cib::OperationResult* from = nullptr;  ///< migrate_from, on the target
};

const cib::ResourceHistory* history_on(const Board& board, NodeId node, const std::string& id) {
  const cib::NodeState* state = board.node(node).state;
  if (state == nullptr) return nullptr;
  for (const cib::ResourceHistory& history : state->resources)
    if (history.id == id) return &history;
  return nullptr;
}

bool succeeded(const cib::OperationResult& result) { return result.rc == 0 && result.status == Outcome::done; }

const cib::OperationResult* find_from(const Board& board, const Resource& resource, const Migration& migration) {
  const cib::ResourceHistory* history = history_on(board, migration.target, resource.id);
  if (history == nullptr) return nullptr;
  for (const cib::OperationResult& each : history->operations)
    if (each.operation == "migrate_from" && each.migrate_source == board.node(migration.source).name) return &each;
  return nullptr;
}

const cib::OperationResult* find_to(const Board& board, const Resource& resource, const Migration& migration) {
  const cib::ResourceHistory* history = history_on(board, migration.source, resource.id);
  if (history == nullptr) return nullptr;
  for (const cib::OperationResult& each : history->operations)
    if (each.operation == "migrate_to" && each.migrate_target == board.node(migration.target).name) return &each;
  return nullptr;
}

/// Nothing but results that nobody knows yet: it will be probed there.
bool unknown_on(const Board& board, const Resource& resource, NodeId node) {
  constexpr int ocf_unknown = 193;
  const cib::ResourceHistory* history = history_on(board, node, resource.id);
  return history == nullptr || std::all_of(history->operations.begin(), history->operations.end(),
                                           [](const cib::OperationResult& each) { return each.rc == ocf_unknown; });
}

bool acts_after(const Board& board, const Resource& resource, NodeId node, const cib::OperationResult& since,
                bool same_node) {
  const cib::ResourceHistory* history = history_on(board, node, resource.id);
  if (history == nullptr) return false;
  return std::any_of(history->operations.begin(), history->operations.end(), [&](const cib::OperationResult& each) {
    const bool acts = each.operation == "start" || each.operation == "stop" || each.operation == "migrate_to" ||
                      each.operation == "migrate_from";
    return &each != &since && acts && later_than(each, since, same_node);
  });
}

bool found_stopped_after(const Board& board, const Resource& resource, NodeId node, const cib::OperationResult& since,
                         bool same_node) {
  const cib::ResourceHistory* history = history_on(board, node, resource.id);
  if (history == nullptr) return false;
  const auto is_monitor = [](const cib::OperationResult& each) { return each.operation == "monitor"; };
  const auto found_stopped = [&](const cib::OperationResult& each) {
    return is_monitor(each) && each.rc == 7 && each.status == Outcome::done && later_than(each, since, same_node);
  };
  const auto& results = history->operations;
  // Where there are several Pacemaker looks at none (README, "Faults").
  if (board.snapshot.with_faults && std::count_if(results.begin(), results.end(), is_monitor) > 1) return false;
  return std::any_of(results.begin(), results.end(), found_stopped);
}

/// Something on the node is newer than the migration. Compared with its result there, if one is: call ids of one node
/// are more to be relied on than times of two.
bool newer_state(const Board& board, const Resource& resource, NodeId node, const Migration& migration) {
  const cib::OperationResult* here = node == migration.target ? migration.from : migration.to;
  const cib::OperationResult* there = node == migration.target ? migration.to : migration.from;
  const cib::OperationResult* since = here != nullptr ? here : there;
  if (since == nullptr) return false;
  return acts_after(board, resource, node, *since, here != nullptr) ||
         found_stopped_after(board, resource, node, *since, here != nullptr);
}

void recover_fully(Resource& resource) {
  resource.failed = resource.must_stop = true;
  resource.allow_migrate = false;
}

Migration of(const Board& board, const Outcome& outcome) {
  Migration migration;
  migration.source = board.find_node(outcome.result->migrate_source);
  migration.target = board.find_node(outcome.result->migrate_target);
  return migration;
}

bool online(const Board& board, NodeId node) { return node != kNone && board.node(node).online; }

/// migrate_from is under way, was erased, or is still to come.
void half_done(Board& board, ResourceId id, const Migration& migration, bool on_target, bool source_went_on) {
  if (online(board, migration.target) && unknown_on(board, board.resource(id), migration.target)) return;
  if (!on_target) {
    if (!source_went_on) recover_fully(board.resource(id));
    return;
  }
  add_running(board, id, migration.target, false);
  if (!online(board, migration.source)) return;
  board.resource(id).migration_source = migration.source;
  board.resource(id).migration_target = migration.target;
}

void migrate_to_failed(Board& board, History& history, Migration migration, const Outcome& outcome) {
  const Resource& resource = board.resource(history.resource);
  migration.to = outcome.result;
  migration.from = find_from(board, resource, migration);
  if (migration.from != nullptr && !succeeded(*migration.from)) migration.from = nullptr;
  if (!unknown_on(board, resource, migration.target) && !newer_state(board, resource, migration.target, migration)) {
    if (online(board, migration.target)) add_running(board, history.resource, migration.target, false);
  } else if (!acts_after(board, resource, migration.source, *outcome.result, true)) {
    board.resource(history.resource).dangling_migrations.push_back(history.node);
  }
}

void migrate_from_failed(Board& board, History& history, Migration migration, const Outcome& outcome) {
  const Resource& resource = board.resource(history.resource);
  migration.from = outcome.result;
  migration.to = find_to(board, resource, migration);
  if (migration.to != nullptr && !succeeded(*migration.to)) migration.to = nullptr;
  if (unknown_on(board, resource, migration.source) || newer_state(board, resource, migration.source, migration))
    return;
  if (online(board, migration.source)) add_running(board, history.resource, migration.source, true);
}

}  // namespace

void migrated_away(Board& board, History& history, const Outcome& outcome) {
  Migration migration = of(board, outcome);
  if (migration.source == kNone || migration.target == kNone) return;
  Resource& resource = board.resource(history.resource);
  migration.to = outcome.result;
  migration.from = find_from(board, resource, migration);
  const bool source_went_on = acts_after(board, resource, migration.source, *outcome.result, true);
  if (migration.from != nullptr && source_went_on) return;
  const bool target_went_on = newer_state(board, resource, migration.target, migration);
  if (source_went_on && target_went_on) return;
  if (migration.from != nullptr && succeeded(*migration.from)) {
    resource.role = Role::Stopped;
    resource.dangling_migrations.push_back(history.node);
    return;
  }
  resource.role = Role::Started;
  const bool on_target = !target_went_on && online(board, migration.target);
  if (migration.from == nullptr || migration.from->status == Outcome::pending)
    return half_done(board, history.resource, migration, on_target, source_went_on);
  if (on_target)
    add_running(board, history.resource, migration.target, true);
  else
    recover_fully(resource);
}

void migration_failed(Board& board, History& history, const Outcome& outcome) {
  const Migration migration = of(board, outcome);
  board.resource(history.resource).role = Role::Started;
  if (migration.source == kNone || migration.target == kNone) return;
  if (outcome.result->operation == "migrate_to")
    migrate_to_failed(board, history, migration, outcome);
  else
    migrate_from_failed(board, history, migration, outcome);
}

}  // namespace bascule::policy::detail
