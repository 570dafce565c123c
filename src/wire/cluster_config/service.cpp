#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "wire/cluster_config/detail/readers.h"
#include "wire/cluster_config/detail/values.h"

namespace bascule::config::detail {
namespace {

const std::vector<std::string> timing_keys{"start_timeout", "stop_timeout", "monitor_timeout", "monitor_interval",
                                           "on_fail"};

std::vector<std::string> with_timing(std::vector<std::string> keys) {
  keys.insert(keys.end(), timing_keys.begin(), timing_keys.end());
  keys.emplace_back("more_monitors");
  return keys;
}

void read_on_fail(const Section& section, OnFail& on_fail) {
  const auto word = section.text("on_fail");
  if (!word) return;
  if (const auto known = on_fail_of(*word))
    on_fail = *known;
  else
    section.findings().add(section.place("on_fail"), fmt::format("'{}' is no reaction to a failure", *word),
                           suggestion(*word, {"restart", "ignore", "stop", "block", "standby", "fence"}));
}

Monitor read_monitor(const Section& section) {
  Monitor monitor;
  monitor.interval = section.duration("interval").value_or(Duration::zero());
  monitor.timeout = section.duration("timeout").value_or(monitor.timeout);
  monitor.check_level = static_cast<std::uint32_t>(section.integer("check_level", 0, 100).value_or(0));
  read_on_fail(section, monitor.on_fail);
  if (monitor.interval == Duration::zero())
    section.findings().add(section.place(), "a recurring monitor needs an interval",
                           "write { interval = \"60s\", check_level = 10 }");
  if (section.has("timeout") && monitor.timeout == Duration::zero())
    section.findings().add(section.place("timeout"), "a timeout of zero would always expire");
  return monitor;
}

/// Agents tell their recurring monitors apart by the interval.
void read_more_monitors(const Section& section, Step& step) {
  const toml::node* node = section.get("more_monitors");
  if (node == nullptr) return;
  const Place place = section.place("more_monitors");
  const std::string hint = "write more_monitors = [{ interval = \"60s\", check_level = 10 }]";
  if (!node->is_array())
    return section.findings().add(place, fmt::format("{} stands here, a list is wanted", kind_of(*node)), hint);
  for (const auto& one : *node->as_array()) {
    if (!one.is_table()) return section.findings().add(place, fmt::format("{} is no monitor", kind_of(one)), hint);
    const Section table(*one.as_table(), place, section.findings(), {"interval", "timeout", "check_level", "on_fail"});
    const Monitor monitor = read_monitor(table);
    const bool used = monitor.interval == step.monitor_interval ||
                      std::any_of(step.more_monitors.begin(), step.more_monitors.end(),
                                  [&](const Monitor& other) { return other.interval == monitor.interval; });
    if (used) section.findings().add(place, "two monitors of one step have the same interval", "give each its own");
    step.more_monitors.push_back(monitor);
  }
}

void read_step_timing(const Section& section, Step& step) {
  step.start_timeout = section.duration("start_timeout").value_or(step.start_timeout);
  step.stop_timeout = section.duration("stop_timeout").value_or(step.stop_timeout);
  step.monitor_timeout = section.duration("monitor_timeout").value_or(step.monitor_timeout);
  step.notify_timeout = section.duration("notify_timeout").value_or(step.notify_timeout);
  step.monitor_interval = section.duration("monitor_interval").value_or(step.monitor_interval);
  for (const char* key : {"start_timeout", "stop_timeout", "monitor_timeout", "notify_timeout"})
    if (section.has(key) && section.duration(key) == Duration::zero())
      section.findings().add(section.place(key), "a timeout of zero would always expire");
  read_on_fail(section, step.on_fail);
  read_more_monitors(section, step);
}

bool is_unit_name(std::string_view text) {
  const auto allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view(":-_.\\@").find(c) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= 250 && text.front() != '.' && std::all_of(text.begin(), text.end(), allowed);
}

/// "lsb:NAME" and "systemd:UNIT"; false: it is something else.
bool read_script_or_unit(const std::string& written, const Place& place, Findings& findings, Step& step) {
  const auto colon = written.find(':');
  step.standard = written.substr(0, colon);
  if (step.standard != "lsb" && step.standard != "systemd") return false;
  step.type = colon == std::string::npos ? std::string{} : written.substr(colon + 1);
  step.name = step.type.ends_with(".service") ? step.type.substr(0, step.type.size() - 8) : step.type;
  if (step.standard == "lsb" && !is_name(step.type, 64))
    findings.add(place, fmt::format("'{}' does not name a script of /etc/init.d", written),
                 "write it like \"lsb:foo\"");
  if (step.standard == "systemd" && !is_unit_name(step.type))
    findings.add(place, fmt::format("'{}' does not name a unit", written), "write it like \"systemd:nginx.service\"");
  return true;
}

/// "ocf:heartbeat:apache", or "ocf:apache" for the provider heartbeat.
void read_agent(const std::string& written, const Place& place, Findings& findings, Step& step) {
  if (read_script_or_unit(written, place, findings, step)) return;
  const std::string hint = "write it like \"ocf:heartbeat:apache\", \"systemd:nginx\" or \"lsb:foo\"";
  const auto first = written.find(':');
  const auto last = written.rfind(':');
  step.standard = written.substr(0, first);
  step.provider = first == last ? "heartbeat" : written.substr(first + 1, last - first - 1);
  step.type = first == std::string::npos ? std::string{} : written.substr(last + 1);
  step.name = step.type;
  if (step.standard != "ocf")
    findings.add(place, fmt::format("'{}' is neither an OCF agent nor a unit nor a script", written), hint);
  else if (!is_name(step.provider, 64) || !is_name(step.type, 64))
    findings.add(place, fmt::format("'{}' does not name a provider and an agent", written), hint);
}

void set_parameter(const std::string& name, const toml::node& value, const Place& place, Findings& findings,
                   Step& step) {
  if (!is_parameter_name(name)) findings.add(place, fmt::format("'{}' cannot be the name of a parameter", name));
  if (const auto* text = value.as_string())
    step.parameters[name] = text->get();
  else if (const auto* number = value.as_integer())
    step.parameters[name] = fmt::format("{}", number->get());
  else if (const auto* flag = value.as_boolean())
    step.parameters[name] = flag->get() ? "true" : "false";
  else
    findings.add(place,
                 fmt::format("{} stands here, a parameter is a string, an integer, true or false", kind_of(value)));
  if (step.parameters[name].find('\0') != std::string::npos) findings.add(place, "a NUL character in a parameter");
}

void read_parameters(const Section& section, Step& step) {
  const std::vector<std::string> own = with_timing({"agent", "name", "parameters", "notify_timeout"});
  for (const auto& [key, value] : section.table()) {
    const std::string name(key.str());
    if (std::find(own.begin(), own.end(), name) != own.end()) continue;
    if (const auto meant = nearest(name, timing_keys))
      section.findings().add(section.place(name), "this key is not known", fmt::format("did you mean '{}'?", *meant));
    set_parameter(name, value, section.place(name), section.findings(), step);
  }
  const toml::node* more = section.get("parameters");
  if (more == nullptr) return;
  if (!more->is_table()) {
    section.findings().add(section.place("parameters"),
                           fmt::format("{} stands here, a table is wanted", kind_of(*more)));
    return;
  }
  for (const auto& [key, value] : *more->as_table())
    set_parameter(std::string(key.str()), value, section.place("parameters").inside(key.str(), &value),
                  section.findings(), step);
}

Step read_step_table(const Section& section) {
  Step step;
  const std::string agent = section.required_text("agent", "write { agent = \"ocf:heartbeat:apache\", ... }");
  if (!agent.empty()) read_agent(agent, section.place("agent"), section.findings(), step);
  if (const auto name = section.text("name")) {
    step.name = *name;
    if (!is_name(step.name, 64))
      section.findings().add(section.place("name"), fmt::format("'{}' is not a name", step.name));
  }
  read_step_timing(section, step);
  read_parameters(section, step);
  if (step.standard != "ocf" && !step.parameters.empty())
    section.findings().add(section.place(step.parameters.begin()->first),
                           fmt::format("'{}' takes no parameters", agent));
  if (step.standard == "systemd" && !step.more_monitors.empty())
    section.findings().add(section.place("more_monitors"), "a unit has one state and so one monitor");
  return step;
}

/// The kernel guards an address only when it is known to be a service address, so one given to IPaddr2 in `run` counts.
void note_guarded_address(const Step& step, const Place& place, Findings& findings, Service& service) {
  if (step.type != "IPaddr2" && step.type != "IPaddr" && step.type != "IPv6addr") return;
  const std::string key = step.type == "IPv6addr" ? "ipv6addr" : "ip";
  const auto ip = step.parameters.find(key);
  const auto address =
      ip == step.parameters.end() ? std::nullopt : parse_address(ip->second.substr(0, ip->second.find('/')));
  if (!address)
    findings.add(place, fmt::format("{} needs {} = \"ADDRESS\"", step.type, key),
                 "or write address = \"10.0.0.10/24\" in the service");
  else
    service.addresses.push_back(*address);
}

void add_step(Step step, const Place& place, Findings& findings, Service& service) {
  for (const auto& other : service.steps)
    if (other.name == step.name)
      findings.add(place, fmt::format("two steps of this service are called '{}'", step.name),
                   fmt::format("give one of them a name: {{ agent = \"...\", name = \"{}-2\" }}", step.name));
  service.steps.push_back(std::move(step));
}

void read_make(const Section& mount, Step& step) {
  if (!mount.flag("make").value_or(false)) return;
  const std::string& type = step.parameters["fstype"];
  if (type != "ext4" && type != "xfs")
    mount.findings().add(mount.place("make"), fmt::format("a file system of type '{}' is not made by us", type),
                         "make it yourself, while the volume is primary by hand, or take ext4 or xfs");
  step.parameters["make"] = "true";
}

void read_mount(const Section& section, Service& service) {
  const toml::node* node = section.get("mount");
  if (node == nullptr) return;
  Step step;
  step.name = step.type = "mount";
  step.standard = built_in;
  step.parameters["fstype"] = "ext4";
  Place place = section.place("mount");
  std::string directory;
  if (const auto* table = node->as_table()) {
    const Section mount(*table, place, section.findings(), with_timing({"directory", "fstype", "options", "make"}));
    directory = mount.required_text("directory", "write mount = \"/srv/data\"");
    step.parameters["fstype"] = mount.text("fstype").value_or("ext4");
    if (const auto options = mount.text("options")) step.parameters["options"] = *options;
    read_make(mount, step);
    read_step_timing(mount, step);
  } else {
    directory = section.text("mount").value_or("");
  }
  if (directory.size() < 2 || directory.front() != '/')
    section.findings().add(place, fmt::format("'{}' is not a directory to mount on", directory),
                           "write the whole path, like \"/srv/data\"");
  if (!service.volume)
    section.findings().add(place, "there is nothing to mount: the service has no volume", "add volume = \"NAME\"");
  step.parameters["directory"] = directory;
  add_step(std::move(step), place, section.findings(), service);
}

void add_address(const std::string& written, const Place& place, Findings& findings, Step step, Service& service) {
  const auto address = parse_address_with_prefix(written);
  if (!address) {
    findings.add(place, fmt::format("'{}' is not an address with its network's length", written),
                 "write it like \"10.77.0.10/24\"");
    return;
  }
  step.parameters["ip"] = address->address;
  step.parameters["cidr_netmask"] = fmt::format("{}", address->prefix);
  if (!service.addresses.empty()) step.name = fmt::format("address-{}", service.addresses.size() + 1);
  service.addresses.push_back(address->address);
  add_step(std::move(step), place, findings, service);
}

void read_one_address(const Section& section, const toml::node& node, const Place& place, Service& service) {
  Step step;
  step.name = step.type = "address";
  step.standard = built_in;
  if (const auto* text = node.as_string()) {
    add_address(text->get(), place, section.findings(), std::move(step), service);
  } else if (const auto* table = node.as_table()) {
    const Section one(*table, place, section.findings(), with_timing({"ip", "nic"}));
    if (const auto nic = one.text("nic")) step.parameters["nic"] = *nic;
    read_step_timing(one, step);
    add_address(one.required_text("ip", "write { ip = \"10.77.0.10/24\", nic = \"eth0\" }"), place, section.findings(),
                std::move(step), service);
  } else {
    section.findings().add(place, fmt::format("{} stands here, an address is wanted", kind_of(node)),
                           "write it like \"10.77.0.10/24\"");
  }
}

void read_addresses(const Section& section, Service& service) {
  const toml::node* node = section.get("address");
  if (node == nullptr) return;
  const Place place = section.place("address");
  if (const auto* list = node->as_array())
    for (const auto& one : *list) read_one_address(section, one, place, service);
  else
    read_one_address(section, *node, place, service);
}

void read_one_run(const Section& section, const toml::node& node, const Place& place, Service& service) {
  Step step;
  if (const auto* agent = node.as_string()) {
    read_agent(agent->get(), place, section.findings(), step);
  } else if (const auto* table = node.as_table()) {
    step = read_step_table(Section(*table, place, section.findings(), {}));
  } else {
    section.findings().add(place, fmt::format("{} stands here, an agent is wanted", kind_of(node)),
                           "write \"ocf:heartbeat:apache\" or { agent = \"ocf:heartbeat:apache\", ... }");
    return;
  }
  note_guarded_address(step, place, section.findings(), service);
  add_step(std::move(step), place, section.findings(), service);
}

void read_run(const Section& section, Service& service) {
  const toml::node* node = section.get("run");
  if (node == nullptr) return;
  const Place place = section.place("run");
  if (const auto* list = node->as_array()) {
    std::size_t index = 0;
    for (const auto& one : *list)
      read_one_run(section, one, {one.source().begin.line, fmt::format("{}[{}]", place.path, index++)}, service);
  } else {
    read_one_run(section, *node, place, service);
  }
}

}  // namespace

Service read_service(const Section::Named& named, Findings& findings) {
  const Section section(*named.table, named.place, findings,
                        {"volume", "prefer", "mount", "address", "run", "stickiness", "autostart",
                         "migration_threshold", "start_failure_is_fatal", "failure_timeout", "copies", "without_quorum",
                         "promotable", "notify", "after", "with", "apart"});
  Service service;
  service.name = named.name;
  service.volume = section.text("volume");
  service.preferred_node = section.text("prefer");
  service.stickiness = static_cast<std::uint32_t>(section.integer("stickiness", 0, 1'000'000).value_or(100));
  service.autostart = section.flag("autostart").value_or(true);
  service.migration_threshold =
      static_cast<std::uint32_t>(section.integer("migration_threshold", 1, 1'000'000).value_or(3));
  service.start_failure_is_fatal = section.flag("start_failure_is_fatal").value_or(true);
  service.failure_timeout = section.duration("failure_timeout").value_or(service.failure_timeout);
  read_mount(section, service);
  read_addresses(section, service);
  read_run(section, service);
  read_relations(section, service);
  read_copies(section, service);
  if (service.steps.empty())
    findings.add(named.place, "the service has nothing to run", "give it a mount, an address or run = [ ... ]");
  return service;
}

}  // namespace bascule::config::detail
