#include "core/store/operations.h"
#include "core/store/store.h"

namespace bascule::store {
namespace {

using config::ClusterConfig;

template <typename Things>
std::string names_of(const Things& things) {
  std::string joined;
  for (const auto& thing : things) joined += (joined.empty() ? "" : ", ") + thing.name;
  return joined.empty() ? "none" : joined;
}

template <typename Things>
Result<void> known(const char* kind, const std::string& name, const Things& things) {
  for (const auto& thing : things)
    if (thing.name == name) return {};
  return fail(std::string("there is no ") + kind + " \"" + name + "\"", "", "",
              std::string("known ") + kind + "s: " + names_of(things));
}

/// Also the name of what has copies: what is said of it is said of each.
Result<void> known_service(const ClusterConfig& config, const std::string& name) {
  if (!config.services_of(name).empty()) return {};
  return known("service", name, config.services);
}
Result<void> known_volume(const ClusterConfig& config, const std::string& name) {
  return known("volume", name, config.volumes);
}
Result<void> known_node(const ClusterConfig& config, const std::string& name) {
  return known("node", name, config.nodes);
}

Result<void> data_node(const ClusterConfig& config, const std::string& name) {
  if (auto result = known_node(config, name); !result) return result;
  for (const auto& node : config.nodes)
    if (node.name == name && node.role == config::NodeRole::witness)
      return fail(name + " is a witness", "", "a witness only votes: it runs no services and has no data");
  return {};
}

Result<void> replica(const ClusterConfig& config, const std::string& volume, const std::string& node) {
  if (auto result = known_volume(config, volume); !result) return result;
  if (auto result = data_node(config, node); !result) return result;
  for (const auto& known_volume : config.volumes)
    if (known_volume.name == volume && !known_volume.disk.contains(node))
      return fail(node + " has no copy of volume " + volume, "volume." + volume + ".disk");
  return {};
}

/// A node on which the service could run at all.
Result<void> place(const ClusterConfig& config, const std::string& service, const std::string& node) {
  if (auto result = known_service(config, service); !result) return result;
  for (const auto& known_service : config.services)
    if (known_service.name == service && known_service.volume) return replica(config, *known_service.volume, node);
  return data_node(config, node);
}

Result<void> one_place(const ClusterConfig& config, const std::string& name) {
  const auto* service = config.service(name);
  if (service != nullptr && !service->copy) return {};
  if (auto result = known_service(config, name); !result) return result;
  return fail(name + " cannot be moved", "", "its copies run on several nodes, each where it belongs",
              "bascule standby NODE, or: bascule stop " + config::written_name(name) + "@NODE");
}

Result<void> scope(const ClusterConfig& config, const std::string& written) {
  if (written == cluster_scope) return {};
  const auto name = written.substr(std::min(written.size(), written.find(':') + 1));
  if (written == service_scope(name)) return known_service(config, name);
  if (written == node_scope(name)) return data_node(config, name);
  return fail("\"" + written + "\" cannot be in maintenance", "", "",
              "the cluster, a service (service:NAME) and a node (node:NAME) can");
}

Result<void> step(const ClusterConfig& config, const std::string& service, const std::string& step) {
  if (auto result = known_service(config, service); !result || step.empty()) return result;
  return known("step", step, config.services_of(service).front()->steps);
}

struct Check {
  const ClusterConfig& config;

  Result<void> operator()(const message::SetMaintenance& c) const { return scope(config, c.scope); }
  Result<void> operator()(const message::AgeMaintenance& c) const { return scope(config, c.scope); }
  Result<void> operator()(const message::RestartService& c) const { return step(config, c.service, c.step); }
  Result<void> operator()(const message::RestartDone& c) const { return known_service(config, c.service); }
  Result<void> operator()(const message::SetHalt&) const { return {}; }

  Result<void> operator()(const message::SetStandby& c) const { return data_node(config, c.node); }
  Result<void> operator()(const message::SayGoodbye& c) const {
    if (!config.two_nodes())
      return fail("goodbye", c.node, "the other nodes have a majority without it, or nobody has",
                  "standby is enough: bascule standby " + c.node);
    return data_node(config, c.node);
  }
  Result<void> operator()(const message::SetTarget& c) const { return known_service(config, c.service); }
  Result<void> operator()(const message::MoveService& c) const {
    if (auto result = one_place(config, c.service); !result || c.to.empty()) return result;
    return place(config, c.service, c.to);
  }
  Result<void> operator()(const message::HoldVolume& c) const {
    return c.node.empty() ? known_volume(config, c.volume) : replica(config, c.volume, c.node);
  }
  Result<void> operator()(const message::ClearFailures& c) const {
    if (auto result = known_service(config, c.service); !result || c.node.empty()) return result;
    return known_node(config, c.node);
  }
  Result<void> operator()(const message::InitialiseVolume& c) const { return replica(config, c.volume, c.node); }
  Result<void> operator()(const message::GrantOwnership& c) const {
    if (!c.service.empty())
      if (auto result = place(config, c.service, c.node); !result) return result;
    return c.volume.empty() ? Result<void>() : replica(config, c.volume, c.node);
  }
  Result<void> operator()(const message::RequestStop& c) const { return known_service(config, c.service); }
  Result<void> operator()(const message::ReleaseOwnership& c) const {
    if (!c.service.empty())
      if (auto result = known_service(config, c.service); !result) return result;
    return c.volume.empty() ? Result<void>() : known_volume(config, c.volume);
  }
  Result<void> operator()(const message::ShrinkInSync& c) const { return known_volume(config, c.volume); }
  Result<void> operator()(const message::GrowInSync& c) const { return replica(config, c.volume, c.add); }
  Result<void> operator()(const message::SetRestartLease& c) const { return data_node(config, c.node); }
  // Of these the configuration in force says nothing: the manager compares (core/manager, configuration_part.cpp).
  Result<void> operator()(const message::SetConfig&) const { return {}; }
  Result<void> operator()(const message::IssueToken&) const { return {}; }
  Result<void> operator()(const message::UseToken&) const { return {}; }
  Result<void> operator()(const message::UpdateAttributes& c) const {
    return c.node == message::cluster_attributes ? Result<void>() : known_node(config, c.node);
  }
  Result<void> operator()(const message::NoteBoot& c) const { return known_node(config, c.node); }
  Result<void> operator()(const message::FenceByHand& c) const {
    if (auto result = known_node(config, c.node); !result) return result;
    if (c.act == "confirm" || c.act == "start-alone") return {};
    if (config.fences_of(c.node).empty()) return fail("nothing can fence " + c.node, "", "no [fence.NAME] names it");
    if (c.device.empty()) return {};
    if (auto result = known("fence device", c.device, config.fences); !result) return result;
    if (config.fence(c.device)->plugs.contains(c.node)) return {};
    return fail(c.device + " does not switch off " + c.node, "fence." + c.device, "");
  }
  Result<void> operator()(const message::RequestFencing& c) const {
    if (auto result = known_node(config, c.node); !result) return result;
    if (config.fences_of(c.node).empty()) return fail("nothing can fence " + c.node, "", "no [fence.NAME] names it");
    return known_node(config, c.by);
  }
  Result<void> operator()(const message::RecordFencing& c) const { return known_node(config, c.node); }
  Result<void> operator()(const message::RecordFenceTest& c) const {
    return known("fence device", c.device, config.fences);
  }
  Result<void> operator()(const message::RecordFailure& c) const {
    if (auto result = known_service(config, c.service); !result) return result;
    return known_node(config, c.node);
  }
};

}  // namespace

Result<void> validate(const message::Command& command, const config::ClusterConfig& config) {
  return std::visit(Check{config}, command);
}

}  // namespace bascule::store
