#pragma once

#include <functional>
#include <string>

#include "edge/cli/command_line.h"
#include "edge/cli/json_view.h"

namespace bascule::cli {

/// What may stand behind `bascule config diff|plan|apply|undo|history`.
struct ConfigRequest {
  std::string action;
  std::string file;  ///< diff, plan, apply; "-": standard input is not read, a file is named
  std::string reason, who;
  std::int64_t version = -1;  ///< history: the one to show; undo: the one to go back to, the one before if not given
  bool yes = false;
  bool as_json = false;
};

using Ask = std::function<Result<json>(const json& request)>;

/// Does it; `ask` asks bascule-managerd. Returns the exit code: 0 done (or no difference), 1 refused or not wanted (or,
/// for diff, different), 2 the file cannot be read, 3 no contact.
[[nodiscard]] int run_config(const ConfigRequest& request, const Ask& ask, const Surroundings& around);

/// The member `text` of an answer, with its lines.
[[nodiscard]] std::string whole_text(const json& answer);
/// The plan as a person reads it.
[[nodiscard]] std::string plan_text(const json& plan);
[[nodiscard]] std::string differences_text(const json& differences);

}  // namespace bascule::cli
