#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "base/result.h"
#include "wire/raft/types.h"

namespace bascule::raft {

/// RequestVote (3.4) and, with pre_vote, the question before it (9.6). `term` is the term that the vote is for.
struct VoteRequest {
  Term term = 0;
  bool pre_vote = false;
  Index last_index = 0;
  Term last_term = 0;
  /// The sender was told by its leader to stand (3.10): the highest round of that leader it may displace. 0: not told.
  std::uint64_t transfer_round = 0;
};
/// `term` is the requested term when granted, the answerer's own term when not.
struct VoteResponse {
  Term term = 0;
  bool pre_vote = false;
  bool granted = false;
};

/// AppendEntries (3.5). Without entries it is a heartbeat; it checks the log in the same way.
struct AppendRequest {
  Term term = 0;
  std::uint64_t round = 0;  ///< the leader's latest heartbeat round; echoed
  Index previous_index = 0;
  Term previous_term = 0;
  Index commit = 0;
  std::vector<Entry> entries;  ///< contiguous from previous_index + 1
};
/// Claims only what one request verified, and of that only what is durable.
struct AppendResponse {
  Term term = 0;
  std::uint64_t round = 0;
  bool success = false;
  Index index = 0;       ///< success: my log equals yours up to here, durably. Otherwise: the refused previous_index
  Index hint_index = 0;  ///< refused: try here or before it
  Term hint_term = 0;    ///< refused: the term of my entry at hint_index
};

/// InstallSnapshot (5.3), one piece. Also keeps the leader known, as a heartbeat does.
struct SnapshotChunk {
  Term term = 0;
  std::uint64_t round = 0;
  Index index = 0;
  Term snapshot_term = 0;
  Configuration configuration;
  std::uint64_t total_bytes = 0;
  std::uint64_t offset = 0;
  Bytes bytes;
};
struct SnapshotResponse {
  Term term = 0;
  std::uint64_t round = 0;
  Index index = 0;
  std::uint64_t received_bytes = 0;  ///< of this snapshot, from its start: the next offset
};

/// "Stand for election now" (3.10). The leader believes in no lease from `round` or before any more.
struct TimeoutNow {
  Term term = 0;
  std::uint64_t round = 0;
};

/// A follower asks which index a linearizable read has to wait for (6.4).
struct ReadRequest {
  Term term = 0;
  std::uint64_t id = 0;
};
struct ReadResponse {
  Term term = 0;
  std::uint64_t id = 0;
  bool confirmed = false;
  Index index = 0;
};

using Message = std::variant<VoteRequest, VoteResponse, AppendRequest, AppendResponse, SnapshotChunk, SnapshotResponse,
                             TimeoutNow, ReadRequest, ReadResponse>;

[[nodiscard]] Term term_of(const Message& message);
/// The bytes of one message, FORMAT.md. At most message_bytes_max when the limits of types.h were kept.
[[nodiscard]] Bytes encode(const Message& message);
/// Refuses anything that is not exactly one message of this version within the limits.
[[nodiscard]] Result<Message> decode(ByteView bytes);

}  // namespace bascule::raft
