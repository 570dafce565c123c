#include "edge/simulate/simulate.h"

#include <memory>

#include "core/policy/plan.h"
#include "edge/simulate/execute.h"
#include "edge/simulate/graph_xml.h"
#include "edge/simulate/scores_text.h"
#include "edge/simulate/status_text.h"
#include "edge/simulate/summary_text.h"

namespace bascule::simulate {

Answer simulate(const cib::Cib& cib, std::int64_t now_s, bool scores) {
  const policy::Snapshot snapshot{std::make_shared<const cib::Cib>(cib), now_s, scores};
  Answer answer;
  answer.now = status_text(policy::observe(snapshot).board());
  const policy::Plan plan = policy::plan(snapshot);
  answer.notices = plan.board().notices;
  answer.summary = summary_text(plan.board(), policy::detail::summarize(plan.board()));
  answer.scores = scores_text(plan.board());
  answer.graph = graph_xml(plan);
  Execution execution = execute(plan, cib);
  answer.actions = std::move(execution.lines);
  const policy::Snapshot later{std::make_shared<const cib::Cib>(std::move(execution.after)), now_s, false};
  // crm_simulate's second status does not tell what is pending.
  const policy::Plan observed = policy::observe(later);
  policy::detail::Board board = observed.board();
  for (policy::detail::Resource& resource : board.resources) resource.pending_task.clear();
  answer.afterwards = status_text(board);
  return answer;
}

std::string pacemaker_text(const Answer& answer) {
  std::string text = "Current cluster status:\n" + answer.now;
  if (!answer.scores.empty()) text += "\n" + answer.scores;
  text += "\nTransition Summary:\n" + answer.summary + "\nExecuting Cluster Transition:\n";
  for (const std::string& line : answer.actions) append_line(text, 2, "* " + line);
  return text + "\nRevised Cluster Status:\n" + answer.afterwards;
}

std::string readable_text(const Answer& answer) {
  std::string text = "Now\n" + answer.now;
  text += answer.actions.empty() ? "\nThere is nothing to do.\n" : "\nWhat would be done\n";
  for (std::size_t i = 0; i < answer.actions.size(); ++i)
    append_line(text, 2, std::to_string(i + 1) + ". " + answer.actions[i]);
  if (!answer.actions.empty()) text += "\nAfterwards\n" + answer.afterwards;
  return text;
}

}  // namespace bascule::simulate
