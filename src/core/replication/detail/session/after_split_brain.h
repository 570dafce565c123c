#pragma once

#include <cstdint>

#include "core/replication/detail/state/states.h"
#include "wire/drbd_config/options.h"

namespace bascule::replication::detail {

/// What the after-sb policies look at; `own` and `peer` swap on the other side.
struct SplitBrain {
  struct Side {
    Role role = Role::Secondary;
    std::uint64_t bitmap_uuid = 0;  ///< bit 0: was Primary when the generations parted
    std::uint64_t changed_bits = 0;
  };
  Side own;
  Side peer;
  bool resolve_conflicts = false;  ///< breaks ties: exactly one side has it
};

enum class Victim : std::uint8_t { Nobody, Own, Peer };  ///< whose changes are given up

struct SplitBrainOutcome {
  Victim victim = Victim::Nobody;
  bool call_pri_lost = false;  ///< this node is a Primary that would lose: its handler is to be called
};

/// The policy for as many primaries as there are now (model facts, section 4.1). "Nobody": the policy finds no
/// decision. This engine cannot know whether somebody has the device open, so it never demotes by itself: where DRBD
/// tries to, call-pri-lost-after-sb calls the handler and finds no decision.
SplitBrainOutcome after_split_brain(const drbd_config::Net& policies, const SplitBrain& situation);

}  // namespace bascule::replication::detail
