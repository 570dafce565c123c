#include "core/membership/lease_names.h"

namespace bascule::membership {

std::string volume_lease(const std::string& volume) { return "volume:" + volume; }
std::string service_lease(const std::string& service) { return "service:" + service; }

std::vector<message::GrantedLease> leases_of(const store::ClusterState& state, const std::string& node) {
  std::vector<message::GrantedLease> leases;
  for (const auto& [name, service] : state.services)
    if (service.owner == node) leases.push_back({service_lease(name), service.epoch});
  for (const auto& [name, volume] : state.volumes)
    if (volume.owner == node) leases.push_back({volume_lease(name), volume.epoch});
  return leases;
}

}  // namespace bascule::membership
