#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/consensus/raft.h"
#include "runtime/sim/world_time.h"

namespace bascule::sim {

using raft::Index;
using raft::Term;

/// Watches all servers from outside and knows Raft's promises, not its code. Every method records one thing that
/// happened; the first broken promise is kept in violation().
class Judge {
 public:
  using Effects = consensus::Effects;

  explicit Judge(std::size_t server_count) : servers_(server_count) {}

  [[nodiscard]] const std::optional<std::string>& violation() const { return violation_; }
  void accuse(std::string what) {
    if (!violation_) violation_ = std::move(what);
  }

  /// A process started with what its disk held.
  void started(std::size_t server, const raft::Restored& restored);
  void stopped(std::size_t server) { servers_[server].lease_until.reset(); }
  void persisting(std::size_t server, const raft::LogChange& change);
  void applied(std::size_t server, const consensus::Apply& apply, Term term, std::uint64_t state_hash);
  void restored(std::size_t server, Index index, std::uint64_t state_hash);
  void acknowledged(std::uint64_t proposal, Index index);
  /// After each step: who it thinks leads. `lease_until` in world time; `now` likewise.
  void observed(std::size_t server, consensus::Role role, Term term, std::optional<WorldTime> lease_until,
                WorldTime now);
  void paused(std::size_t server, bool paused) { servers_[server].paused = paused; }

  /// A linearizable read: what it must at least see, and what it saw.
  [[nodiscard]] Index read_floor() const { return read_floor_; }
  void read_done(Index floor, Index applied);

  [[nodiscard]] std::size_t elections() const { return leaders_.size(); }
  [[nodiscard]] std::size_t commits() const { return acknowledged_.size(); }
  [[nodiscard]] std::size_t reads() const { return reads_; }
  /// The highest proposal number that was acknowledged.
  [[nodiscard]] std::uint64_t newest_proposal() const {
    return acknowledged_.empty() ? 0 : acknowledged_.rbegin()->first;
  }

 private:
  struct Server {
    Index base_index = 0;
    std::vector<Term> terms;  ///< of the entries after base_index, as in its memory
    Term base_term = 0;
    Index applied = 0;
    Term leads_term = 0;  ///< 0: does not lead
    std::optional<WorldTime> lease_until;
    Term lease_term = 0;
    bool paused = false;
  };
  struct Committed {
    Term term;
    std::uint64_t chain;
    std::uint64_t state_hash;
    std::uint64_t proposal;
    Term seen_in_term;
  };

  void append(Server& server, const raft::Entry& entry);
  void elected(std::size_t server, Term term, WorldTime now);
  void check_completeness(std::size_t server, Term term);
  [[nodiscard]] std::optional<Term> term_at(const Server& server, Index index) const;
  [[nodiscard]] std::optional<std::uint64_t> chain_of(Index index, Term term) const;

  std::vector<Server> servers_;
  std::unordered_map<std::uint64_t, std::uint64_t> chains_;  ///< (term, index) -> hash of the log up to it
  std::map<Index, Committed> committed_;
  std::map<Term, std::size_t> leaders_;
  std::map<std::uint64_t, Index> acknowledged_;
  Index read_floor_ = 0;
  std::size_t reads_ = 0;
  std::optional<std::string> violation_;
};

/// The proposal number that a command carries.
[[nodiscard]] std::uint64_t proposal_of(ByteView payload);
[[nodiscard]] std::uint64_t mixed(std::uint64_t hash, std::uint64_t value);

}  // namespace bascule::sim
