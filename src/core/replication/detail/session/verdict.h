#pragma once

#include <string>
#include <vector>

#include "core/replication/detail/core.h"

namespace bascule::replication::detail {

/// What two nodes that have told each other everything do next.
struct Verdict {
  enum class Kind : std::uint8_t { NoSync, Source, Target, Refuse };
  Kind kind = Kind::Refuse;
  bool full = false;        ///< the bitmap is not enough: every block
  bool mutual = false;      ///< refused by what both compare: the peer comes to the same verdict
  std::string text;         ///< the rule, or the reason of the refusal
  drbd::UuidSet own_uuids;  ///< as repaired by rules 34, 71
  drbd::UuidSet peer_uuids;
  std::vector<const char*> handlers{};  ///< of DRBD's, to be run, in this order
};

/// DRBD's comparison of generations and the steps after it (model facts, section 4). Under Authority::Cluster the
/// committed in-sync set stands in the place of the after-sb policies and has the last word: a member never takes data
/// from a non-member, a deposed node gives up what it wrote alone, and two primaries never meet.
/// Pure: looks only at the superblock, the peer's view, roles, disks, options and the in-sync set in `core`.
Verdict decide(const Core& core);

/// What this node has and the peer has not may be discarded: the operator asked for it, or this node has been removed
/// from the in-sync set.
bool discards_own_data(const Core& core);

}  // namespace bascule::replication::detail
