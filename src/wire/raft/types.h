#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"

/// Raft as it travels and as it lies on disk (Ongaro and Ousterhout, "In Search of an Understandable Consensus
/// Algorithm", and Ongaro's dissertation; section numbers in this room are the dissertation's).
namespace bascule::raft {

/// A member of the cluster. 0 is nobody. An id is never given to a server whose disk was wiped.
using ServerId = std::uint32_t;
using Term = std::uint64_t;   ///< 0 before the first election
using Index = std::uint64_t;  ///< the first entry has index 1

/// The upper half of a term counts how often a survivor has formed the cluster anew, alone (core/consensus/README.md).
/// Elections count the lower half. So whatever servers of an earlier generation do, their terms stay behind.
inline constexpr unsigned generation_shift = 32;
[[nodiscard]] constexpr std::uint64_t generation_of(Term term) { return term >> generation_shift; }
[[nodiscard]] constexpr Term first_of_next_generation(Term term) {
  return (generation_of(term) + 1) << generation_shift;
}

inline constexpr std::size_t members_max = 64;              ///< voters and learners of one configuration
inline constexpr std::size_t payload_bytes_max = 32 << 10;  ///< of one entry
inline constexpr std::size_t chunk_bytes_max = 32 << 10;    ///< of one snapshot chunk
inline constexpr std::size_t message_bytes_max = 48 << 10;  ///< of one encoded message: fits a datagram

enum class EntryKind : std::uint8_t {
  Command = 0,        ///< the user's
  NoOp = 1,           ///< the first entry of every term
  Configuration = 2,  ///< takes effect when it is appended
};

struct Entry {
  Index index = 0;
  Term term = 0;
  EntryKind kind = EntryKind::Command;
  Bytes payload;
  friend bool operator==(const Entry&, const Entry&) = default;
};

/// Who takes part. Both lists are sorted, without duplicates, and disjoint.
struct Configuration {
  std::vector<ServerId> voters;
  std::vector<ServerId> learners;

  [[nodiscard]] bool is_voter(ServerId id) const { return std::binary_search(voters.begin(), voters.end(), id); }
  [[nodiscard]] bool is_learner(ServerId id) const { return std::binary_search(learners.begin(), learners.end(), id); }
  [[nodiscard]] bool is_member(ServerId id) const { return is_voter(id) || is_learner(id); }
  friend bool operator==(const Configuration&, const Configuration&) = default;
};

/// Sorted, disjoint, no nobody, at most members_max.
[[nodiscard]] bool is_well_formed(const Configuration& configuration);
/// The payload of a Configuration entry.
[[nodiscard]] Bytes encode(const Configuration& configuration);
/// Nothing when the bytes are not a well-formed configuration.
[[nodiscard]] std::optional<Configuration> decode_configuration(ByteView bytes);

/// What must be durable before any answer.
struct HardState {
  Term term = 0;
  ServerId vote = 0;
  friend bool operator==(const HardState&, const HardState&) = default;
};

/// The state of the user's machine after `index`, and the configuration in force there. index 0: none.
struct Snapshot {
  Index index = 0;
  Term term = 0;
  Configuration configuration;
  std::shared_ptr<const Bytes> bytes;  ///< never null when index > 0
};

/// A new snapshot, and where the log begins after it: entries up to base_index are gone.
struct SnapshotChange {
  Snapshot snapshot;
  Index base_index = 0;  ///< at most snapshot.index: a tail of older entries is kept for slow followers
  Term base_term = 0;
};

/// One change of what is on disk, applied in the order of the members. With `snapshot`, the log is written anew:
/// hard_state is set, and `entries` are all entries after base_index.
struct LogChange {
  std::optional<SnapshotChange> snapshot;
  std::optional<HardState> hard_state;
  std::optional<Index> truncate_from;  ///< this entry and all after it are forgotten
  std::vector<Entry> entries;          ///< appended
};

/// What a server finds on its disk.
struct Restored {
  HardState hard_state;
  Snapshot snapshot;
  Index base_index = 0;
  Term base_term = 0;
  std::vector<Entry> entries;  ///< contiguous, the first has index base_index + 1
};

}  // namespace bascule::raft
