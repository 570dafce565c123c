// A transition, its changes and the status after it as JSON, for programs.
#include "edge/simulate/transition_json.h"

#include "core/explain/causes.h"
#include "core/policy/graph.h"
#include "core/policy/summary.h"
#include "edge/simulate/summary_text.h"

namespace bascule::simulate {
namespace {

using namespace policy::detail;  // NOLINT: this file shows what is there
using nlohmann::json;

json name_or_null(const Board& board, NodeId node) {
  return node == kNone ? json(nullptr) : json(board.node(node).name);
}

const char* variant_name(Variant variant) {
  static constexpr const char* names[] = {"primitive", "group", "clone", "bundle"};
  return names[static_cast<std::size_t>(variant)];
}

json node_json(const Node& node) {
  return {{"name", node.name},
          {"id", node.id},
          {"kind", node.is_guest()    ? "guest"
                   : node.is_remote() ? "remote"
                                      : "member"},
          {"online", node.online},
          {"unclean", node.unclean},
          {"standby", node.standby},
          {"maintenance", node.maintenance},
          {"pending", node.pending},
          {"shutdown", node.shutdown}};
}

json resource_json(const Board& board, ResourceId id) {
  const Resource& resource = board.resource(id);
  json nodes = json::array();
  for (const NodeId node : resource.running_on) nodes.push_back(board.node(node).name);
  json made = {
      {"id", resource.id},
      {"kind", variant_name(resource.variant)},
      {"role", policy::name_of(resource.role == policy::Role::Unknown ? policy::Role::Stopped : resource.role)},
      {"nodes", nodes},
      {"managed", resource.managed},
      {"failed", resource.failed},
      {"blocked", resource.blocked},
      {"orphan", resource.orphan}};
  for (const ResourceId child : resource.children) made["children"].push_back(resource_json(board, child));
  return made;
}

json action_json(const Board& board, const Action& action) {
  return {{"id", action.id},
          {"key", action.key},
          {"task", action.task},
          {"resource", action.resource == kNone ? json(nullptr) : json(board.resource(action.resource).id)},
          {"node", name_or_null(board, action.node)},
          {"interval_ms", action.interval_ms},
          {"pseudo", action.pseudo},
          {"reason", explain::why_action(board, action)},
          {"after", inputs_of(board, action)}};
}

}  // namespace

json transition_json(const policy::Plan& plan) {
  json actions = json::array();
  for (const ActionId id : in_graph_order(plan.board()))
    actions.push_back(action_json(plan.board(), plan.board().action(id)));
  return actions;
}

json changes_json(const policy::Plan& plan) {
  const Board& board = plan.board();
  json changes = json::array();
  for (const Change& change : summarize(board)) {
    const std::string why =
        change.resource == kNone ? change.reason : explain::why_action(board, board.action(change.action));
    changes.push_back(
        {{"verb", name_of(change.verb)},
         {"resource", change.resource == kNone ? json(nullptr) : json(board.resource(change.resource).id)},
         {"from", name_or_null(board, change.from)},
         {"to", name_or_null(board, change.to)},
         {"blocked", change.blocked},
         {"reason", why}});
  }
  return changes;
}

json status_json(const Board& board) {
  json nodes = json::array();
  for (const Node& node : board.nodes) nodes.push_back(node_json(node));
  json resources = json::array();
  for (const ResourceId id : board.top)
    if (!board.resource(id).orphan || !board.resource(id).running_on.empty())
      resources.push_back(resource_json(board, id));
  return {{"nodes", nodes}, {"resources", resources}, {"have_quorum", board.properties.have_quorum}};
}

}  // namespace bascule::simulate
