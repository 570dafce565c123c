#pragma once

#include <string>

#include "wire/cluster_config/config.h"

namespace bascule::config {

inline constexpr const char* default_file = "/etc/bascule/cluster.toml";

/// What `uname -n` says: which node this is, unless --node says otherwise. Empty when the kernel does not tell.
[[nodiscard]] std::string host_name();

/// What stands in the file at `path`; empty when it cannot be read.
[[nodiscard]] std::string text_of_file(const std::string& path);

/// Reads and checks the file at `path`.
[[nodiscard]] Result<ClusterConfig> load(const std::string& path);

}  // namespace bascule::config
