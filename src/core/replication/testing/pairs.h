#pragma once

#include "core/replication/testing/transcript.h"

/// For the tests of this room: the beginnings that many transcripts share.
namespace bascule::replication::testing {

inline constexpr const char* attach = R"(
  tick
  < metadata bitmap
  disk
  < metadata superblock
  < metadata activity-log
  tick
  < connect 1
)";

/// Nothing is known of the size yet, so there is no bitmap.
inline constexpr const char* attach_created_anew = R"(
  tick
  < metadata superblock
  disk
  < metadata activity-log
  tick
  < connect 1
)";

/// Alice opens meta (her name is the smaller one) and accepts data.
inline constexpr const char* pair_up = R"(
  connected 1
  < send 1 P_INITIAL_META
  accepted 1
  packet 101 InitialData
  < send 101 P_CONNECTION_FEATURES
  packet 101 Features 86 101
  < send 101 P_PROTOCOL
  < send 101 P_SYNC_PARAM89
  < send 101 P_SIZES
  < send 101 P_UUIDS
  < send 101 P_STATE
  packet 101 Protocol
)";

inline constexpr const char* connect_as_equals = R"(
  packet 101 Sizes 32768 32768 32768
  packet 101 Uuids 0 0
  packet 101 State 2 8 8
  < metadata superblock
  < send 101 P_STATE
  disk
  packet 101 State 2 8 10
  = Secondary Connected UpToDate/UpToDate
)";

inline constexpr const char* promote = R"(
  in-sync 5 self peer
  lease 1 10000
  promote 1
  < metadata superblock
  disk
  < volume-promoted
  < send 101 P_UUIDS
  < send 101 P_STATE
  = Primary Connected
)";

/// The same under an operator, who needs neither set nor lease.
inline constexpr const char* promote_by_operator = R"(
  primary 1
  < send 1 P_PING
  < send 101 P_STATE_CHG_REQ 3 1
  packet 1 PingAck
  packet 1 StateReply 1
  < metadata superblock
  disk
  < volume-promoted
  < done 1 1
  < send 101 P_UUIDS
  < send 101 P_STATE
  = Primary Connected)";

inline void by_operator(Config& config) { config.authority = Authority::Operator; }

/// Alice, connected to Bob, both UpToDate and Secondary. Bob opened data, Alice opened meta: he resolves conflicts.
inline Transcript connected_pair(const std::function<void(Config&)>& configure = by_operator) {
  Transcript transcript(Transcript::Setup{.configure = configure});
  transcript.play(attach);
  transcript.play(pair_up);
  transcript.play(connect_as_equals);
  return transcript;
}

}  // namespace bascule::replication::testing
