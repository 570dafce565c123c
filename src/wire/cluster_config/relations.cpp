#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "wire/cluster_config/detail/readers.h"

/// Relations between services: `after`, `with`, `apart`.
namespace bascule::config::detail {
namespace {

/// One name, or a list of names.
std::vector<std::string> read_names(const Section& section, std::string_view key) {
  const toml::node* node = section.get(key);
  if (node == nullptr) return {};
  const toml::array* list = node->as_array();
  if (list == nullptr) return {section.text(key).value_or("")};
  std::vector<std::string> names;
  for (const auto& one : *list) {
    if (const auto name = one.value<std::string>(); name && one.is_string())
      names.push_back(*name);
    else
      section.findings().add(section.place(key),
                             fmt::format("{} stands here, the name of a service is wanted", kind_of(one)));
  }
  return names;
}

struct Relation {
  const char* key;
  std::vector<std::string> Service::*names;
};
constexpr Relation relations[] = {{"after", &Service::after}, {"with", &Service::with}, {"apart", &Service::apart}};

Place place_of_key(const Places& places, std::size_t service, const char* key) {
  return {places.services[service].line, places.services[service].path + "." + key};
}

void check_names(const ClusterConfig& config, const Places& places, std::size_t index, Findings& findings) {
  const Service& service = config.services[index];
  std::vector<std::string> known;
  for (const auto& one : config.services)
    if (one.name != service.name) known.push_back(one.name);
  for (const auto& relation : relations)
    for (const auto& name : service.*relation.names) {
      const Place place = place_of_key(places, index, relation.key);
      if (name == service.name)
        findings.add(place, "a service has no relation with itself");
      else if (config.service(name) == nullptr)
        findings.add(place, fmt::format("service '{}' is not configured", name), suggestion(name, known));
      else if (relation.names == &Service::apart &&
               std::find(service.with.begin(), service.with.end(), name) != service.with.end())
        findings.add(place, fmt::format("it cannot be with '{}' and apart from it", name));
    }
}

/// All that a service looks at before it may be placed or started. Where two look at each other, neither ever begins.
std::vector<std::string> looks_at(const Service& service) {
  std::set<std::string> names;
  for (const auto& relation : relations)
    names.insert((service.*relation.names).begin(), (service.*relation.names).end());
  return {names.begin(), names.end()};
}

/// The circle that `path` closes, or empty.
std::vector<std::string> circle_from(const ClusterConfig& config, std::vector<std::string>& path,
                                     std::set<std::string>& done) {
  const Service* service = config.service(path.back());
  if (service == nullptr || done.contains(path.back())) return {};
  for (const auto& next : looks_at(*service)) {
    if (const auto seen = std::find(path.begin(), path.end(), next); seen != path.end()) {
      std::vector<std::string> circle(seen, path.end());
      circle.push_back(next);
      return circle;
    }
    path.push_back(next);
    if (auto circle = circle_from(config, path, done); !circle.empty()) return circle;
    path.pop_back();
  }
  done.insert(path.back());
  return {};
}

void check_circles(const ClusterConfig& config, const Places& places, Findings& findings) {
  std::set<std::string> done;
  for (std::size_t index = 0; index < config.services.size(); ++index) {
    std::vector<std::string> path{config.services[index].name};
    const auto circle = circle_from(config, path, done);
    if (circle.empty()) continue;
    std::string text;
    for (const auto& name : circle) text += (text.empty() ? "" : " -> ") + name;
    return findings.add(places.services[index], "the relations go round in a circle: " + text,
                        "of two services one looks at the other: write after, with and apart in that one only");
  }
}

}  // namespace

void read_relations(const Section& section, Service& service) {
  for (const auto& relation : relations) service.*relation.names = read_names(section, relation.key);
}

void check_relations(const ClusterConfig& config, const Places& places, Findings& findings) {
  for (std::size_t index = 0; index < config.services.size(); ++index) check_names(config, places, index, findings);
  if (!findings.first()) check_circles(config, places, findings);
}

}  // namespace bascule::config::detail
