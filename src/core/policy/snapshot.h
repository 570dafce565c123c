#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "wire/cib/model.h"

namespace bascule::policy {

/// Everything a plan depends on.
struct Snapshot {
  std::shared_ptr<const cib::Cib> cib;
  std::int64_t now_s = 0;         ///< seconds since the epoch
  bool explain = false;           ///< keep where scores come from (Board::ledger); the decisions are the same
  std::string explain_only = {};  ///< only of this resource and what it is in or consists of; empty: of all
  /// Decide as Pacemaker 2.1.5 does even where that contradicts its own documentation (README, "Faults"): to compare.
  bool with_faults = false;
};

}  // namespace bascule::policy
