#include "wire/cluster_config/config.h"

#include <algorithm>
#include <vector>

#include "base/bytes.h"
#include "base/crc32c.h"

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

std::string written_name(const std::string& name) { return name.substr(0, name.find('@')); }

std::vector<const Service*> ClusterConfig::services_of(const std::string& written) const {
  std::vector<const Service*> found;
  for (const auto& one : services)
    if (one.name == written || (one.copy && one.copy->of == written)) found.push_back(&one);
  return found;
}

std::vector<const Service*> ClusterConfig::related(const std::string& named) const {
  std::vector<const Service*> found;
  for (const auto& one : services)
    if (one.name == named || (one.copy && one.copy->of + "@*" == named)) found.push_back(&one);
  return found;
}

ClusterConfig ClusterConfig::of_managers() const {
  ClusterConfig part = *this;
  std::erase_if(part.nodes, [](const Node& one) { return !one.runs_manager(); });
  std::erase_if(part.volumes, [](const Volume& one) { return one.operator_decides; });
  return part;
}

const FenceDevice* ClusterConfig::fence(const std::string& wanted) const {
  return find(fences, [&](const FenceDevice& one) { return one.name == wanted; });
}

bool ClusterConfig::two_nodes() const {
  return std::count_if(nodes.begin(), nodes.end(), [](const Node& one) { return one.votes(); }) == 2;
}

std::vector<const FenceDevice*> ClusterConfig::fences_of(const std::string& wanted) const {
  std::vector<const FenceDevice*> found;
  for (const auto& device : fences)
    if (device.plugs.count(wanted) != 0) found.push_back(&device);
  std::stable_sort(found.begin(), found.end(), [](const auto* a, const auto* b) { return a->level < b->level; });
  return found;
}

std::uint64_t definition_of(const FenceDevice& device) {
  std::string all = device.agent;
  for (const auto* table : {&device.parameters, &device.plugs})
    for (const auto& [name, value] : *table) all += "\n" + name + "=" + value;
  return crc32c(view_of(all));
}

namespace {
bool wants_fencing(const Service& service) {
  return std::any_of(service.steps.begin(), service.steps.end(), [](const Step& step) {
    return step.on_fail == OnFail::fence ||
           std::any_of(step.more_monitors.begin(), step.more_monitors.end(),
                       [](const Monitor& monitor) { return monitor.on_fail == OnFail::fence; });
  });
}
}  // namespace

std::vector<std::string> ClusterConfig::fence_reactions_without_device() const {
  std::vector<std::string> sentences;
  for (const auto& one : services) {
    if (!wants_fencing(one)) continue;
    std::string unfenced;
    for (const auto& node : nodes)
      if (node.role == NodeRole::data && fences_of(node.name).empty())
        unfenced += (unfenced.empty() ? "" : " and ") + node.name;
    if (unfenced.empty()) continue;
    auto sentence = "service " + written_name(one.name) +
                    " has on_fail = \"fence\", but no [fence.NAME] can switch off " + unfenced +
                    ": there it is only stopped";
    // Of several copies once.
    if (sentences.empty() || sentences.back() != sentence) sentences.push_back(std::move(sentence));
  }
  return sentences;
}

std::string ClusterConfig::no_takeover() const {
  if (!two_nodes()) return {};
  std::string unfenced;
  for (const auto& one : nodes)
    if (one.votes() && fences_of(one.name).empty()) unfenced += (unfenced.empty() ? "" : " and ") + one.name;
  if (unfenced.empty()) return {};
  const bool none = unfenced.find(" and ") != std::string::npos;
  if (none) return "No automatic takeover: two nodes with neither witness nor fencing";
  return "No automatic takeover from " + unfenced + ": two nodes without a witness, and no fence device for it";
}

const Service* ClusterConfig::service_of_volume(const std::string& wanted) const {
  return find(services, [&](const Service& one) { return one.volume == wanted; });
}

}  // namespace bascule::config
