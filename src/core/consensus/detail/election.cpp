#include <algorithm>

#include "base/assert.h"
#include "core/consensus/detail/core.h"
#include "core/consensus/detail/quorum.h"

namespace bascule::consensus::detail {

bool Core::is_sole_voter() const {
  const auto& configuration = log_.configuration().configuration;
  return configuration.voters.size() == 1 && configuration.is_voter(config_.id);
}

/// A voter; or one that was, while its removal is not known to be committed: its log may be the only one that is long
/// enough to win (4.2.2).
///
/// Nor may one that only heard of a new generation: its log is that of the old one.
bool Core::may_stand() const {
  return log_.is_voter_since(commit_, config_.id) &&
         raft::generation_of(log_.last_term()) == raft::generation_of(hard_state_.term);
}

/// A vote now could give the cluster a second leader while the first one still believes in its lease, which may stand
/// on our answers: also on those from before a restart.
bool Core::trusts_a_leader(const raft::VoteRequest& request) const {
  if (now_ < started_at_ + config_.election_min) return true;
  const bool told_by_leader = request.transfer_round != 0 && request.term == hard_state_.term + 1;
  if (role_ == Role::Leader) {
    const bool lease = lease_base_ && now_ < *lease_base_ + config_.election_min;
    return lease && !(told_by_leader && request.transfer_round >= round_);
  }
  if (told_by_leader && request.transfer_round >= heard_round_) return false;
  return now_ < heard_at_ + config_.election_min;
}

bool Core::log_is_current(const raft::VoteRequest& request) const {
  if (request.last_term != log_.last_term()) return request.last_term > log_.last_term();
  return request.last_index >= log_.last_index();
}

bool Core::have_majority_of_votes() const {
  const auto& voters = log_.configuration().configuration.voters;
  const auto count = std::count_if(voters.begin(), voters.end(), [&](ServerId id) { return votes_.contains(id); });
  return static_cast<std::size_t>(count) >= majority_of(voters.size());
}

void Core::election_timeout() {
  if (!may_stand()) {
    leader_ = 0;
    announce_leader();
    return restart_election_timer();
  }
  if (is_sole_voter()) return become_candidate(0);
  become_pre_candidate();
}

void Core::become_pre_candidate() {
  become(Role::PreCandidate);
  leader_ = 0;
  announce_leader();
  restart_election_timer();
  votes_ = {config_.id};
  request_votes(true, hard_state_.term + 1, 0);
}

void Core::become_candidate(std::uint64_t transfer_round) {
  become(Role::Candidate);
  leader_ = 0;
  set_hard_state({hard_state_.term + 1, config_.id});
  announce_leader();
  restart_election_timer();
  votes_.clear();
  own_vote_sequence_ = hard_state_sequence_;
  request_votes(false, hard_state_.term, transfer_round);
  if (config_.canary == Canary::AnswerBeforeDurable) votes_.insert(config_.id);
}

void Core::request_votes(bool pre_vote, Term term, std::uint64_t transfer_round) {
  for (const ServerId id : log_.configuration().configuration.voters) {
    if (id == config_.id) continue;
    send(id, raft::VoteRequest{term, pre_vote, log_.last_index(), log_.last_term(), transfer_round});
  }
}

void Core::count_own_vote() {
  if (durable_sequence_ < own_vote_sequence_) return;
  votes_.insert(config_.id);
  if (have_majority_of_votes()) become_leader();
}

void Core::become_leader() {
  become(Role::Leader);
  leader_ = config_.id;
  announce_leader();
  leader_since_ = now_;
  preference_not_before_ = std::max(preference_not_before_, now_ + config_.preference_delay);
  round_ = majority_round_ = 0;
  rounds_.clear();
  lease_base_.reset();
  uncommitted_bytes_ = 0;
  peers_.clear();
  follow_configuration();
  append_to_log({log_.last_index() + 1, hard_state_.term, raft::EntryKind::NoOp, {}});
  broadcast_round();
}

void Core::on_message(ServerId from, const raft::VoteRequest& request) {
  if (request.pre_vote) return answer_pre_vote(from, request);
  if (request.term >= hard_state_.term && trusts_a_leader(request)) return;
  if (request.term > hard_state_.term) become_follower(request.term, 0);
  const bool free = hard_state_.vote == 0 || hard_state_.vote == from;
  const bool granted = request.term == hard_state_.term && leader_ == 0 && free && log_is_current(request);
  if (granted) become_follower(hard_state_.term, 0);
  if (granted && hard_state_.vote == 0) set_hard_state({hard_state_.term, from});
  send(from, raft::VoteResponse{hard_state_.term, false, granted});
}

/// Changes nothing here: it only tells whether a vote would be given.
void Core::answer_pre_vote(ServerId from, const raft::VoteRequest& request) {
  const bool granted = request.term > hard_state_.term && !trusts_a_leader(request) && log_is_current(request);
  send(from, raft::VoteResponse{granted ? request.term : hard_state_.term, true, granted});
}

void Core::on_message(ServerId from, const raft::VoteResponse& response) {
  if (!response.granted) {
    if (response.term > hard_state_.term) become_follower(response.term, 0);
    return;
  }
  if (response.pre_vote) {
    if (role_ != Role::PreCandidate || response.term != hard_state_.term + 1) return;
    votes_.insert(from);
    if (have_majority_of_votes()) become_candidate(0);
    return;
  }
  if (role_ != Role::Candidate || response.term != hard_state_.term) return;
  votes_.insert(from);
  if (have_majority_of_votes()) become_leader();
}

void Core::on_message(ServerId from, const raft::TimeoutNow& message) {
  if (message.term != hard_state_.term || role_ != Role::Follower || leader_ != from || !may_stand()) return;
  // Its own vote is bound like anybody's: an order that comes late must not displace the lease of a later round.
  if (message.round < heard_round_ || now_ < started_at_ + config_.election_min) return;
  become_candidate(message.round);
}

}  // namespace bascule::consensus::detail
