// Why an action is planned, and what keeps a resource from a node.
#include "core/explain/causes.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "core/explain/words.h"

namespace bascule::explain {
namespace {

using namespace policy::detail;  // NOLINT: this file reads what is there
using policy::Role;
using policy::Score;

std::string node_name(const Board& board, NodeId node) {
  return node == kNone ? std::string("no node") : board.node(node).name;
}

bool without_quorum(const Board& board) {
  return !board.properties.have_quorum && board.properties.no_quorum != NoQuorumPolicy::ignore;
}

/// What an action does, said of its resource: "disk starts".
std::string doing_text(const Board& board, const Action& action) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 10> words{{{"start", " starts"},
                                                                                        {"running", " starts"},
                                                                                        {"stop", " stops"},
                                                                                        {"stopped", " stops"},
                                                                                        {"promote", " is promoted"},
                                                                                        {"promoted", " is promoted"},
                                                                                        {"demote", " is demoted"},
                                                                                        {"demoted", " is demoted"},
                                                                                        {"migrate_to", " migrates"},
                                                                                        {"migrate_from", " migrates"}}};
  if (action.task == "stonith") return node_name(board, action.node) + " is fenced";
  const std::string who = action.resource == kNone ? node_name(board, action.node) : board.resource(action.resource).id;
  for (const auto& [task, text] : words)
    if (action.task == task) return who + std::string(text);
  return who + " has its " + action.task;
}

std::string because_text(const Board& board, const Action& action) {
  const Action& other = board.action(action.because.other);
  switch (action.because.what) {
    case Because::What::required:
      return doing_text(board, other) + ", and this follows from it";
    case Because::What::unrunnable:
      return "it needs that " + doing_text(board, other) + ", which cannot be done";
    case Because::What::unmigratable:
      return "it cannot migrate, because " + doing_text(board, other) + " and does not migrate";
    case Because::What::none:
      break;
  }
  return "";
}

/// Reasons that stand on the board in Pacemaker's words.
std::string plain_reason(const std::string& reason) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> words{
      {{"resource definition change", "its definition has changed since it was started"},
       {"being multiply active", "it is active in more places than it should be"},
       {"no quorum", "there is no quorum"},
       {"quorum freeze", "without quorum nothing new is started (no-quorum-policy=freeze)"},
       {"orphan", "it is not configured any more"},
       {"node availability", ""}}};
  for (const auto& [theirs, ours] : words)
    if (reason == theirs) return std::string(ours);
  return reason;
}

std::string better_elsewhere(const Board& board, const Resource& resource, ResourceId id, NodeId from) {
  const Score here = resource.scores[from];
  const Score there = resource.scores[resource.node];
  if (here == kNotAllowed) return "no constraint allows it on " + node_name(board, from);
  if (here < 0) return "it may not run on " + node_name(board, from) + ": " + what_forbids(board, id, from);
  if (there > here)
    return "its score for " + node_name(board, resource.node) + ", " + policy::text_of(there) +
           ", is higher than for " + node_name(board, from) + ", " + policy::text_of(here);
  return node_name(board, resource.node) + " is as good for it and has less to run";
}

std::string why_started(const Board& board, const Resource& resource) {
  if (resource.node == kNone) return "it should run";
  const Score score = resource.scores[resource.node];
  return "it should run, and " + node_name(board, resource.node) + " is the best node for it" +
         (score == kNotAllowed ? "" : " (score " + policy::text_of(score) + ")");
}

std::string why_same_place(const Board& board, ResourceId id) {
  const Resource& resource = board.resource(id);
  if (resource.running_on.size() > 1)
    return "it is active in " + std::to_string(resource.running_on.size()) + " places";
  const bool to_restart = std::any_of(resource.actions.begin(), resource.actions.end(), [&board](ActionId each) {
    return board.action(each).task == "start" && board.action(each).reason == "resource definition change";
  });
  if (to_restart || resource.reload_needed) return "its definition has changed since it was started";
  for (const ActionId each : resource.actions) {
    const Action& action = board.action(each);
    if (action.optional || action.because.what == Because::What::none) continue;
    if (action.task == "start" || action.task == "stop") return because_text(board, action);
  }
  return resource.next_role == Role::Promoted ? "it is to be promoted" : "it is restarted where it is";
}

// ---- by task --------------------------------------------------------------------------------------------------------

std::string change_of_resource(const Board& board, const Action& action) {
  const std::string reason =
      action.because.what != Because::What::none ? because_text(board, action) : plain_reason(action.reason);
  return reason.empty() ? why_changed(board, action.resource) : reason;
}

std::string promotion(const Board& board, const Action& action) {
  const Resource& resource = board.resource(action.resource);
  if (action.because.what != Because::What::none) return because_text(board, action);
  const bool up = action.task == "promote";
  if (!up && resource.next_role == Role::Promoted) return why_changed(board, action.resource);
  if (!up && resource.next_role == Role::Stopped) return why_changed(board, action.resource);
  ResourceId instance = action.resource;
  while (board.resource(instance).parent != kNone && board.resource(instance).instance < 0)
    instance = board.resource(instance).parent;
  const std::string score = "promotion score " + policy::text_of(board.resource(instance).sort_key);
  return up ? "it is to be promoted there (" + score + ")" : "it is not to be promoted any more (" + score + ")";
}

std::string monitor(const Board& board, const Action& action) {
  const Resource& resource = board.resource(action.resource);
  if (action.interval_ms == 0)
    return "it is not known whether " + resource.id + " runs on " + node_name(board, action.node);
  if (action.definition != nullptr &&
      policy::role_of(cib::value_of(action.definition->attributes, "role")) == Role::Stopped)
    return "where " + resource.id + " should not run, that is watched every " + length_text(action.interval_ms);
  return resource.id + " is watched every " + length_text(action.interval_ms) + " where it runs";
}

std::string fencing(const Board& board, const Action& action) {
  if (!action.reason.empty()) return action.reason;
  if (action.key.ends_with("-on")) return "the node may run resources only after a device has switched it on";
  return node_name(board, action.node) + " is lost, and nothing may start elsewhere before it is certainly down";
}

std::string housekeeping(const Board& board, const Action& action) {
  if (!action.reason.empty()) return plain_reason(action.reason);
  if (action.task == "cancel") return "this recurring operation is not wanted there any more";
  if (action.task == "clear_failcount") return "its failures do not count any more";
  return "what is known of " + (action.resource == kNone ? "it" : board.resource(action.resource).id) + " on " +
         node_name(board, action.node) + " has no meaning any more";
}

}  // namespace

std::string what_forbids(const Board& board, ResourceId id, NodeId node) {
  const Score score = board.resource(id).scores[node];
  if (score == kNotAllowed || score >= 0) return "";
  const Contribution* worst = nullptr;
  if (board.ledger)
    for (const Contribution& each : board.ledger->of(id, node))
      if (each.score < 0 && (worst == nullptr || each.score < worst->score)) worst = &each;
  return worst == nullptr ? "its score is " + policy::text_of(score) : cause_text(board, id, node, *worst);
}

bool affords_ledger(const cib::Cib& cib) { return cib.nodes.size() * cib.resources.size() <= 500'000; }

std::string why_nowhere(const Board& board, ResourceId id) {
  const Resource& resource = board.resource(id);
  if (resource.orphan) return "it is not configured any more";
  if (resource.target_role == Role::Stopped) return "its target-role is Stopped";
  if (board.properties.stop_everything) return "stop-all-resources is set";
  if (without_quorum(board) && resource.needs != Requires::nothing) return "there is no quorum";
  std::vector<std::string> nodes;
  for (NodeId node = 0; node < board.nodes.size(); ++node) {
    if (board.node(node).for_bundle && resource.scores[node] != kNotAllowed && resource.scores[node] < 0) continue;
    const std::string trouble = node_trouble(board, node);
    const std::string forbidden = what_forbids(board, id, node);
    if (!trouble.empty())
      nodes.push_back(board.node(node).name + " " + trouble);
    else if (resource.scores[node] == kNotAllowed)
      nodes.push_back("no constraint allows " + board.node(node).name);
    else if (!forbidden.empty())
      nodes.push_back("on " + board.node(node).name + ": " + forbidden);
  }
  if (nodes.empty()) return "what it depends on can run nowhere";
  std::string text;
  for (std::size_t i = 0; i < nodes.size() && i < 4; ++i) text += (i == 0 ? "no node can run it: " : "; ") + nodes[i];
  return nodes.size() > 4 ? text + "; and so on" : text;
}

std::string why_changed(const Board& board, ResourceId id) {
  const Resource& resource = board.resource(id);
  if (!resource.primitive() && !resource.children.empty()) return "what is in it changes";
  const NodeId from = resource.running_on.empty() ? kNone : resource.running_on.front();
  if (from == kNone) return resource.node == kNone ? why_nowhere(board, id) : why_started(board, resource);
  if (resource.failed) {
    const std::string failure = failure_text(board, id, from);
    return failure.empty() ? "it failed on " + node_name(board, from) : failure;
  }
  if (const std::string trouble = node_trouble(board, from); !trouble.empty())
    return node_name(board, from) + " " + trouble + (resource.node == kNone ? ", and " + why_nowhere(board, id) : "");
  if (resource.node == kNone) return why_nowhere(board, id);
  if (resource.node == from) return why_same_place(board, id);
  return better_elsewhere(board, resource, id, from);
}

std::string why_action(const Board& board, const Action& action) {
  if (action.task == "stonith") return fencing(board, action);
  if (action.task == "do_shutdown") return node_name(board, action.node) + " has asked to be shut down";
  if (action.task == "notify" || action.task == "notified") return "instances of its clone asked to be told of changes";
  if (action.resource == kNone) return action.pseudo ? "others wait for this moment" : housekeeping(board, action);
  if (action.pseudo && !board.resource(action.resource).primitive()) return "what is in it changes";
  if (action.task == "monitor") return monitor(board, action);
  if (action.task == "promote" || action.task == "demote") return promotion(board, action);
  const bool changes = action.task == "start" || action.task == "stop" || action.task == "migrate_to" ||
                       action.task == "migrate_from" || action.task == "reload-agent";
  return changes ? change_of_resource(board, action) : housekeeping(board, action);
}

}  // namespace bascule::explain
