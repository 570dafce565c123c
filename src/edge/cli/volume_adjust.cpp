// New options for a volume that runs.

#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "edge/cli/blockd_client.h"
#include "edge/cli/failure.h"
#include "edge/cli/volume_actions.h"
#include "runtime/files/read_file.h"
#include "runtime/watchdog/config_file.h"

namespace bascule::cli {
namespace {

constexpr std::size_t kRequestBytesMax = 60 * 1024;  // a line on the control socket

bool all_done(const json& answer) {
  const json& changes = member(answer, "changes");
  return std::all_of(changes.begin(), changes.end(), [](const json& change) { return flag(change, "done"); });
}

// Checked here, so that a mistake is told with its line whatever runs the volume.
Result<json> adjust_request(const VolumeRequest& request) {
  if (const auto checked = config::load(request.config_file); !checked) return tl::unexpected(checked.error());
  auto content = files::read_file(request.config_file, "the configuration cannot be read");
  if (!content) return tl::unexpected(content.error());
  json made{{"op", "adjust"}, {"id", 1}, {"config", std::move(*content)}, {"file", request.config_file}};
  made["dry_run"] = flag(request.arguments, "dry_run");
  if (made.dump().size() > kRequestBytesMax)
    return fail("the configuration cannot be handed over", request.config_file, "it is longer than 60 KiB");
  return made;
}

}  // namespace

std::string adjust_text(const json& answer, const VolumeRequest& request) {
  const json& changes = member(answer, "changes");
  if (changes.empty()) return fmt::format("Volume {} is as {} has it.\n", request.volume, request.config_file);
  const bool dry_run = flag(answer, "dry_run");
  std::string out = fmt::format("Volume {}, by {}:\n", request.volume, request.config_file);
  for (const json& change : changes) {
    const std::string how = text(change, "how");
    const char* const done = dry_run ? "would change now" : "changed";
    const std::string came = how.empty() ? done : "not changed: " + how;
    out += fmt::format("  {}: {} -> {}, {}\n", text(change, "option"), text(change, "from"), text(change, "to"), came);
  }
  return out;
}

int volume_adjust(const VolumeRequest& request, const Surroundings& around) {
  if (const auto state = blockd_state(request.run_dir, request.volume); !state)
    return tell_failure(state.error(), no_contact, request.as_json, around);
  const auto made = adjust_request(request);
  if (!made) return tell_failure(made.error(), unusable, request.as_json, around);
  const auto answer = ask_blockd(request.run_dir, request.volume, *made, request.timeout);
  if (!answer) return tell_failure(answer.error(), code_without_answer(answer.error()), request.as_json, around);
  if (request.as_json) around.out << *answer << "\n";
  if (!flag(*answer, "ok"))
    return request.as_json ? refused : tell_failure(error_in(*answer), refused, request.as_json, around);
  if (!request.as_json) around.out << adjust_text(*answer, request);
  return flag(*answer, "dry_run") || all_done(*answer) ? ok : refused;
}

}  // namespace bascule::cli
