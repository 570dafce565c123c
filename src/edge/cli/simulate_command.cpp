#include "edge/cli/simulate_command.h"

#include <cerrno>
#include <fstream>

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

}  // namespace

Result<json> run_simulate(const SimulateRequest& request) {
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
