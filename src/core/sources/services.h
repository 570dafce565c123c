#pragma once

#include "wire/cib/model.h"
#include "wire/cluster_config/config.h"

/// cluster.toml in the policy's model.
namespace bascule::sources {

/// The configuration: nodes, resources, constraints, properties; no status. Names that a volume shares with a service
/// get "-volume", "-volume-2", ...; README.md has the table.
[[nodiscard]] cib::Cib compile(const config::ClusterConfig& config);

/// The status of a cluster in which each node of the configuration is a member and nothing runs yet; both replicas of
/// each volume are UpToDate.
void all_up(cib::Cib& compiled);

}  // namespace bascule::sources
