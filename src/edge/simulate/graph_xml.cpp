// The transition graph as XML, as far as recorded graphs are compared.
#include "edge/simulate/graph_xml.h"

#include "core/policy/board.h"
#include "core/policy/graph.h"
#include "core/policy/operations.h"
#include "wire/cib/digest.h"

namespace bascule::simulate {
namespace {

using namespace policy::detail;  // NOLINT: this file writes what is there

const char* element_of(const Action& action) {
  if (action.pseudo) return "pseudo_event";
  const bool event = action.task == "stonith" || action.task == "do_shutdown" || action.task == "clear_failcount" ||
                     action.task == "lrm_delete";
  return event ? "crm_event" : "rsc_op";
}

std::string attribute(const char* name, const std::string& value) {
  return std::string(" ") + name + "=\"" + cib::escaped(value) + "\"";
}

/// An instance without identity is called by its history's name; the key of the plan is then an internal one.
std::string keys_of(const Board& board, const Action& action) {
  if (action.resource == kNone || action.pseudo) return attribute("operation_key", action.key);
  const Resource& resource = board.resource(action.resource);
  const std::string& task = action.task == "cancel" ? action.cancel_task : action.task;
  if (resource.unique || resource.history_id == resource.id) return attribute("operation_key", action.key);
  return attribute("operation_key", operation_key(resource.history_id, task, action.interval_ms)) +
         attribute("internal_operation_key", action.key);
}

std::string opening(const Board& board, const Action& action) {
  std::string text = std::string("<") + element_of(action) + attribute("id", std::to_string(action.id)) +
                     attribute("operation", action.task) + keys_of(board, action);
  if (action.node != kNone && (!action.pseudo || action.task == "stonith"))
    text += attribute("on_node", board.node(action.node).name) + attribute("on_node_uuid", board.node(action.node).id);
  return text + "/>";
}

std::string synapse(const Board& board, const Action& action, std::size_t number) {
  std::string text = "  <synapse" + attribute("id", std::to_string(number)) + ">\n    <action_set>\n      " +
                     opening(board, action) + "\n    </action_set>\n    <inputs>\n";
  for (const ActionId first : inputs_of(board, action))
    text += "      <trigger>" + opening(board, board.action(first)) + "</trigger>\n";
  return text + "    </inputs>\n  </synapse>\n";
}

}  // namespace

std::string graph_xml(const policy::Plan& plan) {
  const Board& board = plan.board();
  std::string text = "<transition_graph>\n";
  std::size_t number = 0;
  for (const Action& action : board.actions)
    if (is_in_graph(board, action)) text += synapse(board, action, number++);
  return text + "</transition_graph>\n";
}

}  // namespace bascule::simulate
