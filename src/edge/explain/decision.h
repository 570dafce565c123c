#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/decisions/record.h"

namespace bascule::explain {

/// A decision of the manager that was taken again.
struct Replayed {
  decisions::Record record;  ///< with what is supposed
  decisions::Replay again;
  std::size_t number = 0, of = 0;     ///< its place in the file, from 1
  std::vector<std::string> supposed;  ///< phrases; empty: it was taken again as it was
};

/// What was seen, what was decided and why, and whether it is decided again; then what stands and why.
[[nodiscard]] std::string decision_text(const Replayed& replayed);
/// node, term, wall_ms, number, of, seen (node, online, age_ms, lease_over), decided and again (command, reason), same,
/// supposed, summary, why (subject, why, hint).
[[nodiscard]] nlohmann::json decision_json(const Replayed& replayed);

}  // namespace bascule::explain
