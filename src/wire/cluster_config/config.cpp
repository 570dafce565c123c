#include "wire/cluster_config/config.h"

#include <vector>

namespace bascule::config {
namespace {

template <typename List, typename Matches>
auto* find(List& list, Matches matches) {
  for (auto& one : list)
    if (matches(one)) return &one;
  return static_cast<decltype(&list.front())>(nullptr);
}

}  // namespace

const Node* ClusterConfig::node(const std::string& wanted) const {
  return find(nodes, [&](const Node& one) { return one.name == wanted; });
}

const Node* ClusterConfig::node(std::uint32_t id) const {
  return find(nodes, [&](const Node& one) { return one.id == id; });
}

const Volume* ClusterConfig::volume(const std::string& wanted) const {
  return find(volumes, [&](const Volume& one) { return one.name == wanted; });
}

const Service* ClusterConfig::service(const std::string& wanted) const {
  return find(services, [&](const Service& one) { return one.name == wanted; });
}

ClusterConfig ClusterConfig::of_managers() const {
  ClusterConfig part = *this;
  std::erase_if(part.nodes, [](const Node& one) { return !one.runs_manager(); });
  std::erase_if(part.volumes, [](const Volume& one) { return one.operator_decides; });
  return part;
}

const Service* ClusterConfig::service_of_volume(const std::string& wanted) const {
  return find(services, [&](const Service& one) { return one.volume == wanted; });
}

}  // namespace bascule::config
