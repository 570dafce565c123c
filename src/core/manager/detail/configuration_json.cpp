// What is asked about configurations: the plan of a change, and the history.

#include <nlohmann/json.hpp>

#include "core/manager/detail/state.h"

namespace bascule::manager {

namespace {

using ConfigurationJson = nlohmann::ordered_json;

ConfigurationJson error_of(const Error& error) {
  return {{"ok", false},
          {"error", {{"what", error.what}, {"where", error.where}, {"why", error.why}, {"hint", error.hint}}}};
}

ConfigurationJson differences_json(const reconfiguration::ChangePlan& plan) {
  auto list = ConfigurationJson::array();
  for (const auto& one : plan.differences) list.push_back({{"path", one.path}, {"from", one.from}, {"to", one.to}});
  return list;
}

ConfigurationJson version_json(const store::ConfigurationVersion& one) {
  return {{"version", one.version}, {"at_ms", one.at_ms}, {"who", one.who}, {"reason", one.reason}};
}

}  // namespace

std::string Manager::plan_json(const std::string& text, Instant now) const {
  state_->now = std::max(now, state_->now);
  const auto plan = state_->plan_configuration(text);
  if (!plan) return error_of(plan.error()).dump(-1, ' ', false, ConfigurationJson::error_handler_t::replace);
  ConfigurationJson json{
      {"ok", true},           {"base_version", plan->base_version}, {"differences", differences_json(*plan)},
      {"steps", plan->steps}, {"interrupts", plan->interrupts},     {"refusals", plan->refusals},
      {"text", plan->text}};
  return json.dump(-1, ' ', false, ConfigurationJson::error_handler_t::replace);
}

std::string Manager::history_json(std::optional<std::uint64_t> version) const {
  const auto& versions = state_->store.state().configurations;
  ConfigurationJson json{{"ok", true}, {"in_force", state_->store.state().configuration()}};
  if (!version) {
    json["versions"] = ConfigurationJson::array();
    for (const auto& one : versions) json["versions"].push_back(version_json(one));
    if (versions.empty()) json["by_file"] = true;
    json["tokens"] = ConfigurationJson::array();  // for the driver, which lets no hash out
    for (const auto& [hash, token] : state_->store.state().tokens)
      json["tokens"].push_back(
          {{"node", token.node}, {"expires_at_ms", token.expires_at_ms}, {"used", token.used}, {"hash", hash}});
    return json.dump(-1, ' ', false, ConfigurationJson::error_handler_t::replace);
  }
  for (const auto& one : versions) {
    if (one.version != *version) continue;
    json["version"] = version_json(one);
    json["text"] = one.text;
    return json.dump(-1, ' ', false, ConfigurationJson::error_handler_t::replace);
  }
  if (*version == 0 && versions.empty()) {
    json["version"] = version_json({0, "", "as the files say", "", 0});
    json["text"] = state_->file_text;
    return json.dump(-1, ' ', false, ConfigurationJson::error_handler_t::replace);
  }
  const std::string name = std::to_string(*version);
  return error_of({"there is no such version", name, "the last ones are kept", "bascule config history"}).dump();
}

const std::string& Manager::configuration_text() const { return state_->agreed_text; }

}  // namespace bascule::manager
