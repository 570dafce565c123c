#include <algorithm>

#include "base/assert.h"
#include "core/consensus/detail/core.h"

namespace bascule::consensus::detail {
namespace {

bool is_contiguous(const raft::AppendRequest& request) {
  Index index = request.previous_index;
  Term term = request.previous_term;
  for (const auto& entry : request.entries) {
    if (entry.index != ++index || entry.term < term || entry.term > request.term) return false;
    if (entry.kind == raft::EntryKind::Configuration && !raft::decode_configuration(entry.payload)) return false;
    term = entry.term;
  }
  return index >= request.previous_index;
}

}  // namespace

void Core::on_message(ServerId from, const raft::AppendRequest& request) {
  if (!is_contiguous(request)) return;
  if (request.term < hard_state_.term) {
    send(from, raft::AppendResponse{hard_state_.term, request.round, false, request.previous_index, 0, 0});
    return;
  }
  if (request.term > hard_state_.term) become_follower(request.term, from);
  if (role_ == Role::Leader) return;  // a second leader in one term: a server that breaks the protocol
  heard_from_leader(from, request.round);

  const Index verified = request.previous_index + request.entries.size();
  if (request.previous_index < commit_) {
    // What is committed here is equal there. Entries beyond it are looked at only if the request reaches that far.
    if (verified <= commit_) return acknowledge(from, request.round, verified);
    const Term there = request.entries[commit_ - request.previous_index - 1].term;
    if (there != log_.term_at(commit_)) return;  // the sender breaks the protocol
  } else if (log_.term_at(request.previous_index) != request.previous_term) {
    return refuse_append(from, request);
  }
  take_entries(request);
  advance_commit(std::min(request.commit, verified));
  acknowledge(from, request.round, config_.canary == Canary::ClaimUnverifiedTail ? log_.last_index() : verified);
}

void Core::take_entries(const raft::AppendRequest& request) {
  for (const auto& entry : request.entries) {
    if (entry.index <= commit_) continue;
    const auto ours = log_.term_at(entry.index);
    if (ours == entry.term) continue;
    if (ours) truncate_log(entry.index);
    append_to_log(entry);
  }
}

void Core::refuse_append(ServerId from, const raft::AppendRequest& request) {
  const Index hint =
      log_.last_with_term_at_most(request.previous_index == 0 ? 0 : request.previous_index - 1, request.previous_term);
  send(from, raft::AppendResponse{hard_state_.term, request.round, false, request.previous_index, hint,
                                  log_.term_at(hint).value_or(0)});
}

/// Answers at once for what is durable, so that the leader keeps its lease while our disk is slow; and once more when
/// the rest is.
void Core::acknowledge(ServerId from, std::uint64_t round, Index verified) {
  const bool careless = config_.canary == Canary::AnswerBeforeDurable;
  const Index durable = careless ? verified : std::min(verified, durable_index_);
  send(from, raft::AppendResponse{hard_state_.term, round, true, durable, 0, 0});
  if (durable < verified)
    send(from, raft::AppendResponse{hard_state_.term, round, true, verified, 0, 0}, sequence_covering(verified));
}

void Core::on_message(ServerId from, const raft::SnapshotChunk& chunk) {
  if (chunk.term < hard_state_.term) {
    send(from, raft::SnapshotResponse{hard_state_.term, chunk.round, chunk.index, 0});
    return;
  }
  if (chunk.term > hard_state_.term) become_follower(chunk.term, from);
  if (role_ == Role::Leader) return;
  heard_from_leader(from, chunk.round);
  if (chunk.index <= commit_) return acknowledge(from, chunk.round, chunk.index);
  const bool sound = chunk.snapshot_term <= chunk.term && raft::is_well_formed(chunk.configuration);
  if (!sound || chunk.total_bytes > config_.snapshot_bytes_max) return;
  collect(chunk);
  send(from, raft::SnapshotResponse{hard_state_.term, chunk.round, chunk.index, incoming_bytes_.size()});
  if (incoming_bytes_.size() == incoming_total_bytes_) install_snapshot(from, chunk.round);
}

void Core::collect(const raft::SnapshotChunk& chunk) {
  if (incoming_.index != chunk.index || incoming_.term != chunk.snapshot_term ||
      incoming_total_bytes_ != chunk.total_bytes) {
    incoming_ = {chunk.index, chunk.snapshot_term, chunk.configuration, nullptr};
    incoming_bytes_.clear();
    incoming_total_bytes_ = chunk.total_bytes;
  }
  const bool fits = chunk.bytes.size() <= incoming_total_bytes_ - incoming_bytes_.size();
  if (chunk.offset == incoming_bytes_.size() && fits)
    incoming_bytes_.insert(incoming_bytes_.end(), chunk.bytes.begin(), chunk.bytes.end());
}

void Core::install_snapshot(ServerId from, std::uint64_t round) {
  raft::Snapshot snapshot = std::exchange(incoming_, {});
  snapshot.bytes = std::make_shared<const Bytes>(std::exchange(incoming_bytes_, {}));
  BASCULE_ASSERT(snapshot.index > commit_);
  log_.install(snapshot);
  durable_index_ = 0;  // until the new files are there; what is being written belongs to the old ones
  for (auto& each : writing_) each.last_index = 0;
  replace_log(snapshot);
  commit_ = applied_ = snapshot.index;
  emit(RestoreSnapshot{snapshot.index, snapshot.term, snapshot.bytes});
  const auto& placed = log_.configuration();
  emit(ConfigurationChanged{placed.index, placed.configuration, placed.index <= commit_});
  finish_awaited_reads();
  acknowledge(from, round, snapshot.index);
}

}  // namespace bascule::consensus::detail
