// Carries a plan out on paper: the status as it would be if each action did what it should.
#include "edge/simulate/execute.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <string>

#include "core/policy/board.h"
#include "core/policy/operations.h"
#include "edge/simulate/firing_order.h"

namespace bascule::simulate {
namespace {

using namespace policy::detail;  // NOLINT: this file carries out what is there
using policy::Role;

// ---- lines ----------------------------------------------------------------------------------------------------------

std::string padded(const std::string& name) {
  return name.size() >= 15 ? name : name + std::string(15 - name.size(), ' ');
}

std::string written_name(const Resource& resource) {
  return resource.unique || resource.definition == nullptr ? resource.id : resource.definition->id;
}

/// An instance too many that is active is meant by the name that its history has.
std::string name_for_cluster(const Resource& resource) {
  const bool too_many =
      resource.orphan && resource.definition != nullptr && !resource.unique && resource.history_id != resource.id;
  return too_many ? resource.history_id : written_name(resource);
}

/// How crm_simulate calls a resource: an instance without identity has its clone's name for it, if some history does.
class Names {
 public:
  explicit Names(const Board& board) {
    for (const Resource& resource : board.resources) known_.insert(resource.history_id);
  }
  [[nodiscard]] std::string of(const Resource& resource) const {
    const std::string name = written_name(resource);
    return known_.contains(name) ? name : resource.unique ? resource.id : resource.history_id;
  }

 private:
  std::set<std::string> known_;
};

std::string line_of(const Board& board, const Names& names, const Action& action) {
  const std::string node = action.node == kNone ? std::string() : board.node(action.node).name;
  if (action.task == "stonith" && action.pseudo) return "Pseudo action:   " + action.key + " on " + node;
  if (action.task == "stonith") return "Fencing " + node + " (" + action.key.substr(action.key.rfind('-') + 1) + ")";
  if (action.pseudo) return "Pseudo action:   " + action.key;
  if (action.resource == kNone) return "Cluster action:  " + action.task + " on " + node;
  if (action.task == "clear_failcount" || action.task == "lrm_delete")
    return "Cluster action:  " + action.task + " for " + name_for_cluster(board.resource(action.resource)) + " on " +
           node;
  std::string task = action.task;
  if (action.interval_ms != 0) task += "=" + std::to_string(action.interval_ms);
  return "Resource action: " + padded(names.of(board.resource(action.resource))) + " " + task + " on " + node;
}

// ---- effects
// ----------------------------------------------------------------------------------------------------------

cib::NodeState& state_of(cib::Cib& cib, const std::string& id, const std::string& name) {
  for (cib::NodeState& state : cib.node_states)
    if (state.name == name || state.id == id) return state;
  cib::NodeState made;
  made.id = id;
  made.name = name;
  return cib.node_states.emplace_back(std::move(made));
}

/// The one under that name, or under the name in the configuration, which a new one gets.
cib::ResourceHistory& history_of(cib::NodeState& state, const Resource& resource, const std::string& name) {
  const std::string written = written_name(resource);
  for (const std::string& each : {name, written})
    for (cib::ResourceHistory& history : state.resources)
      if (history.id == each) return history;
  cib::ResourceHistory made;
  made.id = written;
  made.resource_class = resource.resource_class;
  made.provider = resource.provider;
  made.type = resource.type;
  return state.resources.emplace_back(std::move(made));
}

int result_of(const Board& board, const Action& action) {
  if (action.task != "monitor") return 0;
  const Resource& resource = board.resource(action.resource);
  if (action.interval_ms == 0) {
    const bool there =
        std::find(resource.running_on.begin(), resource.running_on.end(), action.node) != resource.running_on.end();
    return !there ? 7 : resource.role == Role::Promoted ? 8 : 0;
  }
  if (action.definition != nullptr &&
      policy::role_of(cib::value_of(action.definition->attributes, "role")) == Role::Stopped)
    return 7;
  return resource.next_role == Role::Promoted ? 8 : 0;
}

std::string entry_id(const std::string& name, const Action& action) {
  if (action.interval_ms != 0) return operation_key(name, action.task, action.interval_ms);
  if (action.task == "migrate_to" || action.task == "migrate_from") return operation_key(name, action.task, 0);
  return name + "_last_0";
}

class Effects {
 public:
  Effects(const Board& board, const Names& names, cib::Cib& cib) : board_(board), names_(names), cib_(cib) {
    for (const cib::NodeState& state : cib.node_states)
      for (const cib::ResourceHistory& history : state.resources)
        for (const cib::OperationResult& result : history.operations) call_id_ = std::max(call_id_, result.call_id);
  }

  void take(const Action& action) {
    if (action.node == kNone) return;
    const Node& node = board_.node(action.node);
    if (action.task == "stonith" && action.key.ends_with("-on")) return;
    if (action.task == "stonith" && !action.pseudo) return fenced(state_of(cib_, node.id, node.name));
    if (action.resource == kNone || action.pseudo) return;
    const std::string name = names_.of(board_.resource(action.resource));
    // crm_simulate only says these.
    if (action.task == "clear_failcount" || action.task == "lrm_delete" || action.task == "delete") return;
    // A cancellation is recorded like any success: what was stopped before it reads as active again, as crm_simulate
    // has it.
    if (action.task == "notify") return;
    cib::NodeState& state = state_of(cib_, node.id, node.name);
    cib::ResourceHistory& history = history_of(state, board_.resource(action.resource), name);
    record(history, written_name(board_.resource(action.resource)), action);
  }

 private:
  void record(cib::ResourceHistory& history, const std::string& name, const Action& action) {
    cib::OperationResult result;
    result.id = entry_id(name, action);
    result.operation = action.task;
    result.operation_key = operation_key(name, action.task, action.interval_ms);
    result.interval_ms = action.interval_ms;
    result.call_id = ++call_id_;
    result.rc = result_of(board_, action);
    result.transition_key = "0:0:" + std::to_string(result.rc) + ":simulated";
    result.transition_magic = "0:" + std::to_string(result.rc) + ";" + result.transition_key;
    result.last_change_s = board_.snapshot.now_s;
    result.has_last_change = true;
    result.op_digest = digest_now(board_, action.resource, action.node, result);
    record_ends(action, result);
    std::erase_if(history.operations, [&](const cib::OperationResult& each) { return each.id == result.id; });
    history.operations.push_back(std::move(result));
  }

  /// Of a migration: from where to where. The stop that ends it may never come about.
  void record_ends(const Action& action, cib::OperationResult& result) const {
    const policy::detail::Resource& resource = board_.resource(action.resource);
    const auto name = [this](NodeId id) { return id == kNone ? std::string() : board_.node(id).name; };
    const NodeId here = resource.running_on.empty() ? kNone : resource.running_on.front();
    if (action.task != "migrate_to" && action.task != "migrate_from") return;
    const NodeId source = action.task == "migrate_to"          ? action.node
                          : resource.migration_source != kNone ? resource.migration_source
                                                               : here;
    result.migrate_source = name(source);
    result.migrate_target = name(action.task == "migrate_from" ? action.node : resource.node);
  }

  static void fenced(cib::NodeState& state) {
    state.in_ccm = "false";
    state.crmd = "offline";
    state.join = "down";
    state.expected = "down";
    state.resources.clear();
    state.transient_attributes.clear();
  }

  const Board& board_;
  const Names& names_;
  cib::Cib& cib_;
  int call_id_ = 0;
};

}  // namespace

Execution execute(const policy::Plan& plan, const cib::Cib& before) {
  const Board& board = plan.board();
  Execution execution{{}, before};
  const Names names(board);
  Effects effects(board, names, execution.after);
  for (const ActionId id : firing_order(board)) {
    const Action& action = board.action(id);
    if (action.task == "probe_again") continue;  // shows nothing
    execution.lines.push_back(line_of(board, names, action));
    effects.take(action);
  }
  return execution;
}

}  // namespace bascule::simulate
