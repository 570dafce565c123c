// What would change and in which order, in words for people.
#include "edge/simulate/readable_text.h"

#include <cctype>

#include "core/explain/causes.h"
#include "core/explain/words.h"
#include "core/policy/graph.h"
#include "core/policy/summary.h"
#include "edge/simulate/status_text.h"

namespace bascule::simulate {
namespace {

using namespace policy::detail;  // NOLINT: this file shows what is there

std::string small(std::string word) {
  for (char& c : word) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return word;
}

std::string change_text(const Board& board, const Change& change) {
  const auto node = [&board](NodeId id) { return board.node(id).name; };
  const Action& action = board.action(change.action);
  std::string text = small(name_of(change.verb)) + " ";
  if (change.resource == kNone)
    text += node(change.from) + (change.how.empty() ? "" : " (" + change.how + ")");
  else if (change.from == kNone || change.from == change.to)
    text += board.resource(change.resource).id + " on " + node(change.to);
  else if (change.to == kNone)
    text += board.resource(change.resource).id + " on " + node(change.from);
  else
    text += board.resource(change.resource).id + " from " + node(change.from) + " to " + node(change.to);
  return text + (change.blocked ? ", which cannot be done: " : ": ") + explain::why_action(board, action);
}

std::string step_text(const Board& board, const Action& action) {
  const std::string node = action.node == kNone ? "" : board.node(action.node).name;
  if (action.task == "stonith") return "fence " + node;
  if (action.task == "do_shutdown") return "shut " + node + " down";
  std::string text = action.task;
  if (action.task == "monitor" && action.interval_ms == 0) text = "probe";
  if (action.task == "cancel") text = "cancel " + action.cancel_task;
  if (action.resource != kNone) text += " " + board.resource(action.resource).id;
  if (action.interval_ms != 0) text += " every " + explain::length_text(action.interval_ms);
  return node.empty() ? text : text + " on " + node;
}

}  // namespace

std::string changes_text(const policy::Plan& plan) {
  const std::vector<Change> changes = summarize(plan.board());
  if (changes.empty()) return "Nothing changes.\n";
  std::string text = "What changes\n";
  for (const Change& change : changes) append_line(text, 2, change_text(plan.board(), change));
  return text;
}

std::string steps_text(const policy::Plan& plan) {
  std::string text;
  std::size_t number = 0;
  for (const ActionId id : in_graph_order(plan.board())) {
    const Action& action = plan.board().action(id);
    if (action.pseudo) continue;
    append_line(text, 2,
                std::to_string(++number) + ". " + step_text(plan.board(), action) + ": " +
                    explain::why_action(plan.board(), action));
  }
  return text;
}

}  // namespace bascule::simulate
