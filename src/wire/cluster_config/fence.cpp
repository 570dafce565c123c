// [fence.NAME]: how nodes are switched off.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "wire/cluster_config/detail/readers.h"
#include "wire/cluster_config/detail/values.h"

namespace bascule::config::detail {
namespace {

/// What the manager tells the agent itself.
constexpr std::array reserved = {"action", "port", "plug", "nodename"};

bool is_agent(const std::string& name) {
  constexpr std::string_view prefix = "fence_";
  return name.starts_with(prefix) && name.size() > prefix.size() &&
         std::all_of(name.begin() + prefix.size(), name.end(), [](const char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
         });
}

void read_agent_name(const Section& section, FenceDevice& device) {
  device.agent = section.required_text("agent", "write agent = \"fence_ipmilan\"");
  if (section.has("agent") && !is_agent(device.agent))
    section.findings().add(section.place("agent"), fmt::format("'{}' is not the name of a fence agent", device.agent),
                           "the name of a program in /usr/sbin, like \"fence_ipmilan\"");
}

/// The agents read lines: a value with a line break would be two parameters.
void add_parameter(const Section& table, const std::string& name, const std::string& value, FenceDevice& device) {
  const bool ours = std::find(reserved.begin(), reserved.end(), name) != reserved.end();
  if (ours)
    table.findings().add(table.place(name), fmt::format("'{}' is what the manager itself tells the agent", name),
                         "write what the agent calls the node as plug = \"3\" of the device");
  else if (!is_parameter_name(name))
    table.findings().add(table.place(name), fmt::format("'{}' is not the name of a parameter", name));
  else if (value.find('\n') != std::string::npos)
    table.findings().add(table.place(name), "a line break in a value: the agent reads one parameter per line");
  device.parameters[name] = value;
}

void read_parameters(const Section& section, FenceDevice& device) {
  const toml::node* found = section.get("parameters");
  if (found == nullptr) return;
  if (!found->is_table())
    return section.findings().add(section.place("parameters"),
                                  fmt::format("{} stands here, a table is wanted", kind_of(*found)),
                                  "write parameters = { ip = \"10.0.1.1\", username = \"fence\" }");
  const Section table(*found->as_table(), section.place("parameters"), section.findings(), {});
  for (const auto& [key, value] : *found->as_table()) {
    const std::string name(key.str());
    if (const auto* text = value.as_string())
      add_parameter(table, name, text->get(), device);
    else if (const auto* number = value.as_integer())
      add_parameter(table, name, fmt::format("{}", number->get()), device);
    else if (const auto* flag = value.as_boolean())
      add_parameter(table, name, flag->get() ? "1" : "0", device);
    else
      table.findings().add(table.place(name),
                           fmt::format("{} stands here, a string or a number is wanted", kind_of(value)));
  }
}

void add_plug(const Section& section, const std::string& node, const std::string& plug, FenceDevice& device) {
  if (plug.empty() || plug.find('\n') != std::string::npos)
    section.findings().add(section.place("plug"), fmt::format("no plug is named for {}", node));
  device.plugs[node] = plug;
}

/// `node = "alice"` (and plug = "3"), or `nodes = [...]`, or `plug = { alice = "1", bob = "2" }`.
void read_targets(const Section& section, FenceDevice& device) {
  const toml::node* plug = section.get("plug");
  if (plug != nullptr && plug->is_table()) {
    for (const auto& [node, value] : *plug->as_table())
      add_plug(section, std::string(node.str()), value.value<std::string>().value_or(""), device);
  } else if (section.has("node")) {
    const auto node = section.text("node").value_or("");
    add_plug(section, node, section.text("plug").value_or(node), device);
  } else if (const auto* list = section.has("nodes") ? section.get("nodes")->as_array() : nullptr) {
    for (const auto& one : *list) {
      const auto node = one.value<std::string>().value_or("");
      add_plug(section, node, node, device);
    }
  }
  if (device.plugs.empty())
    section.findings().add(
        section.place(), "it names no node that it can switch off",
        "write node = \"alice\", nodes = [\"alice\", \"bob\"] or plug = { alice = \"1\", bob = \"2\" }");
  const int ways =
      (section.has("node") ? 1 : 0) + (section.has("nodes") ? 1 : 0) + (plug != nullptr && plug->is_table() ? 1 : 0);
  if (ways > 1)
    section.findings().add(section.place(), "its nodes are named twice",
                           "one of node, nodes and plug = { ... } is enough");
  if (section.has("nodes") && plug != nullptr && !plug->is_table())
    section.findings().add(section.place("plug"), "one plug for several nodes",
                           "write plug = { alice = \"1\", bob = \"2\" } instead of nodes");
}

void read_action(const Section& section, FenceDevice& device) {
  const std::string action = section.text("action").value_or("reboot");
  if (action == "off") device.action = FenceAction::off;
  if (action != "off" && action != "reboot")
    section.findings().add(section.place("action"), fmt::format("'{}' does not switch a node off", action),
                           suggestion(action, {"reboot", "off"}));
}

void read_patience(const Section& section, FenceDevice& device) {
  device.timeout = section.duration("timeout").value_or(device.timeout);
  if (device.timeout < seconds(1) || device.timeout > seconds(3600))
    section.findings().add(section.place("timeout"), "one run of the agent has between 1s and 1h", "60s is usual");
  device.delay = section.duration("delay").value_or(Duration{});
  device.delay_max = section.duration("delay_max").value_or(Duration{});
  if (device.delay + device.delay_max > seconds(600))
    section.findings().add(section.place("delay"), "the delays are more than ten minutes together");
  device.retries = static_cast<std::uint32_t>(section.integer("retries", 0, 10).value_or(2));
  device.level = static_cast<std::uint32_t>(section.integer("level", 1, 9).value_or(1));
  device.verify = section.flag("verify").value_or(true);
}

}  // namespace

FenceDevice read_fence(const Section::Named& named, Findings& findings) {
  const Section section(*named.table, named.place, findings,
                        {"agent", "node", "nodes", "plug", "parameters", "action", "level", "verify", "timeout",
                         "retries", "delay", "delay_max"});
  FenceDevice device;
  device.name = named.name;
  read_agent_name(section, device);
  read_targets(section, device);
  read_parameters(section, device);
  read_action(section, device);
  read_patience(section, device);
  return device;
}

void check_fence(const FenceDevice& device, const std::vector<Node>& nodes, const Place& place, Findings& findings) {
  std::vector<std::string> known;
  for (const auto& node : nodes)
    if (node.votes()) known.push_back(node.name);
  for (const auto& [node, plug] : device.plugs)
    if (std::find(known.begin(), known.end(), node) == known.end())
      findings.add(place, fmt::format("it switches off '{}', which is not a node of the managers", node),
                   suggestion(node, known));
}

}  // namespace bascule::config::detail
