#pragma once

#include <string>
#include <vector>

#include "core/store/state.h"
#include "wire/cluster_message/message.h"

namespace bascule::membership {

/// "volume:data", "service:shop": how leases are called on the wire and in the lease page.
[[nodiscard]] std::string volume_lease(const std::string& volume);
[[nodiscard]] std::string service_lease(const std::string& service);

/// Everything that `state` says `node` owns, with its epochs, ordered by name.
[[nodiscard]] std::vector<message::GrantedLease> leases_of(const store::ClusterState& state, const std::string& node);

}  // namespace bascule::membership
