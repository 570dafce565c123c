#include "core/store/operations.h"

#include "wire/cluster_config/config.h"

namespace bascule::store {
namespace {

constexpr std::string_view service_prefix = "service:", node_prefix = "node:";

const std::string* agreed(const ClusterState& state, const std::string& scope) {
  const auto found = state.maintenance.find(scope);
  return found == state.maintenance.end() ? nullptr : &found->first;
}

}  // namespace

std::string service_scope(const std::string& service) { return std::string(service_prefix) + service; }
std::string node_scope(const std::string& node) { return std::string(node_prefix) + node; }

std::string scope_text(const std::string& scope) {
  if (scope.starts_with(service_prefix)) return scope.substr(service_prefix.size());
  if (scope.starts_with(node_prefix)) return "the node " + scope.substr(node_prefix.size());
  return "the cluster";
}

std::string scope_option(const std::string& scope) {
  if (scope.starts_with(service_prefix)) return " --service " + scope.substr(service_prefix.size());
  if (scope.starts_with(node_prefix)) return " --node " + scope.substr(node_prefix.size());
  return "";
}

const std::string* in_maintenance(const ClusterState& state, const std::string& service, const std::string& node) {
  if (const auto* scope = agreed(state, cluster_scope)) return scope;
  if (!service.empty())
    for (const auto& name : {service, config::written_name(service)})
      if (const auto* scope = agreed(state, service_scope(name))) return scope;
  return node.empty() ? nullptr : agreed(state, node_scope(node));
}

}  // namespace bascule::store
