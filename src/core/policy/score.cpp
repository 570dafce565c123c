// Scores with their two infinities, and roles, as they are written.
#include "core/policy/score.h"

#include <algorithm>
#include <charconv>

#include "core/policy/role.h"

namespace bascule::policy {

std::optional<Score> parse_score(std::string_view text) {
  const bool minus = !text.empty() && text.front() == '-';
  const std::string_view word = !text.empty() && (minus || text.front() == '+') ? text.substr(1) : text;
  if (word == "INFINITY" || word == "infinity") return minus ? -kInfinity : kInfinity;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (end == word.data()) return std::nullopt;
  if (error == std::errc::result_out_of_range) number = kInfinity;
  number = std::min<std::int64_t>(number, kInfinity);
  return static_cast<Score>(minus ? -number : number);
}

std::string text_of(Score score) {
  if (score >= kInfinity) return "INFINITY";
  if (score <= -kInfinity) return "-INFINITY";
  return std::to_string(score);
}

const char* name_of(Role role) {
  switch (role) {
    case Role::Stopped:
      return "Stopped";
    case Role::Started:
      return "Started";
    case Role::Unpromoted:
      return "Unpromoted";
    case Role::Promoted:
      return "Promoted";
    default:
      return "Unknown";
  }
}

Role role_of(std::string_view word) {
  std::string lower(word);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  if (lower == "stopped") return Role::Stopped;
  if (lower == "started") return Role::Started;
  if (lower == "unpromoted" || lower == "slave") return Role::Unpromoted;
  if (lower == "promoted" || lower == "master") return Role::Promoted;
  return Role::Unknown;
}

}  // namespace bascule::policy
