#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/policy/plan.h"

/// What a change costs: what is interrupted, for how long, and what has nowhere to go.
namespace bascule::explain {

struct Interruption {
  std::string resource;
  std::string what;  ///< "moves from alice to bob"
  /// From when it stops, or stopped, until it runs again, as far as it was measured.
  std::int64_t length_ms = 0;
  bool measured = false;                ///< its own stop and start were: else the length is unknown
  bool none = false;                    ///< it migrates without being interrupted
  std::vector<std::string> unmeasured;  ///< what else counts and was never measured: "the fencing of alice"
};

struct Stranded {
  std::string resource;
  std::string reason;
};

struct Impact {
  std::vector<Interruption> interruptions;
  std::vector<Stranded> stranded;   ///< ran, and has nowhere to go
  std::vector<std::string> losses;  ///< clones with fewer places than before: "pings: alice"
};

/// `before`: how it is now, whose histories tell how long things take; `after`: a plan (with ledger) for how it would
/// be.
[[nodiscard]] Impact impact_of(const policy::Plan& before, const policy::Plan& after);

}  // namespace bascule::explain
