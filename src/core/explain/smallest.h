#pragma once

#include "core/explain/subject.h"
#include "core/explain/why.h"

namespace bascule::explain {

/// What a change is to bring about.
struct Goal {
  enum class What : std::uint8_t {
    change,  ///< it is somewhere else than it would be
    run,     ///< it runs anywhere
    come,    ///< it is on `node`
    leave    ///< it is not on `node`
  } what = What::change;
  policy::detail::NodeId node = policy::detail::kNone;
};

/// Fills in the answer's smallest change, or why there is none. Of the changes that come into question (at most a
/// number that falls with the size of the cluster) the first that a new plan proves, in this order: failures forgotten;
/// a standby or maintenance ended; a target-role, property or ticket; a score changed, by the least; a constraint
/// dropped; a constraint added; a node or quorum brought back; a node put in standby.
void find_smallest(const policy::Snapshot& snapshot, const policy::detail::Board& board, const Subject& subject,
                   Goal goal, Answer& answer);

}  // namespace bascule::explain
