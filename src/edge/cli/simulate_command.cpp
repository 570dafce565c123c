#include "edge/cli/simulate_command.h"

#include <cerrno>
#include <fstream>

#include "edge/cli/decision_input.h"
#include "edge/simulate/simulate.h"

namespace bascule::cli {
namespace {

Result<void> write_graph(const std::string& path, const std::string& graph) {
  if (path.empty()) return {};
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  if (!(file << graph) || !file.flush())
    return fail_errno("the graph cannot be written", path, errno != 0 ? errno : EIO);
  return {};
}

/// What is a matter of a CIB only.
std::string option_without_meaning(const SimulateRequest& request) {
  if (request.format == "pacemaker") return "--format pacemaker";
  if (request.scores) return "--scores";
  if (!request.graph.empty()) return "--graph";
  if (request.input.own_defaults) return "--own-defaults";
  if (!request.input.at.empty()) return "--at";
  if (!request.input.save.empty()) return "--save-snapshot";
  return {};
}

json answer_of(json made, std::string text) {
  made["ok"] = true;
  made["notices"] = json::array();
  made["text"] = std::move(text);
  return made;
}

Result<json> run_all(const CibInput& input) {
  const auto replayed = replay_all(input);
  if (!replayed) return tl::unexpected(replayed.error());
  std::string text = std::to_string(replayed->of) + " decisions were taken again";
  text += replayed->others.empty() ? ": all are the same.\n" : "; these are others now:";
  for (const auto number : replayed->others) text += " " + std::to_string(number);
  if (!replayed->others.empty())
    text += "\nbascule simulate --snapshot " + input.snapshot + " --decision NUMBER tells one.\n";
  return answer_of({{"of", replayed->of}, {"others", replayed->others}}, std::move(text));
}

Result<json> run_decision(const SimulateRequest& request) {
  if (const auto option = option_without_meaning(request); !option.empty())
    return fail("this cannot be asked of a manager's decision", option, request.input.snapshot + " holds decisions",
                "leave it out");
  if (request.all_decisions) return run_all(request.input);
  const auto replayed = replay_decision(request.input);
  if (!replayed) return tl::unexpected(replayed.error());
  return answer_of(explain::decision_json(*replayed), explain::decision_text(*replayed));
}

}  // namespace

Result<json> run_simulate(const SimulateRequest& request) {
  if (holds_decisions(request.input)) return run_decision(request);
  if (request.all_decisions || request.input.decision != 0)
    return fail("there are no decisions", request.input.snapshot, "the input is a CIB and no decision of a manager",
                "--snapshot STATE_DIR/decisions.jsonl");
  const auto loaded = load_cib(request.input);
  if (!loaded) return tl::unexpected(loaded.error());
  const bool pacemaker = request.format == "pacemaker";
  simulate::Answer answer = simulate::simulate(
      loaded->cib, loaded->now_s, {request.scores, !pacemaker && !request.as_json, request.as_json, pacemaker});
  if (const auto written = write_graph(request.graph, answer.graph); !written) return tl::unexpected(written.error());
  json notices = json::array();
  for (const std::string& notice : loaded->notices) notices.push_back(notice);
  for (const std::string& notice : answer.notices) notices.push_back(notice);
  json made = std::move(answer.json);
  made["ok"] = true;
  made["actions"] = answer.actions;
  made["notices"] = notices;
  if (!request.as_json) made["text"] = pacemaker ? pacemaker_text(answer) : readable_text(answer);
  return made;
}

}  // namespace bascule::cli
