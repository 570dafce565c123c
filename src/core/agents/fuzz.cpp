#include <cstddef>
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "core/agents/metadata.h"

namespace {

using namespace bascule;

/// A document with one place filled by the fuzzer.
std::string around(std::string_view hole) {
  return R"(<resource-agent name="a"><parameters><parameter name="b" required="1">)" + std::string(hole) +
         R"(</parameter></parameters><actions><action name="start" timeout="20s"/></actions></resource-agent>)";
}

void check(const std::string& text) {
  const auto metadata = agents::parse_metadata(text);
  if (!metadata) return BASCULE_ASSERT(!metadata.error().why.empty() && !metadata.error().where.empty());
  BASCULE_ASSERT(!metadata->actions.empty());
  config::Service service;
  service.name = "shop";
  service.promotable = true;
  config::Step step;
  step.provider = "heartbeat";
  step.type = step.name = "a";
  for (const auto& finding : agents::metadata_findings(service, step, *metadata)) BASCULE_ASSERT(!finding.empty());
  for (const auto& advice : agents::timeout_advice(service, step, *metadata)) BASCULE_ASSERT(!advice.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  check(text);
  check(around(text));
  if (const auto step = agents::agent_named(text))
    BASCULE_ASSERT(agents::agent_named(agents::agent_name(*step)).has_value());
  return 0;
}
