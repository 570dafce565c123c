#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/policy/board.h"

namespace bascule::explain {

/// What is meant by a resource's name.
struct Subject {
  std::string name;
  policy::detail::ResourceId whole = policy::detail::kNone;
  /// What is placed for it: itself, a group's first member, each of a clone's instances, a bundle's containers.
  std::vector<policy::detail::ResourceId> leaves;
  [[nodiscard]] bool several() const { return leaves.size() > 1; }
};

/// By its id, or as a clone's primitive is called in the configuration.
[[nodiscard]] Result<Subject> find_subject(const policy::detail::Board& board, std::string_view name);
[[nodiscard]] Result<policy::detail::NodeId> find_node(const policy::detail::Board& board, std::string_view name);
/// The leaf that tells most about a node: which is placed there, runs there, has no place, or likes it best.
[[nodiscard]] policy::detail::ResourceId leaf_for(const policy::detail::Board& board, const Subject& subject,
                                                  policy::detail::NodeId node);
/// It has a place, and nothing keeps it from starting there.
[[nodiscard]] bool placed(const policy::detail::Board& board, policy::detail::ResourceId leaf);
/// Its start is needed and cannot be done; null: it can, or there is none.
[[nodiscard]] const policy::detail::Action* blocked_start(const policy::detail::Board& board,
                                                          policy::detail::ResourceId leaf);
/// Where it is or will be, by name, each once.
[[nodiscard]] std::vector<std::string> places(const policy::detail::Board& board, const Subject& subject);
/// Could it be placed there: the node is up and willing, and the score not negative.
[[nodiscard]] bool could_run(const policy::detail::Board& board, policy::detail::ResourceId leaf,
                             policy::detail::NodeId node);

}  // namespace bascule::explain
