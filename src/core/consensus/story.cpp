#include "core/consensus/story.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace bascule::consensus {
namespace {

std::string entries_story(const std::vector<raft::Entry>& entries) {
  std::string text;
  for (const auto& entry : entries) {
    const char* kind = entry.kind == raft::EntryKind::NoOp ? " no-op" : "";
    if (entry.kind == raft::EntryKind::Configuration) kind = " members";
    text += fmt::format("{}{}@{}{}", text.empty() ? "" : ", ", entry.index, entry.term, kind);
  }
  return text;
}

// ---- messages

std::string tell(const raft::VoteRequest& m) {
  return fmt::format("{}VoteRequest term {} log {}@{}{}", m.pre_vote ? "Pre" : "", m.term, m.last_index, m.last_term,
                     m.transfer_round != 0 ? fmt::format(" told in round {}", m.transfer_round) : "");
}
std::string tell(const raft::VoteResponse& m) {
  return fmt::format("{}VoteResponse term {} {}", m.pre_vote ? "Pre" : "", m.term, m.granted ? "granted" : "refused");
}
std::string tell(const raft::AppendRequest& m) {
  return fmt::format("Append term {} round {} after {}@{} commit {}{}", m.term, m.round, m.previous_index,
                     m.previous_term, m.commit, m.entries.empty() ? "" : " [" + entries_story(m.entries) + "]");
}
std::string tell(const raft::AppendResponse& m) {
  if (m.success) return fmt::format("AppendResponse term {} round {} match {}", m.term, m.round, m.index);
  return fmt::format("AppendResponse term {} round {} refused {} hint {}@{}", m.term, m.round, m.index, m.hint_index,
                     m.hint_term);
}
std::string tell(const raft::SnapshotChunk& m) {
  return fmt::format("SnapshotChunk term {} round {} snapshot {}@{} bytes {}+{} of {}", m.term, m.round, m.index,
                     m.snapshot_term, m.offset, m.bytes.size(), m.total_bytes);
}
std::string tell(const raft::SnapshotResponse& m) {
  return fmt::format("SnapshotResponse term {} round {} snapshot {} has {} bytes", m.term, m.round, m.index,
                     m.received_bytes);
}
std::string tell(const raft::TimeoutNow& m) { return fmt::format("TimeoutNow term {} round {}", m.term, m.round); }
std::string tell(const raft::ReadRequest& m) { return fmt::format("ReadRequest term {}", m.term); }
std::string tell(const raft::ReadResponse& m) {
  return fmt::format("ReadResponse term {} {}", m.term, m.confirmed ? fmt::format("index {}", m.index) : "refused");
}

// ---- inputs

std::string tell(const Tick&) { return "tick"; }
std::string tell(const MessageReceived& i) { return fmt::format("from {}: {}", i.from, story_of(i.message)); }
std::string tell(const Propose& i) { return fmt::format("propose {}", i.id); }
std::string tell(const ProposeConfiguration& i) { return "propose members " + story_of(i.configuration); }
std::string tell(const ReadIndex& i) { return fmt::format("read {}", i.id); }
std::string tell(const TransferLeadership& i) { return fmt::format("transfer to {}", i.to); }
std::string tell(const Reform& i) { return fmt::format("go on without {}{}", i.lost, i.told ? ", told to" : ""); }
std::string tell(const Persisted& i) { return fmt::format("durable up to #{}", i.sequence); }
std::string tell(const PersistFailed& i) { return "disk failed: " + i.why; }
std::string tell(const SnapshotTaken& i) { return fmt::format("snapshot taken at {}", i.index); }

// ---- effects

std::string tell(const Send& e) {
  return fmt::format("-> {}: {}{}", e.to, story_of(e.message),
                     e.after_sequence == 0 ? "" : fmt::format(" (after #{})", e.after_sequence));
}
std::string tell(const Persist& e) {
  std::string text = fmt::format("persist #{}", e.sequence);
  const auto& change = e.change;
  if (change.snapshot)
    text += fmt::format(" snapshot {} base {}", change.snapshot->snapshot.index, change.snapshot->base_index);
  if (change.hard_state) text += fmt::format(" term {} vote {}", change.hard_state->term, change.hard_state->vote);
  if (change.truncate_from) text += fmt::format(" truncate from {}", *change.truncate_from);
  if (!change.entries.empty()) text += " entries " + entries_story(change.entries);
  return text;
}
std::string tell(const Apply& e) { return fmt::format("apply {}@{}", e.index, e.term); }
std::string tell(const RestoreSnapshot& e) { return fmt::format("restore snapshot {}@{}", e.index, e.term); }
std::string tell(const ProposalDone& e) {
  std::string text = fmt::format("proposal {} {}", e.id, name_of(e.outcome));
  if (e.outcome == ProposalOutcome::Committed) text += fmt::format(" at {}", e.index);
  if (!e.why.empty()) text += ": " + e.why;
  return text;
}
std::string tell(const ReadReady& e) { return fmt::format("read {} ready at {}", e.id, e.index); }
std::string tell(const ReadFailed& e) { return fmt::format("read {} failed", e.id); }
std::string tell(const LeaderChanged& e) {
  if (e.leader == 0) return fmt::format("no leader in term {}", e.term);
  return fmt::format("leader {} in term {}", e.leader, e.term);
}
std::string tell(const ConfigurationChanged& e) {
  return fmt::format("members at {}: {}{}", e.index, story_of(e.configuration), e.committed ? " (committed)" : "");
}
std::string tell(const Stop& e) { return "stop: " + e.reason; }

}  // namespace

std::string story_of(const Configuration& configuration) {
  std::string text = fmt::format("voters {}", fmt::join(configuration.voters, " "));
  if (!configuration.learners.empty()) text += fmt::format(" learners {}", fmt::join(configuration.learners, " "));
  return text;
}
std::string story_of(const raft::Message& message) {
  return std::visit([](const auto& each) { return tell(each); }, message);
}
std::string story_of(const Input& input) {
  return std::visit([](const auto& each) { return tell(each); }, input);
}
std::string story_of(const Effect& effect) {
  return std::visit([](const auto& each) { return tell(each); }, effect);
}

}  // namespace bascule::consensus
