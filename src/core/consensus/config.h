#pragma once

#include <cstdint>
#include <vector>

#include "base/time.h"
#include "wire/raft/types.h"

namespace bascule::consensus {

using raft::Configuration;
using raft::Index;
using raft::ServerId;
using raft::Term;

/// A planted fault, which the acceptance test must find. Only tests set it.
enum class Canary : std::uint8_t {
  None,
  ClaimUnverifiedTail,      ///< an answer claims the follower's whole log
  CommitOldTermByCounting,  ///< breaks 5.4.2 of the paper
  AnswerBeforeDurable,      ///< votes and acknowledgements do not wait for the disk
  NoSilenceAfterRestart,    ///< a restarted follower votes although a lease may stand on its word
  LeaseFromAnswerTime,      ///< the lease counts from the arrival of the answers, not from the sending of the round
  ReadWithoutRound,         ///< a leader answers reads without asking whether it still leads
  ReformFromAnyLog,         ///< a survivor forms the cluster anew although it may have missed what the other did alone
  ReformOnAnOldProof,       ///< it does so although the other one was heard again since
  LeaveThePairUnheard,      ///< one of two decides alone before the other one knows that it has no vote any more
};

struct Config {
  ServerId id = 0;
  /// The first members. Used only when the disk is empty, and must be the same on all of them. A server that joins
  /// later leaves it empty and waits until the leader sends it the log.
  Configuration bootstrap;
  /// For the election timeouts and the ids of forwarded reads. Must be fresh at each start of the process.
  std::uint64_t seed = 0;

  Duration heartbeat = milliseconds(50);
  Duration election_min = milliseconds(150);  ///< at least 2 * heartbeat
  Duration election_max = milliseconds(300);
  /// How far two clocks may drift apart within election_min, in thousandths; the lease is that much shorter.
  std::uint32_t drift_margin_permille = 100;
  /// Reads need no round of heartbeats while the lease holds; then they too trust the clocks.
  bool lease_reads = false;

  /// Servers that should lead (the witness). A leader that is none of them hands over to a caught-up voter that is.
  std::vector<ServerId> leader_preference;
  Duration preference_delay = seconds(1);      ///< after an election, before the first hand-over
  Duration preference_interval = seconds(10);  ///< between two; doubled each time that it did not last

  std::size_t append_bytes_max = 32 << 10;
  std::size_t append_entries_max = 256;
  std::size_t appends_in_flight_max = 16;
  std::size_t uncommitted_entries_max = 1024;
  std::size_t uncommitted_bytes_max = 1 << 20;
  std::size_t reads_max = 1024;
  std::size_t snapshot_chunk_bytes = 32 << 10;  ///< at most raft::chunk_bytes_max
  std::size_t snapshot_bytes_max = 64 << 20;    ///< a larger one is refused
  Index snapshot_tail_entries = 64;             ///< kept behind a snapshot for slow followers

  Canary canary = Canary::None;
};

}  // namespace bascule::consensus
