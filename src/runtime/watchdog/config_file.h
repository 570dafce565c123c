#pragma once

#include <string>

#include "wire/cluster_config/config.h"

namespace bascule::config {

inline constexpr const char* default_file = "/etc/bascule/cluster.toml";

/// Reads and checks the file at `path`.
[[nodiscard]] Result<ClusterConfig> load(const std::string& path);

}  // namespace bascule::config
