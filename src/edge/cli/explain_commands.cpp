#include "edge/cli/explain_commands.h"

#include <memory>
#include <utility>

#include "core/explain/why.h"
#include "edge/explain/why_text.h"

namespace bascule::cli {

Result<json> run_why(const WhyRequest& request) {
  auto loaded = load_cib(request.input);
  if (!loaded) return tl::unexpected(loaded.error());
  const policy::Snapshot snapshot{std::make_shared<const cib::Cib>(std::move(loaded->cib)), loaded->now_s, false};
  const auto answer = explain::why(snapshot, {request.resource, request.on, request.not_on, true});
  if (!answer) return tl::unexpected(answer.error());
  json made = explain::why_json(*answer);
  made["notices"] = loaded->notices;
  made["text"] = explain::why_text(*answer);
  return made;
}

}  // namespace bascule::cli
