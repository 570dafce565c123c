#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/policy/board.h"

/// What stands on a board, in words. No sentence ends with a full stop here.
namespace bascule::explain {

/// "2026-11-23 05:00:00Z".
[[nodiscard]] std::string time_text(std::int64_t epoch_s);
/// "350 ms", "2.5 s", "2 min 5 s".
[[nodiscard]] std::string length_text(std::int64_t length_ms);
/// "a", "a and b", "a, b and 3 more": at most `most` of them by name.
[[nodiscard]] std::string list_text(const std::vector<std::string>& names, std::size_t most = 5);
/// An instance's name without its number.
[[nodiscard]] std::string base_of(const std::string& id);
/// The name most like `wanted`, or nothing if none is.
[[nodiscard]] std::string most_like(std::string_view wanted, const std::vector<std::string>& names);

/// "is in standby": why nothing can be placed there; empty if it can.
[[nodiscard]] std::string node_trouble(const policy::detail::Board& board, policy::detail::NodeId node);
/// What is recorded about failures of a resource on a node.
struct Failures {
  policy::Score count = 0;
  std::int64_t last_s = 0;                       ///< 0: unknown
  const cib::OperationResult* result = nullptr;  ///< the newest failed one; null: none is recorded
};
[[nodiscard]] Failures failures_of(const policy::detail::Board& board, policy::detail::ResourceId resource,
                                   policy::detail::NodeId node);
/// "monitor failed on alice at 2026-11-23 05:00:00Z (rc 1, \"no answer\")"; empty: no failure is recorded.
[[nodiscard]] std::string failure_text(const policy::detail::Board& board, policy::detail::ResourceId resource,
                                       policy::detail::NodeId node);
/// One summand of a resource's score for a node: "location web-likes-alice".
[[nodiscard]] std::string cause_text(const policy::detail::Board& board, policy::detail::ResourceId resource,
                                     policy::detail::NodeId node, const policy::detail::Contribution& summand);

}  // namespace bascule::explain
