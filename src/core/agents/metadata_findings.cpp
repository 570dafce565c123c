// A service beside what its agents say of themselves.
#include <fmt/format.h>

#include "core/agents/invocation.h"
#include "core/agents/metadata.h"

namespace bascule::agents {
namespace {

/// What the manager gives the agent, whatever its meta-data say.
bool is_given_by_us(const config::Step& step, const std::string& name) {
  return name == "OCF_CHECK_LEVEL" || (name == "device" && mounts_the_volume(step));
}

std::string place(const config::Service& service, const config::Step& step) {
  return fmt::format("{}, step {}: ", config::written_name(service.name), step.name);
}

}  // namespace

std::string agent_name(const config::Step& step) { return "ocf:" + step.provider + ":" + step.type; }

std::optional<config::Step> agent_named(std::string_view name) {
  if (name.starts_with("ocf:")) name.remove_prefix(4);
  const auto colon = name.find(':');
  config::Step step;
  step.standard = "ocf";
  step.provider = colon == std::string_view::npos ? "heartbeat" : std::string(name.substr(0, colon));
  step.type = step.name = std::string(colon == std::string_view::npos ? name : name.substr(colon + 1));
  for (const auto* part : {&step.provider, &step.type})
    if (part->empty() || part->front() == '.' || part->find_first_of("/: \n\t") != std::string::npos) return {};
  return step;
}

std::vector<std::string> metadata_findings(const config::Service& service, const config::Step& step,
                                           const AgentMetadata& metadata) {
  std::vector<std::string> findings;
  const auto find = [&](const std::string& text) { findings.push_back(place(service, step) + text); };
  const auto agent = agent_name(step);
  for (const auto& [name, value] : step.parameters) {
    const auto* known = metadata.parameter(name);
    if (known == nullptr && !is_given_by_us(step, name))
      find(
          fmt::format("{} knows no parameter '{}' (`bascule agent {}` shows those that it knows)", agent, name, agent));
    if (known != nullptr && known->deprecated)
      find(fmt::format("{} calls the parameter '{}' deprecated{}", agent, name,
                       known->replaced_with.empty() ? "" : "; '" + known->replaced_with + "' takes its place"));
  }
  for (const auto& parameter : metadata.parameters)
    if (parameter.required && !step.parameters.contains(parameter.name) && !is_given_by_us(step, parameter.name))
      find(fmt::format("{} needs the parameter '{}'", agent, parameter.name));
  for (const char* action : {"promote", "demote"})
    if (service.promotable && !metadata.offers(action))
      find(fmt::format("promotable = true, and {} does not offer {}", agent, action));
  if (service.notify && !metadata.offers("notify"))
    find(fmt::format("notify = true, and {} does not offer notify: its copies are told nothing", agent));
  return findings;
}

std::vector<std::string> timeout_advice(const config::Service& service, const config::Step& step,
                                        const AgentMetadata& metadata) {
  std::vector<std::string> advice;
  const auto compare = [&](const char* action, const char* key, Duration ours) {
    const auto wanted = metadata.advised_timeout(action);
    if (wanted > ours)
      advice.push_back(place(service, step) + fmt::format("{} is {} ms, and {} advises at least {} ms for {}", key,
                                                          to_ms(ours), agent_name(step), to_ms(wanted), action));
  };
  compare("start", "start_timeout", step.start_timeout);
  compare("stop", "stop_timeout", step.stop_timeout);
  if (step.monitor_interval > Duration{}) compare("monitor", "monitor_timeout", step.monitor_timeout);
  if (service.notify) compare("notify", "notify_timeout", step.notify_timeout);
  if (service.promotable) {
    compare("promote", "start_timeout", step.start_timeout);
    compare("demote", "stop_timeout", step.stop_timeout);
  }
  return advice;
}

}  // namespace bascule::agents
