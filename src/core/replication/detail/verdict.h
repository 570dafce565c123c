#pragma once

#include <string>

#include "core/replication/detail/core.h"

namespace bascule::replication::detail {

/// What two nodes that have told each other everything do next.
struct Verdict {
  enum class Kind : std::uint8_t { NoSync, Source, Target, Refuse };
  Kind kind = Kind::Refuse;
  bool full = false;        ///< the bitmap is not enough: every block
  std::string text;         ///< the rule, or the reason of the refusal
  drbd::UuidSet own_uuids;  ///< as repaired by rules 34, 71
  drbd::UuidSet peer_uuids;
};

/// DRBD's comparison of generations (model facts, section 4), then what the committed in-sync set adds to it: a member
/// never takes data from a non-member, a deposed node gives up what it wrote alone, and two primaries never meet.
/// Pure: looks only at core.superblock, core.peer, roles, disks and core.in_sync.
Verdict decide(const Core& core);

/// This node has been removed from the in-sync set: what it has and the members have not is to be discarded.
bool discards_own_data(const Core& core);

}  // namespace bascule::replication::detail
