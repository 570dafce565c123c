#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>

#include "base/prng.h"
#include "core/consensus/detail/log.h"
#include "core/consensus/detail/progress.h"
#include "core/consensus/raft.h"

namespace bascule::consensus::detail {

/// The state behind Raft. One source file per subject: core.cpp (dispatch, terms, persistence, commit), election.cpp,
/// follower.cpp (log and snapshots of others), leader.cpp (sending, members, transfer), reads.cpp.
class Core {
 public:
  Core(const Config& config, raft::Restored restored);
  void step(const Input& input, Instant now, Effects& effects);
  [[nodiscard]] Instant next_deadline() const;
  void prefer(std::vector<ServerId> leaders) { config_.leader_preference = std::move(leaders); }
  [[nodiscard]] Leadership leadership() const;
  [[nodiscard]] std::optional<Instant> answered_at(ServerId member) const;
  [[nodiscard]] Status status() const;

 private:
  // core.cpp: inputs
  void start();
  void on(const Tick&) {}
  void on(const MessageReceived& input);
  void on(const Propose& input);
  void on(const ProposeConfiguration& input);
  void on(const ReadIndex& input);
  void on(const TransferLeadership& input);
  void on(const Reform& input);
  void on(const Persisted& input);
  void on(const PersistFailed& input);
  void on(const SnapshotTaken& input);
  void fire_timers();

  // core.cpp: roles and terms
  void become(Role role);
  void become_follower(Term term, ServerId leader);
  void set_hard_state(raft::HardState state);
  void announce_leader();
  void heard_from_leader(ServerId leader, std::uint64_t round);
  void leave_leadership();
  void restart_election_timer();

  // core.cpp: persistence and output
  void append_to_log(raft::Entry entry);
  void truncate_log(Index from);
  void replace_log(const raft::Snapshot& snapshot);
  void flush_change();
  [[nodiscard]] std::uint64_t sequence_covering(Index index) const;
  /// Everything waits until the term and the vote are durable; `after_sequence` may ask for more.
  void send(ServerId to, raft::Message message, std::uint64_t after_sequence = 0);
  template <typename Kind>
  void emit(Kind effect) {
    effects_->emplace_back(std::move(effect));
  }

  // core.cpp: commit
  void advance_commit(Index to);
  void apply(const raft::Entry& entry);
  void finish_proposals();

  // election.cpp
  [[nodiscard]] bool may_stand() const;
  [[nodiscard]] bool is_sole_voter() const;
  [[nodiscard]] bool trusts_a_leader(const raft::VoteRequest& request) const;
  [[nodiscard]] bool log_is_current(const raft::VoteRequest& request) const;
  [[nodiscard]] bool have_majority_of_votes() const;
  void election_timeout();
  void become_pre_candidate();
  void become_candidate(std::uint64_t transfer_round);
  void become_leader();
  void request_votes(bool pre_vote, Term term, std::uint64_t transfer_round);
  void count_own_vote();
  void on_message(ServerId from, const raft::VoteRequest& request);
  void answer_pre_vote(ServerId from, const raft::VoteRequest& request);
  void on_message(ServerId from, const raft::VoteResponse& response);
  void on_message(ServerId from, const raft::TimeoutNow& message);

  // follower.cpp
  void on_message(ServerId from, const raft::AppendRequest& request);
  void take_entries(const raft::AppendRequest& request);
  void refuse_append(ServerId from, const raft::AppendRequest& request);
  void acknowledge(ServerId from, std::uint64_t round, Index verified);
  void on_message(ServerId from, const raft::SnapshotChunk& chunk);
  void collect(const raft::SnapshotChunk& chunk);
  void install_snapshot(ServerId from, std::uint64_t round);

  // leader.cpp
  void heartbeat_timeout();
  void broadcast_round();
  void send_to_all();
  void send_append(ServerId to, Progress& progress, bool heartbeat);
  void send_entries(ServerId to, Progress& progress, std::size_t entries_max);
  void begin_snapshot(Progress& progress);
  void send_chunk(ServerId to, Progress& progress);
  void on_message(ServerId from, const raft::AppendResponse& response);
  void on_refusal(ServerId from, Progress& progress, const raft::AppendResponse& response);
  void on_message(ServerId from, const raft::SnapshotResponse& response);
  void on_contact(Progress& progress, std::uint64_t round);
  void count_rounds();
  void count_matches();
  [[nodiscard]] bool heard_from_majority() const;
  [[nodiscard]] bool recently_heard(const Progress& progress) const;
  [[nodiscard]] bool committed_in_term() const;
  [[nodiscard]] std::optional<Instant> lease_until() const;
  [[nodiscard]] std::string objection_to_leaving(const Configuration& pair, const Configuration& alone) const;
  [[nodiscard]] std::string objection_to(const Configuration& configuration) const;
  void follow_configuration();
  void begin_transfer(ServerId to);
  void drive_transfer();
  void end_transfer();
  void consider_preference();
  [[nodiscard]] ServerId preferred_successor() const;

  // reform.cpp
  [[nodiscard]] ServerId other_of_two() const;
  [[nodiscard]] bool leaves_a_pair() const;
  [[nodiscard]] bool is_heir_of(ServerId voter) const;
  [[nodiscard]] std::string objection_to(const Reform& reform) const;
  void begin_generation(Term term);
  [[nodiscard]] bool reform_was_interrupted() const;
  [[nodiscard]] Index agreed_by_old_pair(Index matched) const;
  void settle_alone();

  // reads.cpp
  struct Read {
    std::uint64_t id;
    ServerId origin;      ///< 0: ours
    Index index;          ///< valid when round > 0
    std::uint64_t round;  ///< confirmed when a majority has answered it; 0: waits for the first commit of the term
  };
  void on_message(ServerId from, const raft::ReadRequest& request);
  void on_message(ServerId from, const raft::ReadResponse& response);
  void register_read(Read read);
  void admit_read(Read& read);
  void admit_waiting_reads();
  void confirm_reads();
  void finish_read(const Read& read, bool confirmed);
  void finish_awaited_reads();
  void fail_reads();

  Config config_;
  Prng prng_;
  Log log_;
  raft::Snapshot snapshot_;
  raft::HardState hard_state_;
  Role role_ = Role::Follower;
  ServerId leader_ = 0;
  Index commit_ = 0;
  Index applied_ = 0;

  bool bootstrapping_;
  bool started_ = false;
  Instant now_{};
  Instant started_at_{};
  Effects* effects_ = nullptr;  ///< of the step under way
  LeaderChanged announced_;

  // Persistence: the change of this step, and those that are under way.
  struct Writing {
    std::uint64_t sequence;
    Index last_index;  ///< entries up to here are covered; 0: none
  };
  raft::LogChange change_;
  bool changed_ = false;
  std::uint64_t next_sequence_ = 1;
  std::uint64_t durable_sequence_ = 0;
  std::uint64_t hard_state_sequence_ = 0;
  std::deque<Writing> writing_;
  Index durable_index_ = 0;

  // Follower.
  Instant election_deadline_{};
  Instant heard_at_{};  ///< from a leader of this term
  std::uint64_t heard_round_ = 0;
  raft::Snapshot incoming_;  ///< without bytes while it is collected
  Bytes incoming_bytes_;
  std::uint64_t incoming_total_bytes_ = 0;
  struct ForwardedRead {
    std::uint64_t id;
    Instant deadline;
  };
  std::map<std::uint64_t, ForwardedRead> forwarded_reads_;  ///< by the id on the wire
  struct AwaitedRead {
    std::uint64_t id;
    Index index;
  };
  std::deque<AwaitedRead> awaited_reads_;  ///< confirmed, not yet applied

  // Reform.
  bool was_current_ = false;                  ///< since the start: everything committed was in our log once
  std::map<ServerId, Instant> last_heard_{};  ///< any message of a member

  // Candidate.
  std::set<ServerId> votes_;
  std::uint64_t own_vote_sequence_ = 0;

  // Leader.
  std::map<ServerId, Progress> peers_;
  Instant heartbeat_at_{};
  Instant leader_since_{};
  std::uint64_t round_ = 0;
  struct Round {
    std::uint64_t round;
    Instant sent_at;
  };
  std::deque<Round> rounds_;  ///< sent, not yet answered by a majority
  std::uint64_t majority_round_ = 0;
  std::optional<Instant> lease_base_;  ///< when the newest round that a majority answered was sent
  struct Pending {
    std::uint64_t id;
    Index index;
    std::size_t bytes;
  };
  std::deque<Pending> proposals_;
  std::size_t uncommitted_bytes_ = 0;
  std::deque<Read> reads_;
  std::vector<std::uint64_t> scratch_;  ///< for counting majorities without allocating
  struct Transfer {
    ServerId to;
    Instant deadline;
    bool told;
  };
  std::optional<Transfer> transfer_;
  Instant preference_not_before_{};
  std::optional<Instant> preference_used_at_;
  Duration preference_wait_{};
};

}  // namespace bascule::consensus::detail
