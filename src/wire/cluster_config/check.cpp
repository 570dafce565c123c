#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "wire/cluster_config/detail/readers.h"
#include "wire/cluster_config/detail/values.h"

namespace bascule::config::detail {
namespace {

constexpr std::size_t nodes_max = 64;  // members of the consensus
constexpr std::size_t slots_max = 32;  // the lease page has more, for what is on its way out
constexpr std::ptrdiff_t voters_max = 7;

/// Reports the second use of a key; `owner` says who used it first.
class Unique {
 public:
  void use(const std::string& key, const std::string& owner, const Place& place, Findings& findings, const char* as) {
    const auto [found, fresh] = first_.emplace(key, owner);
    if (!fresh)
      findings.add(place, fmt::format("{} is already {} of {}", key, as, found->second), "each needs its own");
  }

 private:
  std::map<std::string, std::string> first_;
};

std::vector<std::string> names_of_data_nodes(const ClusterConfig& config) {
  std::vector<std::string> names;
  for (const auto& node : config.nodes)
    if (node.role == NodeRole::data) names.push_back(node.name);
  return names;
}

void check_votes(const ClusterConfig& config, const Places& places, Findings& findings) {
  const auto has = [&](NodeRole role) {
    return std::any_of(config.nodes.begin(), config.nodes.end(),
                       [role](const Node& node) { return node.role == role; });
  };
  if (config.nodes.empty()) {
    findings.add(places.cluster, "no node is configured", "add [node.NAME] with its address for each machine");
    return;
  }
  const auto votes =
      std::count_if(config.nodes.begin(), config.nodes.end(), [](const Node& node) { return node.votes(); });
  if (config.nodes.size() > nodes_max)
    findings.add(places.nodes.back(), fmt::format("{} nodes are more than {}", config.nodes.size(), nodes_max));
  else if (votes > voters_max)
    findings.add(places.nodes.back(), fmt::format("{} voting nodes are more than {}", votes, voters_max));
  else if (votes > 0 && votes % 2 == 0 && !(votes == 2 && !has(NodeRole::witness)))
    findings.add(places.nodes.back(),
                 fmt::format("{} nodes are an even number of votes: half of them is no majority", votes),
                 has(NodeRole::witness) ? "add or remove one node"
                                        : "add a third machine that only votes: [node.carol] with role = \"witness\"");
  if (!has(NodeRole::data))
    findings.add(places.nodes.front(), votes > 0 ? "every node is a witness or a peer" : "every node is a peer",
                 "at least one node must have role = \"data\"");
}

void check_ids(const ClusterConfig& config, const Places& places, Findings& findings) {
  std::map<std::uint32_t, std::string> owners;
  for (std::size_t i = 0; i < config.nodes.size(); ++i) {
    const auto [first, fresh] = owners.emplace(config.nodes[i].id, config.nodes[i].name);
    if (!fresh)
      findings.add(places.nodes[i], fmt::format("the id {} is already that of {}", config.nodes[i].id, first->second),
                   "a node without an id has its place in the file, from 1: write an id for each");
  }
}

void check_addresses(const ClusterConfig& config, const Places& places, Findings& findings) {
  Unique addresses;
  for (std::size_t i = 0; i < config.nodes.size(); ++i) {
    Place place = places.nodes[i];
    place.path += ".address";
    for (const auto& address : config.nodes[i].addresses)
      addresses.use(address, config.nodes[i].name, place, findings, "the address");
  }
  for (std::size_t i = 0; i < config.services.size(); ++i)
    for (const auto& address : config.services[i].addresses)
      addresses.use(address, config.services[i].name, places.services[i], findings, "the address");
}

std::vector<std::string> names_of_nodes_for(const Volume& volume, const ClusterConfig& config) {
  std::vector<std::string> names = names_of_data_nodes(config);
  for (const auto& node : config.nodes)
    if (node.role == NodeRole::peer && volume.operator_decides) names.push_back(node.name);
  return names;
}

void check_replica(const std::string& name, const Volume& volume, const ClusterConfig& config, const Place& place,
                   Findings& findings) {
  const Node* node = config.node(name);
  if (node == nullptr)
    findings.add(place, fmt::format("disk names '{}', which is not a node", name),
                 suggestion(name, names_of_nodes_for(volume, config)));
  else if (node->role == NodeRole::witness)
    findings.add(place, fmt::format("disk names '{}', which is a witness and keeps no data", name));
  else if (node->role == NodeRole::peer && !volume.operator_decides)
    findings.add(place, fmt::format("disk names '{}', which is a peer and obeys no lease", name),
                 "write authority = \"operator\" for a volume that a DRBD node replicates");
  else if (node->role == NodeRole::peer && volume.encrypted)
    findings.add(place, fmt::format("'{}' is a peer, and DRBD 8.4 speaks no TLS", name),
                 "write encryption = \"none\", and replicate over a network of your own");
}

void check_replicas(const Volume& volume, const ClusterConfig& config, const Place& place, Findings& findings) {
  const auto usable = names_of_nodes_for(volume, config);
  for (const auto& [name, path] : volume.disk) check_replica(name, volume, config, place, findings);
  const bool at_home = std::any_of(volume.disk.begin(), volume.disk.end(), [&](const auto& one) {
    return config.node(one.first) != nullptr && config.node(one.first)->role == NodeRole::data;
  });
  if (volume.disk.size() == 2 && !at_home)
    findings.add(place, "both of its nodes are peers", "one of the two must have role = \"data\"");
  const bool one_is_diskless = volume.operator_decides && volume.disk.size() == 1 && usable.size() == 2;
  if (volume.disk.size() == 2 || one_is_diskless) return;
  const std::string hint = "say which two: disk = { alice = \"/dev/sdb\", bob = \"/dev/sdc\" }";
  if (volume.disk.size() > 2)
    findings.add(place, fmt::format("a volume has two replicas, this one would have {}", volume.disk.size()), hint);
  for (const auto& name : usable)
    if (volume.disk.count(name) == 0)
      findings.add(place, fmt::format("there is no disk on {}; a volume needs two", name), hint);
  if (usable.size() < 2)
    findings.add(place,
                 volume.operator_decides ? "a volume needs two nodes with role = \"data\" or \"peer\""
                                         : "a volume needs two nodes with role = \"data\"",
                 "add a node, or make a witness a data node");
}

/// Where a volume keeps something of its own on a node: two volumes must not share it.
void check_places_on_disk(const Volume& volume, const Place& place, Unique& disks, Findings& findings) {
  for (const auto& [node, path] : volume.disk)
    disks.use(fmt::format("{} on {}", path, node), volume.name, place, findings, "the disk");
  for (const auto& [node, where] : volume.metadata)
    if (where != "internal")
      disks.use(fmt::format("{} on {}", where, node), volume.name, place, findings, "the disk or metadata");
}

void check_volumes(const ClusterConfig& config, const Places& places, Findings& findings) {
  Unique ports, disks, minors;
  for (std::size_t i = 0; i < config.volumes.size(); ++i) {
    const Volume& volume = config.volumes[i];
    check_replicas(volume, config, places.volumes[i], findings);
    ports.use(fmt::format("port {}", volume.port), volume.name, places.volumes[i], findings, "the port");
    minors.use(fmt::format("minor {}", volume.minor), volume.name, places.volumes[i], findings, "the device");
    check_places_on_disk(volume, places.volumes[i], disks, findings);
  }
}

template <typename Named>
std::vector<std::string> names_of(const std::vector<Named>& list) {
  std::vector<std::string> names;
  for (const auto& one : list) names.push_back(one.name);
  return names;
}

void check_service_volume(const Service& service, const ClusterConfig& config, const Place& place, Findings& findings) {
  const Volume* volume = config.volume(*service.volume);
  if (volume == nullptr) {
    findings.add(place, fmt::format("volume '{}' is not configured", *service.volume),
                 suggestion(*service.volume, names_of(config.volumes)));
    return;
  }
  if (volume->operator_decides)
    findings.add(place, fmt::format("volume '{}' is the operator's: the cluster does not promote it", volume->name),
                 "write authority = \"cluster\" in the volume, or run the service without it");
  const Service* first = config.service_of_volume(*service.volume);
  if (first->name != service.name)
    findings.add(place, fmt::format("volume '{}' already belongs to service '{}'", *service.volume, first->name),
                 "a volume moves with one service: put both into one service, or give each its volume");
  if (service.preferred_node && config.node(*service.preferred_node) != nullptr &&
      volume->disk.count(*service.preferred_node) == 0)
    findings.add(place,
                 fmt::format("it prefers '{}', where volume '{}' has no disk", *service.preferred_node, volume->name));
}

void check_preference(const Service& service, const ClusterConfig& config, const Place& place, Findings& findings) {
  const Node* node = config.node(*service.preferred_node);
  if (node == nullptr)
    findings.add(place, fmt::format("it prefers '{}', which is not a node", *service.preferred_node),
                 suggestion(*service.preferred_node, names_of_data_nodes(config)));
  else if (node->role == NodeRole::witness)
    findings.add(place, fmt::format("it prefers '{}', which is a witness and runs no service", node->name));
  else if (node->role == NodeRole::peer)
    findings.add(place, fmt::format("it prefers '{}', which is a peer and runs nothing of ours", node->name));
}

void check_services(const ClusterConfig& config, const Places& places, Findings& findings) {
  for (std::size_t i = 0; i < config.services.size(); ++i) {
    const Service& service = config.services[i];
    const auto at = [&](const char* key) { return Place{places.services[i].line, places.services[i].path + key}; };
    if (service.volume) check_service_volume(service, config, at(".volume"), findings);
    if (service.preferred_node) check_preference(service, config, at(".prefer"), findings);
  }
}

void check_slots(const ClusterConfig& config, const Places& places, Findings& findings) {
  const std::size_t slots = config.volumes.size() + config.services.size();
  if (slots > slots_max)
    findings.add(places.cluster, fmt::format("{} volumes and services are more than {} together", slots, slots_max));
}

}  // namespace

void check_together(const ClusterConfig& config, const Places& places, Findings& findings) {
  check_votes(config, places, findings);
  check_ids(config, places, findings);
  check_addresses(config, places, findings);
  check_volumes(config, places, findings);
  check_services(config, places, findings);
  check_slots(config, places, findings);
}

}  // namespace bascule::config::detail
