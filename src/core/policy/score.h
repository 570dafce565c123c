#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bascule::policy {

/// How much a resource wants a node. Sums saturate at +-infinity; minus infinity absorbs everything (Pacemaker
/// Explained, "Scores").
using Score = std::int32_t;
inline constexpr Score kInfinity = 1'000'000;

[[nodiscard]] constexpr Score add(Score left, Score right) {
  if (left <= -kInfinity || right <= -kInfinity) return -kInfinity;
  if (left >= kInfinity || right >= kInfinity) return kInfinity;
  const Score sum = left + right;
  return sum >= kInfinity ? kInfinity : sum <= -kInfinity ? -kInfinity : sum;
}

/// "INFINITY", "-INFINITY", a number (clamped), or the words of node health (red, yellow, green: none of them here).
/// Nothing: not a score.
[[nodiscard]] std::optional<Score> parse_score(std::string_view text);
/// As Pacemaker writes it: "INFINITY", "-INFINITY" or digits.
[[nodiscard]] std::string text_of(Score score);

}  // namespace bascule::policy
