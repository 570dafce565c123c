#include <fmt/format.h>

#include <algorithm>

#include "wire/cluster_config/detail/readers.h"

/// Services that run on several nodes at once. Each copy becomes a service of its own, so that everything that is true
/// of a service (its state, its failures, maintenance, history) is true of each copy.
namespace bascule::config::detail {
namespace {

constexpr std::int64_t copies_max = 64;           // as many as nodes
constexpr std::size_t copy_name_length_max = 46;  // "service:NAME" has to fit into a slot of the lease page
constexpr std::size_t expanded_max = 90;          // all volumes, services and copies: slots of the lease page

/// "all" is a count of 0 until it is known which nodes there are.
void read_count(const Section& section, Service& service) {
  const toml::node* node = section.get("copies");
  if (node == nullptr) return;
  service.copy = Copy{service.name, {}, 0, 0};
  if (node->is_string()) {
    if (section.text("copies") != "all")
      section.findings().add(section.place("copies"),
                             fmt::format("'{}' is no number of copies", *section.text("copies")),
                             "write copies = \"all\" for one on each data node, or a number");
    return;
  }
  service.copy->count = static_cast<std::uint32_t>(section.integer("copies", 1, copies_max).value_or(1));
}

void read_without_quorum(const Section& section, Service& service) {
  const auto word = section.text("without_quorum");
  if (!word) return;
  service.keeps_without_quorum = *word == "keep";
  const Place place = section.place("without_quorum");
  if (*word != "keep" && *word != "stop")
    section.findings().add(place, fmt::format("'{}' is not known", *word), suggestion(*word, {"stop", "keep"}));
  else if (*word == "keep" && (!service.copy || service.copy->count != 0 || service.promotable))
    section.findings().add(place, "without a quorum nobody knows where else it runs, so it cannot be kept",
                           "only copies = \"all\" may be kept, and they must not be promotable");
}

/// What there is once cannot be in two places.
void refuse_exclusive_things(const Section& section, const Service& service) {
  const auto refuse = [&](const char* key, const char* hint) {
    if (section.has(key))
      section.findings().add(section.place(key), fmt::format("a service with copies has no {} of its own", key), hint);
  };
  refuse("volume", "write it in a service without copies");
  refuse("mount", "write it in a service without copies");
  refuse("address", "write another service with the address, and in it: with = \"NAME OF THIS ONE\"");
  if (!service.promotable) {
    refuse("prefer", "they run on all nodes, or where there is room");
    refuse("with", "write it in the service that belongs to a copy of this one");
    refuse("apart", "write it in the service that is to be elsewhere");
  }
  if (!service.addresses.empty() && !section.has("address"))
    section.findings().add(section.place("run"), "copies on several nodes would have the same address",
                           "give the address to a service without copies, and in it: with = \"NAME OF THIS ONE\"");
}

void check_promotable(const Section& section, const Service& service) {
  const auto& findings = section.place("promotable");
  if (service.copy->count != 0)
    section.findings().add(findings, "a promotable service has a copy on each data node",
                           "leave out copies, or write copies = \"all\"");
  if (service.steps.size() != 1 || service.steps.front().standard != "ocf")
    section.findings().add(findings, "one OCF agent can be promoted, and nothing else of a service",
                           "put the other steps into a service with after and with");
}

void read_notify(const Section& section, Service& service) {
  service.notify = section.flag("notify").value_or(false);
  if (!service.notify) return;
  const bool any =
      std::any_of(service.steps.begin(), service.steps.end(), [](const Step& step) { return step.standard == "ocf"; });
  if (!service.copy)
    section.findings().add(section.place("notify"), "a service that runs once has no copies that could be told",
                           "leave it out, or write copies = \"all\" or promotable = true");
  else if (!any)
    section.findings().add(section.place("notify"), "only OCF agents can be told", "leave it out");
}

std::string copy_name(const Service& written, const std::string& suffix) { return written.name + "@" + suffix; }

Service copy_of(const Service& written, std::uint32_t number, std::uint32_t count, const std::string& node) {
  Service one = written;
  one.name = copy_name(written, node.empty() ? std::to_string(number + 1) : node);
  one.copy = Copy{written.name, node, number, count};
  one.preferred_node.reset();
  one.with.clear();
  one.apart.clear();
  if (node.empty())
    for (std::uint32_t other = 0; other < number; ++other)
      one.apart.push_back(copy_name(written, std::to_string(other + 1)));
  return one;
}

/// Where it belongs, and that it comes after it, makes the role end before its copy does.
Service role_of(const Service& written) {
  Service role = written;
  role.is_role = true;
  role.promotable = false;
  role.copy.reset();
  role.after = {written.name + "@*"};
  role.with.push_back(written.name + "@*");
  return role;
}

std::vector<Service> expanded(const Service& written, const ClusterConfig& config) {
  if (!written.copy) return {written};
  std::vector<std::string> nodes;
  for (const auto& node : config.nodes)
    if (node.role == NodeRole::data) nodes.push_back(written.copy->count == 0 ? node.name : "");
  const auto count = static_cast<std::uint32_t>(written.copy->count == 0 ? nodes.size() : written.copy->count);
  nodes.resize(count);
  std::vector<Service> copies;
  for (std::uint32_t number = 0; number < count; ++number)
    copies.push_back(copy_of(written, number, count, nodes[number]));
  if (written.promotable) copies.push_back(role_of(written));
  return copies;
}

/// What has copies and no role of its own is named as any of its copies.
void name_copies(const ClusterConfig& written, std::vector<std::string>& names) {
  for (auto& name : names) {
    const Service* service = written.service(name);
    if (service != nullptr && service->copy && !service->promotable) name += "@*";
  }
}

}  // namespace

void read_copies(const Section& section, Service& service) {
  read_count(section, service);
  service.promotable = section.flag("promotable").value_or(false);
  if (service.promotable && !service.copy) service.copy = Copy{service.name, {}, 0, 0};
  read_without_quorum(section, service);
  read_notify(section, service);
  if (!service.copy) return;
  refuse_exclusive_things(section, service);
  if (service.promotable) check_promotable(section, service);
}

void expand_copies(ClusterConfig& config, const Places& places, Findings& findings) {
  const ClusterConfig written = config;
  config.services.clear();
  for (std::size_t index = 0; index < written.services.size(); ++index) {
    Service service = written.services[index];
    for (auto* names : {&service.after, &service.with, &service.apart}) name_copies(written, *names);
    for (auto& one : expanded(service, written)) {
      if (one.copy && one.name.size() > copy_name_length_max)
        findings.add(
            places.services[index],
            fmt::format("the name of its copy {} is longer than {} characters", one.name, copy_name_length_max),
            "give the service a shorter name");
      config.services.push_back(std::move(one));
    }
  }
  if (config.services.size() + config.volumes.size() > expanded_max)
    findings.add(places.cluster, fmt::format("{} volumes, services and copies are more than {} together",
                                             config.services.size() + config.volumes.size(), expanded_max));
}

}  // namespace bascule::config::detail
