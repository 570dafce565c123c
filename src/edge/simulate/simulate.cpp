// One simulation from a CIB to its answers: text in either layout, JSON, graph.
#include "edge/simulate/simulate.h"

#include <memory>

#include "core/explain/causes.h"
#include "core/policy/plan.h"
#include "edge/simulate/execute.h"
#include "edge/simulate/graph_xml.h"
#include "edge/simulate/readable_text.h"
#include "edge/simulate/scores_text.h"
#include "edge/simulate/status_text.h"
#include "edge/simulate/summary_text.h"
#include "edge/simulate/transition_json.h"

namespace bascule::simulate {

Answer simulate(const cib::Cib& cib, std::int64_t now_s, const Wanted& wanted) {
  const bool ledger = wanted.scores || ((wanted.readable || wanted.json) && explain::affords_ledger(cib));
  const policy::Snapshot snapshot{std::make_shared<const cib::Cib>(cib), now_s, ledger, "", wanted.with_faults};
  Answer answer;
  const policy::Plan seen = policy::observe(snapshot);
  answer.now = status_text(seen.board());
  const policy::Plan plan = policy::plan(snapshot);
  answer.notices = plan.board().notices;
  answer.summary = summary_text(plan.board(), policy::detail::summarize(plan.board()));
  if (wanted.scores) answer.scores = scores_text(plan.board());
  if (wanted.readable) answer.changes = changes_text(plan);
  if (wanted.readable) answer.steps = steps_text(plan);
  if (wanted.json)
    answer.json = {
        {"status", status_json(seen.board())}, {"changes", changes_json(plan)}, {"transition", transition_json(plan)}};
  answer.graph = graph_xml(plan);
  Execution execution = execute(plan, cib);
  answer.actions = std::move(execution.lines);
  const policy::Snapshot later{std::make_shared<const cib::Cib>(std::move(execution.after)), now_s, false, "",
                               wanted.with_faults};
  // crm_simulate's second status does not tell what is pending.
  const policy::Plan observed = policy::observe(later);
  policy::detail::Board board = observed.board();
  for (policy::detail::Resource& resource : board.resources) resource.pending_task.clear();
  answer.afterwards = status_text(board);
  if (wanted.json) answer.json["revised_status"] = status_json(board);
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
  if (!answer.scores.empty()) text += "\nScores\n" + answer.scores;
  text += "\n" + answer.changes;
  if (answer.steps.empty()) return text + "\nThere is nothing to do.\n";
  return text + "\nStep by step\n" + answer.steps + "\nAfterwards\n" + answer.afterwards;
}

}  // namespace bascule::simulate
