#include "edge/cli/explain_commands.h"

#include <memory>
#include <utility>

#include "core/explain/inject.h"
#include "core/explain/why.h"
#include "edge/explain/what_if.h"
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

Result<json> run_what_if(const WhatIfRequest& request) {
  auto loaded = load_cib(request.input);
  if (!loaded) return tl::unexpected(loaded.error());
  const auto happens = explain::parse_phrases(request.phrase, loaded->cib);
  if (!happens) return tl::unexpected(happens.error());
  const policy::Snapshot snapshot{std::make_shared<const cib::Cib>(std::move(loaded->cib)), loaded->now_s, false};
  explain::WhatIf answer = explain::what_if(snapshot, *happens, request.as_json);
  answer.json["notices"] = loaded->notices;
  if (!request.as_json) answer.json["text"] = std::move(answer.text);
  return std::move(answer.json);
}

}  // namespace bascule::cli
