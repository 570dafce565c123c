#include "core/consensus/detail/log.h"

#include <algorithm>

#include "base/assert.h"

namespace bascule::consensus::detail {

Log::Log(const raft::Restored& restored) : base_index_(restored.base_index), base_term_(restored.base_term) {
  configurations_.push_back({restored.snapshot.index, restored.snapshot.configuration});
  for (const auto& entry : restored.entries) append(entry);
}

std::optional<Term> Log::term_at(Index index) const {
  if (index == base_index_) return base_term_;
  if (index < base_index_ || index > last_index()) return std::nullopt;
  return entries_[index - base_index_ - 1].term;
}

const raft::Entry& Log::at(Index index) const {
  BASCULE_ASSERT(index > base_index_ && index <= last_index());
  return entries_[index - base_index_ - 1];
}

std::vector<raft::Entry> Log::slice(Index first, std::size_t entries_max, std::size_t bytes_max) const {
  constexpr std::size_t entry_header_bytes = 16;
  std::vector<raft::Entry> slice;
  std::size_t bytes = 0;
  for (Index index = first; index <= last_index() && slice.size() < entries_max; ++index) {
    const auto& entry = at(index);
    bytes += entry.payload.size() + entry_header_bytes;
    if (!slice.empty() && bytes > bytes_max) break;
    slice.push_back(entry);
  }
  return slice;
}

Index Log::last_with_term_at_most(Index index, Term term) const {
  index = std::min(index, last_index());
  while (index > base_index_ && at(index).term > term) --index;
  return std::max(index, base_index_);
}

void Log::append(raft::Entry entry) {
  BASCULE_ASSERT(entry.index == last_index() + 1 && entry.term >= last_term());
  if (entry.kind == raft::EntryKind::Configuration && entry.index > configurations_.back().index) {
    auto configuration = raft::decode_configuration(entry.payload);
    BASCULE_ASSERT(configuration.has_value());
    configurations_.push_back({entry.index, std::move(*configuration)});
  }
  entries_.push_back(std::move(entry));
}

void Log::truncate_from(Index from) {
  BASCULE_ASSERT(from > base_index_ && from <= last_index() + 1);
  entries_.resize(from - base_index_ - 1);
  while (configurations_.size() > 1 && configurations_.back().index >= from) configurations_.pop_back();
}

void Log::compact(Index index) {
  if (index <= base_index_) return;
  const Term term = at(index).term;
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(index - base_index_));
  base_index_ = index;
  base_term_ = term;
}

void Log::install(const raft::Snapshot& snapshot) {
  if (snapshot.index > base_index_ && term_at(snapshot.index) == snapshot.term) {
    compact(snapshot.index);
  } else {
    entries_.clear();
    base_index_ = snapshot.index;
    base_term_ = snapshot.term;
  }
  std::erase_if(configurations_,
                [&](const Placed& placed) { return placed.index <= snapshot.index || placed.index > last_index(); });
  configurations_.insert(configurations_.begin(), {snapshot.index, snapshot.configuration});
}

void Log::forget_configurations_before(Index index) {
  while (configurations_.size() > 1 && configurations_[1].index <= index)
    configurations_.erase(configurations_.begin());
}

const Log::Placed& Log::configuration_at(Index index) const {
  auto found = configurations_.rbegin();
  while (found + 1 != configurations_.rend() && found->index > index) ++found;
  return *found;
}

bool Log::is_voter_since(Index index, ServerId id) const {
  for (auto each = configurations_.rbegin(); each != configurations_.rend(); ++each) {
    if (each->configuration.is_voter(id)) return true;
    if (each->index <= index) return false;
  }
  return false;
}

}  // namespace bascule::consensus::detail
