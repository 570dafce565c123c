#pragma once

#include <string>

#include "core/explain/subject.h"

namespace bascule::explain {

/// What happens to it, and why: "web moves from alice to bob: alice is in standby."
[[nodiscard]] std::string sentence_of(const policy::detail::Board& board, const Subject& subject);
/// Why `leaf` is, or is not, on a node: "bob: not chosen, its score 50 is lower than 100 for alice."
[[nodiscard]] std::string sentence_for(const policy::detail::Board& board, const Subject& subject,
                                       policy::detail::ResourceId leaf, policy::detail::NodeId node);

}  // namespace bascule::explain
