#pragma once

#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "core/consensus/config.h"

namespace bascule::consensus::detail {

/// The log in memory: entries after a base, and the configurations that they hold.
class Log {
 public:
  struct Placed {
    Index index = 0;
    Configuration configuration;
  };

  /// `restored` must be contiguous (wire/raft checks it).
  explicit Log(const raft::Restored& restored);

  [[nodiscard]] Index base_index() const { return base_index_; }
  [[nodiscard]] Term base_term() const { return base_term_; }
  [[nodiscard]] Index last_index() const { return base_index_ + entries_.size(); }
  [[nodiscard]] Term last_term() const { return entries_.empty() ? base_term_ : entries_.back().term; }
  /// Nothing for an index that is gone or not there yet.
  [[nodiscard]] std::optional<Term> term_at(Index index) const;
  /// base_index() < index <= last_index().
  [[nodiscard]] const raft::Entry& at(Index index) const;
  /// Entries from `first` on, as many as fit; always one when there is one.
  [[nodiscard]] std::vector<raft::Entry> slice(Index first, std::size_t entries_max, std::size_t bytes_max) const;
  /// The largest index <= `index` whose term is <= `term`, at least base_index().
  [[nodiscard]] Index last_with_term_at_most(Index index, Term term) const;

  void append(raft::Entry entry);
  /// Forgets `from` and everything after it, with its configurations.
  void truncate_from(Index from);
  /// Forgets entries up to `index`, which is in the log.
  void compact(Index index);
  /// Replaces everything up to the snapshot; keeps what follows it only if the log holds its last entry.
  void install(const raft::Snapshot& snapshot);
  /// The configurations before the one in force at `index` are not needed any more.
  void forget_configurations_before(Index index);

  /// In force: the newest, committed or not.
  [[nodiscard]] const Placed& configuration() const { return configurations_.back(); }
  [[nodiscard]] const Placed& configuration_at(Index index) const;
  /// In the configuration in force at `index` or in any later one.
  [[nodiscard]] bool is_voter_since(Index index, ServerId id) const;

 private:
  Index base_index_;
  Term base_term_;
  std::deque<raft::Entry> entries_;
  std::vector<Placed> configurations_;  ///< ascending; never empty
};

}  // namespace bascule::consensus::detail
