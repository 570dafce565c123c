#pragma once

#include <optional>
#include <string>
#include <utility>

#include "core/ownership/detail/view.h"

namespace bascule::ownership::detail {

/// What a rule has to say about one thing. The first rule that speaks has the word.
struct Outcome {
  std::optional<Decision> decision;
  Explanation explanation;
  Instant plan_again = never;
};
using Said = std::optional<Outcome>;

/// Nothing to do, for this reason.
[[nodiscard]] inline Outcome explain(std::string why, std::string hint = {}, Instant plan_again = never) {
  return {std::nullopt, {std::move(why), std::move(hint)}, plan_again};
}

[[nodiscard]] Outcome decide(const View& view, const config::Service& service);
[[nodiscard]] Outcome decide(const View& view, const config::Volume& volume);

}  // namespace bascule::ownership::detail
