#pragma once

#include <string>

#include "core/policy/board.h"

namespace bascule::explain {

/// A ledger of all scores would not cost too much memory.
[[nodiscard]] bool affords_ledger(const cib::Cib& cib);
/// Why an action is done: one sentence without its full stop, never empty.
[[nodiscard]] std::string why_action(const policy::detail::Board& board, const policy::detail::Action& action);
/// Why a resource leaves where it is, or starts; of one that stays and is restarted, why that.
[[nodiscard]] std::string why_changed(const policy::detail::Board& board, policy::detail::ResourceId resource);
/// Why a resource has no node.
[[nodiscard]] std::string why_nowhere(const policy::detail::Board& board, policy::detail::ResourceId resource);
/// What forbids a node to a resource: the strongest negative summand of its score, or "" if the score is none or not
/// negative. Without a ledger only the score is told.
[[nodiscard]] std::string what_forbids(const policy::detail::Board& board, policy::detail::ResourceId resource,
                                       policy::detail::NodeId node);

}  // namespace bascule::explain
