#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/explain/edit.h"
#include "core/explain/smallest.h"

namespace bascule::explain {

/// A change that might do.
struct Candidate {
  enum class Rank : std::uint8_t { forget, resume, switch_on, score, drop, add, bring_back, standby } rank;
  std::int64_t amount = 0;  ///< of a score
  std::string text;
  Edit edit;
};

/// Smallest first; each once.
[[nodiscard]] std::vector<Candidate> candidates(const policy::detail::Board& board, const Subject& subject, Goal goal);

}  // namespace bascule::explain
