#pragma once

#include <string>

#include "wire/cluster_config/config.h"

/// What becomes of a running cluster when its configuration is another one. Pure.
namespace bascule::reconfiguration {

/// A service that runs by `from` has to be stopped by `from` and started by `to`. False when it can go on: where it
/// prefers to be, how often it is monitored and how long its agents may take change without it.
[[nodiscard]] bool needs_restart(const config::Service& from, const config::Service& to);

/// Why a running cluster cannot go from one to the other, or empty: what every manager has to agree on at every moment,
/// name, port, keys and the times that leases and elections rest on.
[[nodiscard]] std::string reason_not_to_follow(const config::ClusterConfig& from, const config::ClusterConfig& to);

}  // namespace bascule::reconfiguration
