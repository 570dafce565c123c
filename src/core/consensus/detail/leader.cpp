#include <algorithm>

#include "base/assert.h"
#include "core/consensus/detail/core.h"
#include "core/consensus/detail/quorum.h"

namespace bascule::consensus::detail {

// ---- heartbeats, rounds, lease ------------------------------------------------------------------------------------

void Core::heartbeat_timeout() {
  if (!heard_from_majority()) return become_follower(hard_state_.term, 0);
  consider_preference();
  broadcast_round();
}

/// A round is a number that a majority answers, and the moment at which it was sent. While a transfer is under way the
/// number stands still, so that the successor's voters can tell rounds from before and after it.
void Core::broadcast_round() {
  heartbeat_at_ = now_ + config_.heartbeat;
  if (!transfer_ || !transfer_->told) rounds_.push_back({++round_, now_});
  for (auto& [id, progress] : peers_) send_append(id, progress, true);
  if (is_sole_voter()) count_rounds();
}

void Core::on_contact(Progress& progress, std::uint64_t round) {
  progress.heard_at = now_;
  if (round > round_) return;
  progress.acked_round = std::max(progress.acked_round, round);
  count_rounds();
}

void Core::count_rounds() {
  scratch_.clear();
  for (const ServerId id : log_.configuration().configuration.voters) {
    const auto peer = peers_.find(id);
    scratch_.push_back(id == config_.id ? round_ : peer == peers_.end() ? 0 : peer->second.acked_round);
  }
  const std::uint64_t answered = reached_by_majority(scratch_);
  if (answered <= majority_round_) return;
  majority_round_ = answered;
  while (!rounds_.empty() && rounds_.front().round <= answered) {
    lease_base_ = config_.canary == Canary::LeaseFromAnswerTime ? now_ : rounds_.front().sent_at;
    rounds_.pop_front();
  }
  confirm_reads();
}

std::optional<Instant> Core::lease_until() const {
  if (role_ != Role::Leader || !lease_base_ || !committed_in_term()) return std::nullopt;
  if (transfer_ && transfer_->told) return std::nullopt;
  return *lease_base_ + config_.election_min / 1000 * (1000 - config_.drift_margin_permille);
}

bool Core::committed_in_term() const { return log_.term_at(commit_) == hard_state_.term; }

bool Core::recently_heard(const Progress& progress) const {
  return progress.heard_at && now_ < *progress.heard_at + config_.election_max;
}

/// Check-quorum (6.2): a leader that a majority does not answer makes room.
bool Core::heard_from_majority() const {
  if (now_ < leader_since_ + config_.election_max) return true;
  const auto& voters = log_.configuration().configuration.voters;
  const auto count = std::count_if(voters.begin(), voters.end(), [&](ServerId id) {
    const auto peer = peers_.find(id);
    return id == config_.id || (peer != peers_.end() && recently_heard(peer->second));
  });
  return static_cast<std::size_t>(count) >= majority_of(voters.size());
}

// ---- sending ------------------------------------------------------------------------------------------------------

void Core::send_to_all() {
  for (auto& [id, progress] : peers_) send_append(id, progress, false);
  if (is_sole_voter()) count_matches();
}

void Core::send_append(ServerId to, Progress& progress, bool heartbeat) {
  if (progress.state != ProgressState::Snapshot && progress.next <= log_.base_index()) begin_snapshot(progress);
  switch (progress.state) {
    case ProgressState::Probe:
      if (progress.probe_sent && !heartbeat) return;
      progress.probe_sent = true;
      // To a silent peer only a question, not the same entries over and over.
      return send_entries(to, progress,
                          recently_heard(progress) || now_ == leader_since_ ? config_.append_entries_max : 0);
    case ProgressState::Snapshot:
      // Asks whether the snapshot is still needed; the refusal makes us send the next piece.
      if (heartbeat)
        send(to, raft::AppendRequest{
                     hard_state_.term, round_, progress.snapshot.index, progress.snapshot.term, commit_, {}});
      return;
    case ProgressState::Replicate:
      bool sent = false;
      while (progress.next <= log_.last_index() && progress.in_flight.size() < config_.appends_in_flight_max) {
        send_entries(to, progress, config_.append_entries_max);
        sent = true;
      }
      if (heartbeat && !sent) send_entries(to, progress, 0);
  }
}

void Core::send_entries(ServerId to, Progress& progress, std::size_t entries_max) {
  const Index previous = progress.next - 1;
  raft::AppendRequest request{hard_state_.term, round_, previous, *log_.term_at(previous), commit_, {}};
  progress.commit_sent = commit_;
  if (entries_max > 0) request.entries = log_.slice(progress.next, entries_max, config_.append_bytes_max);
  if (progress.state == ProgressState::Replicate && !request.entries.empty()) {
    progress.next += request.entries.size();
    progress.in_flight.push_back(progress.next - 1);
  }
  // What a survivor acts upon alone must not exist only with him (README, "Two voters").
  const Index members = log_.configuration().index;
  const bool has_members = !request.entries.empty() && request.entries.front().index <= members &&
                           members <= request.entries.back().index && members > durable_index_;
  send(to, std::move(request), has_members ? sequence_covering(members) : 0);
}

void Core::begin_snapshot(Progress& progress) {
  BASCULE_ASSERT(snapshot_.index >= log_.base_index() && snapshot_.bytes);
  progress.become(ProgressState::Snapshot, snapshot_.index + 1);
  progress.snapshot = snapshot_;
  progress.snapshot_offset = 0;
  progress.chunk_sent_at = now_ - config_.heartbeat;
}

void Core::send_chunk(ServerId to, Progress& progress) {
  const Bytes& all = *progress.snapshot.bytes;
  const std::uint64_t offset = std::min<std::uint64_t>(progress.snapshot_offset, all.size());
  const std::size_t length = std::min<std::size_t>(config_.snapshot_chunk_bytes, all.size() - offset);
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(offset);
  progress.chunk_sent_at = now_;
  send(to, raft::SnapshotChunk{hard_state_.term, round_, progress.snapshot.index, progress.snapshot.term,
                               progress.snapshot.configuration, all.size(), offset,
                               Bytes(begin, begin + static_cast<std::ptrdiff_t>(length))});
}

// ---- answers ------------------------------------------------------------------------------------------------------

void Core::on_message(ServerId from, const raft::AppendResponse& response) {
  if (response.term > hard_state_.term) return become_follower(response.term, 0);
  const auto peer = peers_.find(from);
  if (response.term < hard_state_.term || role_ != Role::Leader || peer == peers_.end()) return;
  Progress& progress = peer->second;
  on_contact(progress, response.round);
  if (!response.success) return on_refusal(from, progress, response);
  if (response.index > log_.last_index()) return;
  progress.matched(response.index);
  const bool installed = progress.state == ProgressState::Snapshot && progress.match >= progress.snapshot.index;
  if (progress.state == ProgressState::Probe || installed)
    progress.become(ProgressState::Replicate, std::max(progress.next, progress.match + 1));
  count_matches();
  if (role_ != Role::Leader) return;
  send_append(from, progress, false);
  // Its answer came after the majority's: what was committed meanwhile must not wait for the next heartbeat.
  if (progress.state == ProgressState::Replicate && progress.in_flight.empty() && progress.commit_sent < commit_)
    send_entries(from, progress, 0);
  drive_transfer();
}

void Core::on_refusal(ServerId from, Progress& progress, const raft::AppendResponse& response) {
  if (progress.state == ProgressState::Snapshot) {
    if (now_ >= progress.chunk_sent_at + config_.heartbeat) send_chunk(from, progress);
    return;
  }
  if (response.index <= progress.match) return;
  if (progress.state == ProgressState::Probe && response.index != progress.next - 1) return;
  const Index guess =
      log_.last_with_term_at_most(std::min(response.hint_index, response.index - 1), response.hint_term);
  progress.become(ProgressState::Probe, std::max(progress.match, std::min(guess, response.index - 1)) + 1);
  // Where even our base does not fit, only a snapshot helps.
  if (response.index == log_.base_index() && snapshot_.bytes) begin_snapshot(progress);
  send_append(from, progress, false);
  if (progress.state == ProgressState::Snapshot) send_chunk(from, progress);
}

void Core::on_message(ServerId from, const raft::SnapshotResponse& response) {
  if (response.term > hard_state_.term) return become_follower(response.term, 0);
  const auto peer = peers_.find(from);
  if (response.term < hard_state_.term || role_ != Role::Leader || peer == peers_.end()) return;
  Progress& progress = peer->second;
  on_contact(progress, response.round);
  if (progress.state != ProgressState::Snapshot || progress.snapshot.index != response.index) return;
  // Only progress makes the next piece go: a late or doubled answer must not start a second chain. After a restart
  // there, the pieces begin again with the next refused heartbeat.
  const bool forward = response.received_bytes > progress.snapshot_offset;
  progress.snapshot_offset = response.received_bytes;
  if (forward && progress.snapshot_offset < progress.snapshot.bytes->size()) send_chunk(from, progress);
}

/// 5.3 and 5.4.2 of the paper: a majority has it, and it is of this term.
void Core::count_matches() {
  scratch_.clear();
  for (const ServerId id : log_.configuration().configuration.voters) {
    const auto peer = peers_.find(id);
    scratch_.push_back(id == config_.id ? durable_index_ : peer == peers_.end() ? 0 : peer->second.match);
  }
  const Index matched = agreed_by_old_pair(reached_by_majority(scratch_));
  if (matched <= commit_) return;
  if (log_.term_at(matched) != hard_state_.term && config_.canary != Canary::CommitOldTermByCounting) return;
  const bool first = !committed_in_term();
  const bool alone_now = leaves_a_pair() && is_sole_voter() && log_.configuration().index <= matched;
  advance_commit(matched);
  if (alone_now) settle_alone();
  was_current_ = true;
  if (first) admit_waiting_reads();
  // Followers apply at once, not with the next heartbeat: whoever was granted something acts on it.
  for (auto& [id, progress] : peers_)
    if (progress.state == ProgressState::Replicate && progress.in_flight.empty()) send_entries(id, progress, 0);
  const auto& placed = log_.configuration();
  if (placed.index <= commit_ && !placed.configuration.is_voter(config_.id)) {
    send_to_all();
    for (auto& [id, progress] : peers_) send_append(id, progress, true);  // tells them that it is committed
    become_follower(hard_state_.term, 0);
  }
}

// ---- members ------------------------------------------------------------------------------------------------------

std::string Core::objection_to(const Configuration& to) const {
  const auto& placed = log_.configuration();
  const Configuration& from = placed.configuration;
  if (!raft::is_well_formed(to) || to.voters.empty()) return "the configuration is not well formed";
  if (placed.index > commit_) return "another change of members is under way";
  if (!committed_in_term()) return "this leader has not yet committed anything of its own";
  std::vector<ServerId> changed;
  std::set_symmetric_difference(from.voters.begin(), from.voters.end(), to.voters.begin(), to.voters.end(),
                                std::back_inserter(changed));
  if (changed.size() > 1) return "more than one voter would change";
  if (to.voters.size() == 1 && from.voters.size() == 2) return objection_to_leaving(from, to);
  if (changed.empty() || from.is_voter(changed.front())) return {};
  const auto peer = peers_.find(changed.front());
  if (peer == peers_.end()) return "a new voter must be a learner first";
  if (peer->second.match < commit_ || !recently_heard(peer->second)) return "the new voter has not caught up";
  return {};
}

/// The other one is to hear of it soon: until then nothing is committed. Nothing is sent to whoever is no member.
std::string Core::objection_to_leaving(const Configuration& pair, const Configuration& alone) const {
  if (!alone.is_voter(config_.id)) return "of two voters the one that leads stays";
  const ServerId leaving = pair.voters.front() == config_.id ? pair.voters.back() : pair.voters.front();
  if (!alone.is_learner(leaving)) return "of two voters the one that leaves stays a learner first";
  const auto other = peers_.find(leaving);
  const bool there = other != peers_.end() && other->second.match >= commit_ && recently_heard(other->second);
  return there ? "" : "of two voters one goes on alone only when the other one agrees, or is proven to be off";
}

void Core::follow_configuration() {
  const Configuration& configuration = log_.configuration().configuration;
  std::erase_if(peers_, [&](const auto& each) { return !configuration.is_member(each.first); });
  for (const auto* ids : {&configuration.voters, &configuration.learners}) {
    for (const ServerId id : *ids) {
      if (id == config_.id || peers_.contains(id)) continue;
      peers_[id].become(ProgressState::Probe, log_.last_index() + 1);
      peers_[id].known_since = now_;
    }
  }
}

// ---- transfer -----------------------------------------------------------------------------------------------------

void Core::begin_transfer(ServerId to) {
  const bool possible = to != config_.id && log_.configuration().configuration.is_voter(to) && peers_.contains(to);
  if (transfer_ || !possible) return;
  transfer_ = Transfer{to, now_ + config_.election_max, false};
  drive_transfer();
}

/// Once it has everything, the successor is told; from here on this leader has no lease.
void Core::drive_transfer() {
  if (!transfer_ || transfer_->told) return;
  const auto peer = peers_.find(transfer_->to);
  if (peer == peers_.end()) return end_transfer();
  if (peer->second.match != log_.last_index()) return;
  transfer_->told = true;
  send(transfer_->to, raft::TimeoutNow{hard_state_.term, round_});
}

/// It did not come to it. Old rounds prove nothing any more: the successor may still stand with their number.
void Core::end_transfer() {
  const bool told = transfer_->told;
  transfer_.reset();
  if (!told) return;
  rounds_.clear();
  lease_base_.reset();
  majority_round_ = round_;
  broadcast_round();
}

void Core::consider_preference() {
  const auto& preferred = config_.leader_preference;
  if (preferred.empty() || transfer_ || now_ < preference_not_before_) return;
  if (std::find(preferred.begin(), preferred.end(), config_.id) != preferred.end()) return;
  const ServerId successor = preferred_successor();
  if (successor == 0) return;
  const bool did_not_last = preference_used_at_ && now_ < *preference_used_at_ + 2 * preference_wait_;
  preference_wait_ =
      did_not_last ? std::min<Duration>(2 * preference_wait_, std::chrono::minutes(5)) : config_.preference_interval;
  preference_used_at_ = now_;
  preference_not_before_ = now_ + preference_wait_;
  begin_transfer(successor);
}

/// The first preferred voter that has everything and answered within two heartbeats.
ServerId Core::preferred_successor() const {
  for (const ServerId id : config_.leader_preference) {
    const auto peer = peers_.find(id);
    if (peer == peers_.end() || !log_.configuration().configuration.is_voter(id)) continue;
    const auto& [state, match] = std::pair{peer->second.state, peer->second.match};
    const bool fresh = peer->second.heard_at && now_ < *peer->second.heard_at + 2 * config_.heartbeat;
    if (fresh && state == ProgressState::Replicate && match == log_.last_index()) return id;
  }
  return 0;
}

}  // namespace bascule::consensus::detail
