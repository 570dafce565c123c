#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "core/consensus/detail/core.h"

namespace bascule::consensus::detail {

void Core::on(const ReadIndex& input) {
  if (role_ == Role::Leader) return register_read({input.id, 0, 0, 0});
  if (leader_ == 0 || forwarded_reads_.size() >= config_.reads_max) return emit(ReadFailed{input.id});
  const std::uint64_t wire_id = prng_.next();  // an answer to an earlier life of this server must not match
  forwarded_reads_[wire_id] = {input.id, now_ + config_.election_max};
  send(leader_, raft::ReadRequest{hard_state_.term, wire_id});
}

void Core::on_message(ServerId from, const raft::ReadRequest& request) {
  if (request.term == hard_state_.term && role_ == Role::Leader && peers_.contains(from))
    return register_read({request.id, from, 0, 0});
  send(from, raft::ReadResponse{hard_state_.term, request.id, false, 0});
}

void Core::on_message(ServerId from, const raft::ReadResponse& response) {
  const auto found = forwarded_reads_.find(response.id);
  if (found == forwarded_reads_.end() || from != leader_) return;
  const std::uint64_t id = found->second.id;
  forwarded_reads_.erase(found);
  if (!response.confirmed) return emit(ReadFailed{id});
  if (response.index <= applied_) {
    was_current_ = true;
    return emit(ReadReady{id, response.index});
  }
  if (awaited_reads_.size() >= config_.reads_max) return emit(ReadFailed{id});
  awaited_reads_.push_back({id, response.index});
}

void Core::register_read(Read read) {
  if (reads_.size() >= config_.reads_max) return finish_read(read, false);
  reads_.push_back(read);
  if (committed_in_term()) {
    admit_read(reads_.back());
    confirm_reads();
  }
}

/// 6.4: remember the commit index, then make sure that we still lead. Reads that come while a round is under way share
/// the next one.
void Core::admit_read(Read& read) {
  read.index = commit_;
  const auto lease = lease_until();
  const bool at_once = (config_.lease_reads && lease && now_ < *lease) || config_.canary == Canary::ReadWithoutRound;
  if (at_once || is_sole_voter()) {
    read.round = std::max<std::uint64_t>(majority_round_, 1);
    return;
  }
  const bool frozen = transfer_ && transfer_->told;
  read.round = round_ + 1;
  if (!frozen && majority_round_ == round_) broadcast_round();
}

void Core::admit_waiting_reads() {
  for (std::size_t i = 0; i < reads_.size(); ++i)
    if (reads_[i].round == 0) admit_read(reads_[i]);
  confirm_reads();
}

void Core::confirm_reads() {
  const auto confirmed = [this](const Read& read) {
    return read.round != 0 && read.round <= std::max<std::uint64_t>(majority_round_, 1);
  };
  bool more = false;
  for (std::size_t count = reads_.size(); count > 0; --count) {
    const Read read = reads_.front();
    reads_.pop_front();
    if (confirmed(read)) {
      finish_read(read, true);
    } else {
      more |= read.round > round_;
      reads_.push_back(read);
    }
  }
  if (more && majority_round_ == round_ && !(transfer_ && transfer_->told)) broadcast_round();
}

void Core::finish_read(const Read& read, bool confirmed) {
  if (read.origin != 0) return send(read.origin, raft::ReadResponse{hard_state_.term, read.id, confirmed, read.index});
  if (confirmed)
    emit(ReadReady{read.id, read.index});
  else
    emit(ReadFailed{read.id});
}

void Core::finish_awaited_reads() {
  std::erase_if(awaited_reads_, [this](const AwaitedRead& read) {
    const bool ready = read.index <= applied_;
    was_current_ = was_current_ || ready;
    if (ready) emit(ReadReady{read.id, read.index});
    return ready;
  });
}

/// A new term, or the end of our leadership.
void Core::fail_reads() {
  for (const auto& read : std::exchange(reads_, {})) finish_read(read, false);
  for (const auto& [wire_id, read] : std::exchange(forwarded_reads_, {})) emit(ReadFailed{read.id});
}

}  // namespace bascule::consensus::detail
