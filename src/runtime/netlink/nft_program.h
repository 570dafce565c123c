#pragma once

#include <string>

#include "base/result.h"

namespace bascule::netlink {

/// Runs `nft -f -` with these commands, which it takes as one transaction, and waits for it (a few milliseconds). For
/// setting up and taking down; refreshing goes through NftBatch.
[[nodiscard]] Result<void> run_nft(const std::string& commands);

}  // namespace bascule::netlink
