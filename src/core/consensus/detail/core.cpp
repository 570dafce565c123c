#include "core/consensus/detail/core.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"

namespace bascule::consensus::detail {
namespace {

/// Which role may follow which. Row: from.
constexpr bool allowed[5][5] = {
    // Follower, PreCandidate, Candidate, Leader, Stopped
    {true, true, true, false, true},     // Follower (straight to Candidate: told to, or the only voter)
    {true, true, true, false, true},     // PreCandidate
    {true, true, true, true, true},      // Candidate
    {true, false, false, false, true},   // Leader
    {false, false, false, false, true},  // Stopped
};

raft::Entry configuration_entry(Index index, Term term, const Configuration& configuration) {
  return {index, term, raft::EntryKind::Configuration, raft::encode(configuration)};
}

/// A disk that was never used takes part from the entry that all first members write for themselves.
raft::Restored bootstrapped(const Config& config, raft::Restored restored) {
  // A torn first write may have left the term of the bootstrap without its entry.
  const bool empty = restored.hard_state.term <= 1 && restored.snapshot.index == 0 && restored.entries.empty();
  if (empty && !config.bootstrap.voters.empty()) {
    restored.hard_state = {1, 0};
    restored.entries.push_back(configuration_entry(1, 1, config.bootstrap));
  }
  return restored;
}

}  // namespace

Core::Core(const Config& config, raft::Restored restored)
    : config_(config),
      prng_(config.seed),
      log_(bootstrapped(config, restored)),
      snapshot_(restored.snapshot),
      hard_state_(restored.hard_state),
      bootstrapping_(restored.snapshot.index == 0 && restored.entries.empty() && log_.last_index() == 1) {
  BASCULE_ASSERT(config.id != 0 && raft::is_well_formed(config.bootstrap));
  BASCULE_ASSERT(config.election_min >= 2 * config.heartbeat && config.election_max > config.election_min);
  BASCULE_ASSERT(config.drift_margin_permille < 1000 && config.snapshot_chunk_bytes <= raft::chunk_bytes_max);
  commit_ = applied_ = snapshot_.index;
  durable_index_ = std::max(restored.base_index + restored.entries.size(), snapshot_.index);
  preference_wait_ = config.preference_interval;
}

void Core::step(const Input& input, Instant now, Effects& effects) {
  if (role_ == Role::Stopped) return;
  effects_ = &effects;
  now_ = started_ ? std::max(now, now_) : now;
  if (!started_) start();
  std::visit([this](const auto& each) { on(each); }, input);
  if (role_ != Role::Stopped) fire_timers();
  flush_change();
  effects_ = nullptr;
}

void Core::start() {
  started_ = true;
  started_at_ = heard_at_ = now_;
  if (config_.canary == Canary::NoSilenceAfterRestart) started_at_ = heard_at_ = now_ - seconds(3600);
  if (snapshot_.index > 0) emit(RestoreSnapshot{snapshot_.index, snapshot_.term, snapshot_.bytes});
  if (bootstrapping_) {
    hard_state_.term = 1;
    change_.hard_state = hard_state_;
    change_.entries.push_back(log_.at(1));
    changed_ = true;
    hard_state_sequence_ = next_sequence_;
  }
  // The first configuration is a fact that all of its members share; it needs no vote.
  if (log_.base_index() == 0 && log_.last_index() > 0) advance_commit(std::max<Index>(commit_, log_.at(1).term == 1));
  announce_leader();
  restart_election_timer();
  if (reform_was_interrupted()) begin_generation(hard_state_.term);
}

Instant Core::next_deadline() const {
  if (role_ == Role::Stopped) return never;
  if (!started_) return now_;
  Instant deadline = never;
  if (role_ == Role::Leader)
    deadline = transfer_ ? std::min(heartbeat_at_, transfer_->deadline) : heartbeat_at_;
  else
    deadline = election_deadline_;
  for (const auto& [wire_id, read] : forwarded_reads_) deadline = std::min(deadline, read.deadline);
  return deadline;
}

void Core::fire_timers() {
  std::erase_if(forwarded_reads_, [this](const auto& each) {
    const bool late = now_ >= each.second.deadline;
    if (late) emit(ReadFailed{each.second.id});
    return late;
  });
  if (role_ == Role::Leader) {
    if (transfer_ && now_ >= transfer_->deadline) end_transfer();
    if (now_ >= heartbeat_at_) heartbeat_timeout();
  } else if (now_ >= election_deadline_) {
    election_timeout();
  }
}

// ---- roles and terms ----------------------------------------------------------------------------------------------

void Core::become(Role role) {
  BASCULE_ASSERT(allowed[static_cast<int>(role_)][static_cast<int>(role)]);
  role_ = role;
}

void Core::become_follower(Term term, ServerId leader) {
  BASCULE_ASSERT(term >= hard_state_.term);
  if (role_ == Role::Leader) leave_leadership();
  become(Role::Follower);
  if (term > hard_state_.term) set_hard_state({term, 0});
  leader_ = leader;
  votes_.clear();
  announce_leader();
  restart_election_timer();
}

void Core::set_hard_state(raft::HardState state) {
  if (state.term > hard_state_.term) {
    heard_round_ = 0;
    incoming_ = {};
    fail_reads();
  }
  hard_state_ = state;
  change_.hard_state = state;
  changed_ = true;
  hard_state_sequence_ = next_sequence_;
}

void Core::announce_leader() {
  if (announced_.term == hard_state_.term && announced_.leader == leader_) return;
  announced_ = {hard_state_.term, leader_};
  emit(announced_);
}

void Core::heard_from_leader(ServerId leader, std::uint64_t round) {
  if (role_ != Role::Follower || leader_ != leader) become_follower(hard_state_.term, leader);
  heard_at_ = now_;
  heard_round_ = std::max(heard_round_, round);
  restart_election_timer();
}

void Core::leave_leadership() {
  for (const auto& proposal : proposals_) emit(ProposalDone{proposal.id, ProposalOutcome::Unknown, 0, {}});
  proposals_.clear();
  uncommitted_bytes_ = 0;
  transfer_.reset();
  rounds_.clear();
  lease_base_.reset();
  peers_.clear();
  leader_ = 0;
  fail_reads();
}

void Core::restart_election_timer() {
  election_deadline_ = now_ + Duration{prng_.between(config_.election_min.count(), config_.election_max.count())};
}

// ---- persistence and output ---------------------------------------------------------------------------------------

void Core::append_to_log(raft::Entry entry) {
  const bool configuration = entry.kind == raft::EntryKind::Configuration;
  change_.entries.push_back(entry);
  changed_ = true;
  log_.append(std::move(entry));
  if (configuration) emit(ConfigurationChanged{log_.last_index(), log_.configuration().configuration, false});
}

void Core::truncate_log(Index from) {
  BASCULE_ASSERT(from > commit_ && change_.entries.empty());
  const Index before = log_.configuration().index;
  log_.truncate_from(from);
  change_.truncate_from = from;
  changed_ = true;
  durable_index_ = std::min(durable_index_, from - 1);
  for (auto& each : writing_) each.last_index = std::min(each.last_index, from - 1);
  const auto& placed = log_.configuration();
  if (placed.index != before) emit(ConfigurationChanged{placed.index, placed.configuration, placed.index <= commit_});
}

/// Writes the whole log anew, behind `snapshot`.
void Core::replace_log(const raft::Snapshot& snapshot) {
  snapshot_ = snapshot;
  change_.snapshot = raft::SnapshotChange{snapshot, log_.base_index(), log_.base_term()};
  change_.hard_state = hard_state_;
  change_.truncate_from.reset();
  change_.entries.clear();
  for (Index index = log_.base_index() + 1; index <= log_.last_index(); ++index)
    change_.entries.push_back(log_.at(index));
  changed_ = true;
}

void Core::flush_change() {
  if (!std::exchange(changed_, false)) return;
  const bool covers_log = change_.snapshot || !change_.entries.empty();
  writing_.push_back({next_sequence_, covers_log ? log_.last_index() : 0});
  emit(Persist{next_sequence_++, std::exchange(change_, {})});
}

std::uint64_t Core::sequence_covering(Index index) const {
  if (index <= durable_index_) return 0;
  for (const auto& each : writing_)
    if (each.last_index >= index) return each.sequence;
  return next_sequence_;  // the change of this very step
}

void Core::send(ServerId to, raft::Message message, std::uint64_t after_sequence) {
  after_sequence = std::max(after_sequence, hard_state_sequence_);
  if (after_sequence <= durable_sequence_ || config_.canary == Canary::AnswerBeforeDurable) after_sequence = 0;
  emit(Send{to, std::move(message), after_sequence});
}

void Core::on(const Persisted& input) {
  durable_sequence_ = std::max(durable_sequence_, input.sequence);
  while (!writing_.empty() && writing_.front().sequence <= durable_sequence_) {
    durable_index_ = std::max(durable_index_, writing_.front().last_index);
    writing_.pop_front();
  }
  if (role_ == Role::Candidate) count_own_vote();
  if (role_ == Role::Leader) count_matches();
}

void Core::on(const PersistFailed& input) {
  if (role_ == Role::Leader) leave_leadership();
  fail_reads();
  become(Role::Stopped);
  emit(Stop{"the disk did not take the consensus log: " + input.why});
}

void Core::on(const SnapshotTaken& input) {
  if (input.index <= snapshot_.index || input.index > applied_ || !input.bytes) return;
  const Term term = *log_.term_at(input.index);
  raft::Snapshot snapshot{input.index, term, log_.configuration_at(input.index).configuration, input.bytes};
  const Index tail = std::min(config_.snapshot_tail_entries, input.index);
  log_.compact(std::max(log_.base_index(), input.index - tail));
  log_.forget_configurations_before(input.index);
  replace_log(snapshot);
}

// ---- messages and proposals ---------------------------------------------------------------------------------------

void Core::on(const MessageReceived& input) {
  constexpr Term term_max = Term{1} << 62;  // no cluster gets there; a peer that says so must not make ours overflow
  if (input.from == 0 || input.from == config_.id || raft::term_of(input.message) > term_max) return;
  if (log_.configuration().configuration.is_member(input.from)) last_heard_[input.from] = now_;
  std::visit([&](const auto& message) { on_message(input.from, message); }, input.message);
}

void Core::on(const Propose& input) {
  const auto refuse = [&](ProposalOutcome outcome, std::string why = {}) {
    emit(ProposalDone{input.id, outcome, 0, std::move(why)});
  };
  if (role_ != Role::Leader) return refuse(ProposalOutcome::NotLeader);
  if (transfer_) return refuse(ProposalOutcome::Transferring);
  if (input.payload.size() > raft::payload_bytes_max)
    return refuse(ProposalOutcome::Invalid, "the command is larger than 32 KiB");
  if (log_.last_index() - commit_ >= config_.uncommitted_entries_max ||
      uncommitted_bytes_ + input.payload.size() > config_.uncommitted_bytes_max)
    return refuse(ProposalOutcome::Busy);
  append_to_log({log_.last_index() + 1, hard_state_.term, raft::EntryKind::Command, input.payload});
  proposals_.push_back({input.id, log_.last_index(), input.payload.size()});
  uncommitted_bytes_ += input.payload.size();
  send_to_all();
}

void Core::on(const ProposeConfiguration& input) {
  if (role_ != Role::Leader) return emit(ProposalDone{input.id, ProposalOutcome::NotLeader, 0, {}});
  if (transfer_) return emit(ProposalDone{input.id, ProposalOutcome::Transferring, 0, {}});
  std::string objection = objection_to(input.configuration);
  if (!objection.empty()) return emit(ProposalDone{input.id, ProposalOutcome::Invalid, 0, std::move(objection)});
  append_to_log(configuration_entry(log_.last_index() + 1, hard_state_.term, input.configuration));
  proposals_.push_back({input.id, log_.last_index(), 0});
  follow_configuration();
  send_to_all();
}

void Core::on(const TransferLeadership& input) {
  if (role_ == Role::Leader) begin_transfer(input.to);
}

// ---- commit -------------------------------------------------------------------------------------------------------

void Core::advance_commit(Index to) {
  to = std::min(to, log_.last_index());
  if (to <= commit_) return;
  const Index configuration_index = log_.configuration().index;
  const bool settles = configuration_index > commit_ && configuration_index <= to;
  commit_ = to;
  while (applied_ < commit_) apply(log_.at(applied_ + 1));
  log_.forget_configurations_before(snapshot_.index);
  finish_proposals();
  finish_awaited_reads();
  if (settles) emit(ConfigurationChanged{configuration_index, log_.configuration().configuration, true});
}

void Core::apply(const raft::Entry& entry) {
  BASCULE_ASSERT(entry.index == applied_ + 1);
  applied_ = entry.index;
  if (entry.kind == raft::EntryKind::Command) emit(Apply{entry.index, entry.term, entry.payload});
}

void Core::finish_proposals() {
  while (!proposals_.empty() && proposals_.front().index <= commit_) {
    const auto& proposal = proposals_.front();
    uncommitted_bytes_ -= proposal.bytes;
    emit(ProposalDone{proposal.id, ProposalOutcome::Committed, proposal.index, {}});
    proposals_.pop_front();
  }
}

// ---- state --------------------------------------------------------------------------------------------------------

std::optional<Instant> Core::answered_at(ServerId member) const {
  const auto peer = peers_.find(member);
  if (role_ != Role::Leader || peer == peers_.end()) return std::nullopt;
  return peer->second.heard_at.value_or(peer->second.known_since);
}

Leadership Core::leadership() const { return {role_, hard_state_.term, leader_, lease_until()}; }

Status Core::status() const {
  Status status;
  status.leadership = leadership();
  status.vote = hard_state_.vote;
  status.commit_index = commit_;
  status.applied_index = applied_;
  status.last_index = log_.last_index();
  status.durable_index = durable_index_;
  status.snapshot_index = snapshot_.index;
  status.base_index = log_.base_index();
  status.configuration = log_.configuration().configuration;
  status.configuration_committed = log_.configuration().index <= commit_;
  status.transferring_to = transfer_ ? transfer_->to : 0;
  status.other_of_two = other_of_two();
  status.may_reform = status.other_of_two != 0 && was_current_ && role_ != Role::Stopped;
  for (const auto& [id, progress] : peers_) status.peers.push_back({id, progress.match, progress.heard_at});
  return status;
}

}  // namespace bascule::consensus::detail
