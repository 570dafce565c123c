#include "edge/cli/simulate_command.h"

#include <cerrno>
#include <charconv>
#include <ctime>
#include <fstream>
#include <sstream>

#include "edge/simulate/simulate.h"
#include "wire/cib/parse.h"
#include "wire/cib/times.h"

namespace bascule::cli {
namespace {

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) return fail_errno("the CIB cannot be read", path, errno != 0 ? errno : EIO);
  return text.str();
}

Result<std::int64_t> moment(const SimulateRequest& request, const cib::Cib& cib) {
  const std::int64_t clock_s = std::time(nullptr);
  if (!request.at.empty()) {
    const auto parsed = cib::parse_time(request.at, {clock_s, 0});
    if (!parsed)
      return fail("the time is not understood", request.at, "it is no ISO 8601 time", "2026-11-23 04:00:00Z");
    return *parsed;
  }
  const std::string* date = cib::find(cib.attributes, "execution-date");
  std::int64_t found_s = clock_s;
  if (date != nullptr) std::from_chars(date->data(), date->data() + date->size(), found_s);
  return found_s;
}

Result<void> write_graph(const std::string& path, const std::string& graph) {
  if (path.empty()) return {};
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  if (!(file << graph) || !file.flush())
    return fail_errno("the graph cannot be written", path, errno != 0 ? errno : EIO);
  return {};
}

}  // namespace

Result<json> run_simulate(const SimulateRequest& request) {
  const auto xml = read_file(request.file);
  if (!xml) return tl::unexpected(xml.error());
  const auto document = cib::parse(*xml, request.file);
  if (!document) return tl::unexpected(document.error());
  const auto now_s = moment(request, document->cib);
  if (!now_s) return tl::unexpected(now_s.error());
  const simulate::Answer answer = simulate::simulate(document->cib, *now_s, request.scores);
  if (const auto written = write_graph(request.graph, answer.graph); !written) return tl::unexpected(written.error());
  json notices = json::array();
  for (const cib::Notice& notice : document->notices) notices.push_back(notice.text());
  for (const std::string& notice : answer.notices) notices.push_back(notice);
  return json{{"ok", true},
              {"actions", answer.actions},
              {"notices", notices},
              {"text", request.format == "pacemaker" ? pacemaker_text(answer) : readable_text(answer)}};
}

}  // namespace bascule::cli
