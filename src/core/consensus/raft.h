#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/consensus/config.h"
#include "wire/raft/messages.h"

namespace bascule::consensus {

namespace detail {
class Core;
}

// ---- inputs -------------------------------------------------------------------------------------------------------

/// next_deadline() has come.
struct Tick {};
struct MessageReceived {
  ServerId from = 0;
  raft::Message message;
};
/// One command for the replicated log. `id` is the caller's, unique while it is open. Payload at most
/// raft::payload_bytes_max.
struct Propose {
  std::uint64_t id = 0;
  Bytes payload;
};
/// Change the members: at most one voter more or less at a time; a new voter must be a learner that has caught up.
struct ProposeConfiguration {
  std::uint64_t id = 0;
  Configuration configuration;
};
/// Asks from which applied index on this server may answer a linearizable read. Works on any member.
struct ReadIndex {
  std::uint64_t id = 0;
};
struct TransferLeadership {
  ServerId to = 0;
};
/// One of two voters goes on alone: the other, `lost`, was certainly switched off at some moment after `since`, on this
/// server's clock. Refused unless Status::may_reform, and when `lost` was heard after `since`. Answered like a
/// proposal: Invalid with the reason, or Committed when this server is the only voter.
struct Reform {
  std::uint64_t id = 0;
  ServerId lost = 0;
  Instant since{};
  /// A person takes it upon himself that nothing was committed that this server has not seen (`bascule start-alone`).
  /// Then it may also be a learner beside the only voter.
  bool told = false;
};
/// Every Persist up to `sequence` is durable.
struct Persisted {
  std::uint64_t sequence = 0;
};
struct PersistFailed {
  std::string why;
};
/// The user's state after applying `index` is `bytes`. Older entries may go.
struct SnapshotTaken {
  Index index = 0;
  std::shared_ptr<const Bytes> bytes;
};
using Input = std::variant<Tick, MessageReceived, Propose, ProposeConfiguration, ReadIndex, TransferLeadership, Reform,
                           Persisted, PersistFailed, SnapshotTaken>;

// ---- effects ------------------------------------------------------------------------------------------------------

/// Send when Persist `after_sequence` is durable (0: at once), never before. May be lost, doubled, reordered.
struct Send {
  ServerId to = 0;
  raft::Message message;
  std::uint64_t after_sequence = 0;
};
/// Make `change` durable, in the order of the sequence numbers; answer with Persisted. Several may be outstanding, and
/// one answer may cover several.
struct Persist {
  std::uint64_t sequence = 0;
  raft::LogChange change;
};
/// A committed command. In order of index; indices of entries that are not commands are missing.
struct Apply {
  Index index = 0;
  Term term = 0;
  Bytes payload;
};
/// Replace the user's state: it is now the one after `index`. Also sent at the start when there is a snapshot.
struct RestoreSnapshot {
  Index index = 0;
  Term term = 0;
  std::shared_ptr<const Bytes> bytes;
};
enum class ProposalOutcome : std::uint8_t {
  Committed,
  NotLeader,     ///< refused: ask status().leader
  Transferring,  ///< refused: leadership is being handed over; try again
  Busy,          ///< refused: too much is uncommitted; try again
  Invalid,       ///< refused: too large, or a configuration that is not allowed now
  Unknown,       ///< leadership was lost first: it may be committed or not
};
struct ProposalDone {
  std::uint64_t id = 0;
  ProposalOutcome outcome = ProposalOutcome::Unknown;
  Index index = 0;  ///< when committed
  std::string why;  ///< when Invalid
};
/// Answer the read now: everything up to `index` was applied by effects before this one.
struct ReadReady {
  std::uint64_t id = 0;
  Index index = 0;
};
struct ReadFailed {
  std::uint64_t id = 0;  ///< no leader, or none that answered in time; try again
};
/// `leader` 0: nobody is known to lead.
struct LeaderChanged {
  Term term = 0;
  ServerId leader = 0;
};
/// The configuration in force; at first uncommitted, later again when it is committed.
struct ConfigurationChanged {
  Index index = 0;
  Configuration configuration;
  bool committed = false;
};
/// This server must end: its disk failed. Nothing is accepted any more.
struct Stop {
  std::string reason;
};
using Effect = std::variant<Send, Persist, Apply, RestoreSnapshot, ProposalDone, ReadReady, ReadFailed, LeaderChanged,
                            ConfigurationChanged, Stop>;
/// Carried out in this order.
using Effects = std::vector<Effect>;

// ---- state --------------------------------------------------------------------------------------------------------

enum class Role : std::uint8_t { Follower, PreCandidate, Candidate, Leader, Stopped };
[[nodiscard]] std::string_view name_of(Role role);
[[nodiscard]] std::string_view name_of(ProposalOutcome outcome);

/// What is asked often; cheap.
struct Leadership {
  Role role = Role::Follower;
  Term term = 0;
  ServerId leader = 0;  ///< 0: not known
  /// While this server's clock reads less, no other server leads (README: the lease). Only of a leader that has
  /// committed an entry of its term and is not handing over. It may lie in the past.
  std::optional<Instant> lease_until;
};

struct PeerStatus {
  ServerId id = 0;
  Index match_index = 0;            ///< known to be durable there
  std::optional<Instant> heard_at;  ///< its last answer
};

struct Status {
  Leadership leadership;
  ServerId vote = 0;
  Index commit_index = 0, applied_index = 0;
  Index last_index = 0, durable_index = 0;
  Index snapshot_index = 0;
  Index base_index = 0;  ///< entries up to here are gone
  Configuration configuration;
  bool configuration_committed = true;
  ServerId transferring_to = 0;
  /// One of two voters, and since its start it was once up to date: whatever is committed is in its log. So it may go
  /// on alone when the other one is proven to be off.
  bool may_reform = false;
  /// Of the two that have to agree to what is committed next, if this server is one of them; 0: it is none.
  ServerId other_of_two = 0;
  std::vector<PeerStatus> peers;  ///< of a leader
};

/// One server's part in Raft: no I/O, no clock, no threads. The same inputs at the same moments give the same effects.
class Raft {
 public:
  /// `restored` is what the disk holds (all zero: nothing). Nothing is sent before the first step().
  Raft(const Config& config, raft::Restored restored);
  ~Raft();
  Raft(Raft&&) noexcept;
  Raft& operator=(Raft&&) noexcept;

  /// Takes any input in any state, and appends to `effects`. `now` never goes back.
  void step(const Input& input, Instant now, Effects& effects);
  /// When to step with Tick at the latest. The first step should be a Tick at the start.
  [[nodiscard]] Instant next_deadline() const;
  [[nodiscard]] Leadership leadership() const;
  [[nodiscard]] Status status() const;
  /// Of a leader: when that member last answered it, which each does at once, or became a member of it; else nothing.
  [[nodiscard]] std::optional<Instant> answered_at(ServerId member) const;
  /// Who should lead from now on (Config::leader_preference).
  void prefer(std::vector<ServerId> leaders);

 private:
  std::unique_ptr<detail::Core> core_;
};

}  // namespace bascule::consensus
