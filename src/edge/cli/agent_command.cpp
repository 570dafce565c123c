// What an OCF agent of this machine says of itself.
#include "edge/cli/agent_command.h"

#include <fmt/format.h>

#include "edge/cli/status_text.h"

namespace bascule::cli {
namespace {

json parameters_json(const agents::AgentMetadata& metadata) {
  json list = json::array();
  for (const auto& one : metadata.parameters) {
    json made{{"name", one.name},         {"about", one.about},   {"type", one.type},
              {"required", one.required}, {"unique", one.unique}, {"deprecated", one.deprecated}};
    if (one.default_value) made["default"] = *one.default_value;
    if (!one.replaced_with.empty()) made["replaced_with"] = one.replaced_with;
    list.push_back(std::move(made));
  }
  return list;
}

json actions_json(const agents::AgentMetadata& metadata) {
  json list = json::array();
  for (const auto& one : metadata.actions) {
    json made{{"name", one.name}, {"advised_timeout_ms", to_ms(one.timeout)}};
    if (one.interval > Duration{}) made["interval_ms"] = to_ms(one.interval);
    if (!one.role.empty()) made["role"] = one.role;
    list.push_back(std::move(made));
  }
  return list;
}

std::string parameter_text(const agents::AgentParameter& one) {
  std::string notes = one.type;
  if (one.required) notes += ", required";
  if (one.unique) notes += ", unique";
  if (one.deprecated) notes += one.replaced_with.empty() ? ", deprecated" : ", deprecated: use " + one.replaced_with;
  if (one.default_value && !one.default_value->empty()) notes += ", default " + *one.default_value;
  return fmt::format("  {} ({})\n      {}\n", printable(one.name), printable(notes), printable(one.about));
}

std::string text_of(const std::string& agent, const agents::AgentMetadata& metadata) {
  std::string out =
      fmt::format("{} {} (OCF {}): {}\n\nParameters:\n", agent, printable(metadata.version),
                  metadata.ocf_version.empty() ? "1.0" : printable(metadata.ocf_version), printable(metadata.about));
  for (const auto& one : metadata.parameters) out += parameter_text(one);
  if (metadata.parameters.empty()) out += "  none\n";
  out += "\nActions, with the time that the agent advises at least:\n";
  for (const auto& one : metadata.actions)
    out += fmt::format("  {:<14} {:>6} s  {}\n", printable(one.name), to_ms(one.timeout) / 1000, printable(one.role));
  return out;
}

}  // namespace

Result<json> run_agent(const std::string& agent, const agents::Roots& roots) {
  const auto step = agents::agent_named(agent);
  if (!step)
    return fail("this is no OCF agent", agent, "an OCF agent has a provider and a name",
                "write it like ocf:heartbeat:apache");
  const auto told = agent_metadata::ask_here(*step, roots);
  if (!told.metadata) return tl::unexpected(told.metadata.error());
  const auto& metadata = *told.metadata;
  const auto name = agents::agent_name(*step);
  return json{{"ok", true},
              {"agent", name},
              {"version", metadata.version},
              {"ocf_version", metadata.ocf_version},
              {"about", metadata.about},
              {"parameters", parameters_json(metadata)},
              {"actions", actions_json(metadata)},
              {"text", text_of(name, metadata)}};
}

std::string findings_text(const agent_metadata::Findings& findings) {
  std::string out;
  for (const auto* list : {&findings.wrong, &findings.absent})
    for (const auto& text : *list) out += "Warning: " + printable(text) + ".\n";
  for (const auto& text : findings.advice) out += "Advice: " + printable(text) + ".\n";
  return out;
}

json findings_json(const agent_metadata::Findings& findings) {
  return {{"wrong", findings.wrong}, {"absent", findings.absent}, {"advice", findings.advice}};
}

}  // namespace bascule::cli
