#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "wire/cluster_config/config.h"

namespace bascule::cli {

/// What may stand behind `bascule key ...`.
struct KeyRequest {
  std::string action;  ///< create, list, add, use, drop
  std::string file = config::default_key_file;
  std::uint32_t id = 0;  ///< use, drop
};

/// Does it. The answer has `text`, and for scripts `file`, `keys` (their numbers) and `sending`; never a secret.
[[nodiscard]] Result<nlohmann::json> run_key(const KeyRequest& request);

}  // namespace bascule::cli
