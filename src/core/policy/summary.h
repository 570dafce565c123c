#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/policy/board.h"

/// What a plan does to each resource and node, as one change each (crm_simulate: "Transition Summary").
namespace bascule::policy::detail {

enum class Verb : std::uint8_t {
  Start,
  Stop,
  Restart,
  Recover,
  Move,
  Migrate,
  Reload,
  Promote,
  Demote,
  RePromote,
  Fence,
  Shutdown
};
/// As crm_simulate writes it: "Start", "Re-promote".
[[nodiscard]] const char* name_of(Verb verb);

struct Change {
  Verb verb = Verb::Start;
  ResourceId resource = kNone;  ///< kNone: something is done to node `from`
  NodeId from = kNone;          ///< where it is now
  NodeId to = kNone;            ///< where it will be
  Role role = Role::Unknown;    ///< now
  Role next_role = Role::Unknown;
  ActionId action = kNone;  ///< the one that the change is about
  std::string how;          ///< of Fence: reboot, off
  std::string reason;       ///< "node availability", "required disk start"; empty: that it is wanted
  bool blocked = false;     ///< it is wanted and cannot be done
};

/// Why the action is needed or impossible, in Pacemaker's words: "required disk start", "no quorum"; may be empty.
[[nodiscard]] std::string reason_of(const Board& board, const Action& action);
/// Fencing and shutdowns first, then resources in the order of the plan; what stays as it is is left out.
[[nodiscard]] std::vector<Change> summarize(const Board& board);

}  // namespace bascule::policy::detail
