#pragma once

#include <deque>
#include <optional>

#include "core/consensus/config.h"

namespace bascule::consensus::detail {

///        +--------- refused -----------+
///        v                             |
///      Probe ------- accepted ----> Replicate
///        |  ^                          |
///        |  +-- installed --+          |
///        +-- too far back --+> Snapshot <-- too far back
enum class ProgressState : std::uint8_t {
  Probe,      ///< where the logs part is not known; one request at a time
  Replicate,  ///< requests are sent ahead of the answers
  Snapshot,   ///< the entries it needs are gone
};

/// What a leader knows of one other member.
struct Progress {
  ProgressState state = ProgressState::Probe;
  Index match = 0;  ///< durable there and equal to ours
  Index next = 1;   ///< the next entry to send
  bool probe_sent = false;
  Index commit_sent = 0;        ///< the commit index that it was last told
  std::deque<Index> in_flight;  ///< last index of each unanswered request, ascending

  std::uint64_t acked_round = 0;
  Instant known_since{};  ///< it counts as a member of this leader since then
  std::optional<Instant> heard_at;

  raft::Snapshot snapshot;  ///< the one being sent; its bytes stay alive through this
  std::uint64_t snapshot_offset = 0;
  Instant chunk_sent_at{};

  /// Goes on from `next_index`, which is known or hoped to be right.
  void become(ProgressState to, Index next_index) {
    state = to;
    next = next_index;
    probe_sent = false;
    in_flight.clear();
    if (to != ProgressState::Snapshot) snapshot = {};
  }
  void matched(Index index) {
    match = std::max(match, index);
    next = std::max(next, match + 1);
    while (!in_flight.empty() && in_flight.front() <= match) in_flight.pop_front();
  }
};

}  // namespace bascule::consensus::detail
