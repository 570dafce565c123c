// raft.log and raft.snapshot, written by runtime/raft_storage.

#include <algorithm>

#include "runtime/raft_storage/log_files.h"
#include "runtime/sim/crash/files.h"
#include "runtime/sim/crash/writers/all.h"

namespace bascule::sim {
namespace {

using raft::Index;
using raft_storage::LogFiles;

constexpr raft::FileOwner owner{77, 2};
constexpr const char* directory = "/var/bascule";
const raft::Configuration members{{1, 2, 3}, {}};

enum Operation : std::size_t { append_one, append_large, vote, replace_tail, batch, snapshot, install, killed, begin };

bool same(const raft::Restored& one, const raft::Restored& other) {
  const auto bytes = [](const raft::Restored& each) { return each.snapshot.bytes ? *each.snapshot.bytes : Bytes{}; };
  return one.hard_state == other.hard_state && one.snapshot.index == other.snapshot.index &&
         one.snapshot.term == other.snapshot.term && bytes(one) == bytes(other) && one.base_index == other.base_index &&
         one.base_term == other.base_term && one.entries == other.entries;
}

std::string words(const raft::Restored& state) {
  return "term " + std::to_string(state.hard_state.term) + " vote " + std::to_string(state.hard_state.vote) +
         ", snapshot " + std::to_string(state.snapshot.index) + ", " + std::to_string(state.entries.size()) +
         " entries behind " + std::to_string(state.base_index);
}

/// The state after each record of a change that has no snapshot.
std::vector<raft::Restored> record_by_record(raft::Restored state, const raft::LogChange& change) {
  std::vector<raft::Restored> states;
  if (change.hard_state) {
    state.hard_state = *change.hard_state;
    states.push_back(state);
  }
  if (change.truncate_from) {
    state.entries.resize(*change.truncate_from - state.base_index - 1);
    states.push_back(state);
  }
  for (const auto& entry : change.entries) {
    state.entries.push_back(entry);
    states.push_back(state);
  }
  return states;
}

/// The snapshot is replaced and the log is not: the log goes on if it holds the snapshot's last entry.
raft::Restored with_snapshot_only(raft::Restored state, const raft::Snapshot& snapshot) {
  state.snapshot = snapshot;
  if (state.hard_state.term < snapshot.term) state.hard_state = {snapshot.term, 0};
  const bool reaches = snapshot.index > state.base_index && snapshot.index <= state.base_index + state.entries.size();
  if (reaches && state.entries[snapshot.index - state.base_index - 1].term == snapshot.term) return state;
  state.base_index = snapshot.index;
  state.base_term = snapshot.term;
  state.entries.clear();
  return state;
}

class ConsensusFiles final : public CrashSubject {
 public:
  ConsensusFiles(Explorer& explorer, const std::string& canary) : explorer_(explorer) {
    disk_.watch(explorer, [this](CrashFiles& found) { return fault_of(found); });
    if (canary == "log-not-synced")
      disk_.forgets_sync = [](const std::string& path) { return path.ends_with("raft.log"); };
    if (canary == "snapshot-renamed-unsynced")
      disk_.forgets_sync = [](const std::string& path) { return path.ends_with("raft.snapshot.tmp"); };
    if (canary == "directory-not-synced") disk_.forgets_sync = [](const std::string& path) { return path == "/var"; };
    if (canary == "snapshot-name-not-synced")
      disk_.forgets_sync = [](const std::string& path) { return path == directory; };
  }

  bool perform(std::size_t operation) override {
    if (operation == begin) return !files_ && open();
    if (!files_) {
      if (!open()) return false;
      disk_.flush_all();
    }
    if (operation == killed) return open();
    if (operation == snapshot && last() <= state_.snapshot.index) return false;
    if (operation == replace_tail && state_.entries.empty()) return false;
    return operation == snapshot || operation == install ? write_snapshot(operation) : write_records(operation);
  }

 private:
  [[nodiscard]] Index last() const { return state_.base_index + state_.entries.size(); }
  raft::Entry entry(Index index, std::size_t bytes) {
    return {index, term_, raft::EntryKind::Command, Bytes(bytes, static_cast<Byte>(++written_))};
  }

  bool open() {
    files_.reset();
    allowed_ = {state_};
    auto opened = LogFiles::open(directory, owner, disk_);
    if (!opened) return false;
    files_ = std::move(opened->files);
    explorer_.note("open: " + words(state_));
    return same(opened->restored, state_);
  }

  bool write_records(std::size_t operation) {
    std::vector<consensus::Persist> changes(operation == batch ? 2 : 1);
    raft::Restored after = state_;
    for (auto& change : changes) {
      change.change = change_for(operation, after);
      for (auto& next : record_by_record(after, change.change)) allowed_.push_back(next);
      after = allowed_.back();
    }
    return settle(changes, after);
  }

  raft::LogChange change_for(std::size_t operation, const raft::Restored& now) {
    constexpr std::size_t small = 40, large = 700;
    const Index next = now.base_index + now.entries.size() + 1;
    raft::LogChange change;
    if (operation == vote || operation == replace_tail) {
      ++term_;
      change.hard_state = raft::HardState{term_, 1 + static_cast<raft::ServerId>(++written_ % 3)};
    }
    if (operation == replace_tail) change.truncate_from = next - 1;
    if (operation == replace_tail) change.entries = {entry(next - 1, small), entry(next, large)};
    if (operation == append_one || operation == batch) change.entries = {entry(next, small)};
    if (operation == append_large)
      for (Index i = 0; i < 3; ++i) change.entries.push_back(entry(next + i, large));
    return change;
  }

  bool write_snapshot(std::size_t operation) {
    std::vector<consensus::Persist> changes(1);
    raft::LogChange& change = changes[0].change;
    const bool ahead = operation == install;
    const Index index = ahead ? last() + 5 : last();
    const raft::Term term = ahead ? ++term_ : state_.entries.empty() ? state_.base_term : state_.entries.back().term;
    const auto bytes = std::make_shared<const Bytes>(Bytes(3000, static_cast<Byte>(++written_)));
    change.snapshot = raft::SnapshotChange{{index, term, members, bytes}, index, term};
    change.hard_state = state_.hard_state;
    if (ahead) change.hard_state = raft::HardState{term, 0};
    raft::Restored after = state_;
    after.snapshot = change.snapshot->snapshot;
    after.hard_state = *change.hard_state;
    after.base_index = index;
    after.base_term = term;
    after.entries.clear();
    allowed_.push_back(with_snapshot_only(state_, change.snapshot->snapshot));
    allowed_.push_back(after);
    return settle(changes, after);
  }

  /// Writes them; from then on they are promised.
  bool settle(const std::vector<consensus::Persist>& changes, const raft::Restored& after) {
    if (!files_->write(changes)) return false;
    state_ = after;
    allowed_ = {state_};
    disk_.promise(words(state_));
    return true;
  }

  std::string fault_of(CrashFiles& found) const {
    raft::Restored state;
    {
      auto opened = LogFiles::open(directory, owner, found);
      if (!opened) return "it does not open: " + opened.error().text();
      state = opened->restored;
      const bool known =
          std::any_of(allowed_.begin(), allowed_.end(), [&](const auto& each) { return same(each, state); });
      if (!known) return "found " + words(state) + "; promised " + words(state_);
      consensus::Persist more;
      const Index next = state.base_index + state.entries.size() + 1;
      more.change.entries = {{next, state.hard_state.term, raft::EntryKind::Command, Bytes(30, 0xee)}};
      if (!opened->files.write({&more, 1})) return "nothing can be written behind it";
      state.entries.push_back(more.change.entries[0]);
    }
    const auto left = found.durable();
    const auto again = LogFiles::open(directory, owner, *left);
    if (!again) return "it does not open a second time: " + again.error().text();
    return same(again->restored, state) ? "" : "what was written after the recovery is lost";
  }

  Explorer& explorer_;
  CrashFiles disk_;
  std::optional<LogFiles> files_;
  raft::Restored state_;
  std::vector<raft::Restored> allowed_{raft::Restored{}};
  raft::Term term_ = 0;  ///< of the entries that are made
  unsigned written_ = 0;
};

}  // namespace

CrashWriter consensus_writer() {
  return {"consensus",
          "no acknowledged entry or vote is lost, a torn tail is cut, a snapshot is whole or absent",
          {"append a small entry", "append three large entries", "vote", "replace the last entry",
           "two changes in one batch", "take a snapshot", "install a snapshot from far ahead",
           "killed, and opened again", "begin in an empty directory"},
          3,
          [](Explorer& explorer, const std::string& canary) -> std::unique_ptr<CrashSubject> {
            return std::make_unique<ConsensusFiles>(explorer, canary);
          }};
}

}  // namespace bascule::sim
