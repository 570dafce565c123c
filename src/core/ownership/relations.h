#pragma once

#include <string>

#include "core/ownership/plan.h"

/// What a node itself goes by, between two plans: whether what a service comes after runs. Pure.
namespace bascule::ownership {

struct Gate {
  std::string waits_for;  ///< a sentence, or empty: it may start
  bool pause = false;     ///< what it comes after certainly does not run: it is stopped until it does
};

[[nodiscard]] Gate gate(const Snapshot& snapshot, const config::Service& service, const std::string& node);

/// Nothing that comes after this service runs: it may be restarted in place.
[[nodiscard]] bool others_are_down(const Snapshot& snapshot, const config::Service& service);

}  // namespace bascule::ownership
