#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/explain/why.h"

namespace bascule::explain {

/// For people: a sentence for each node, then what the scores are made of, then the smallest change.
[[nodiscard]] std::string why_text(const Answer& answer);
/// For programs: the same, complete.
[[nodiscard]] nlohmann::json why_json(const Answer& answer);

}  // namespace bascule::explain
