#pragma once

#include <optional>

#include "core/policy/detail/view.h"

namespace bascule::policy::detail {

/// What a rule has to say about one thing. The first rule that speaks has the word.
struct Outcome {
  std::optional<Decision> decision;
  Explanation explanation;
  Instant plan_again = never;
};

[[nodiscard]] Outcome decide(const View& view, const config::Service& service);
[[nodiscard]] Outcome decide(const View& view, const config::Volume& volume);

}  // namespace bascule::policy::detail
