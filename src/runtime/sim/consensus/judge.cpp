#include "runtime/sim/consensus/judge.h"

#include <fmt/format.h>

#include "base/crc32c.h"

namespace bascule::sim {
namespace {
/// Of an entry: index, election and generation (the upper half of a term) in one number.
std::uint64_t key(raft::Index index, raft::Term term) {
  const std::uint64_t election = term & ((std::uint64_t{1} << raft::generation_shift) - 1);
  return raft::generation_of(term) << 52 | election << 32 | index;
}
}  // namespace

std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
  return hash ^ (hash >> 29);
}

std::uint64_t proposal_of(ByteView payload) { return payload.size() < 8 ? 0 : get_big<std::uint64_t>(payload, 0); }

std::optional<Term> Judge::term_at(const Server& server, Index index) const {
  if (index == server.base_index) return server.base_term;
  if (index < server.base_index || index > server.base_index + server.terms.size()) return std::nullopt;
  return server.terms[index - server.base_index - 1];
}

std::optional<std::uint64_t> Judge::chain_of(Index index, Term term) const {
  if (index == 0) return 0;
  const auto found = chains_.find(key(index, term));
  if (found == chains_.end()) return std::nullopt;
  return found->second;
}

/// Log matching: two entries with the same index and term are equal, and so is everything before them.
void Judge::append(Server& server, const raft::Entry& entry) {
  const Index last = server.base_index + server.terms.size();
  const Term last_term = server.terms.empty() ? server.base_term : server.terms.back();
  if (entry.index != last + 1) return accuse(fmt::format("a log jumps from {} to {}", last, entry.index));
  const auto before = chain_of(last, last_term);
  if (!before) return accuse(fmt::format("a log goes on from ({}, term {}), which nobody wrote", last, last_term));
  std::uint64_t chain = mixed(mixed(*before, key(entry.index, entry.term)), crc32c(entry.payload));
  chain = mixed(chain, static_cast<std::uint64_t>(entry.kind) + 1);
  const auto [known, is_new] = chains_.try_emplace(key(entry.index, entry.term), chain);
  if (!is_new && known->second != chain)
    return accuse(fmt::format("log matching: two different logs end in index {} term {}", entry.index, entry.term));
  server.terms.push_back(entry.term);
}

void Judge::started(std::size_t id, const raft::Restored& restored) {
  Server& server = servers_[id];
  server = {};
  server.base_index = restored.base_index;
  server.base_term = restored.base_term;
  server.applied = restored.snapshot.index;
  for (const auto& entry : restored.entries) append(server, entry);
}

void Judge::persisting(std::size_t id, const raft::LogChange& change) {
  Server& server = servers_[id];
  if (change.snapshot) {
    server.base_index = change.snapshot->base_index;
    server.base_term = change.snapshot->base_term;
    server.terms.clear();
  }
  if (change.truncate_from) {
    if (*change.truncate_from <= server.applied)
      accuse(fmt::format("server {} forgets applied entry {}", id + 1, *change.truncate_from));
    server.terms.resize(*change.truncate_from - server.base_index - 1);
  }
  for (const auto& entry : change.entries) append(server, entry);
}

/// State machine safety: no two servers apply different commands at one index, nor come to different states.
void Judge::applied(std::size_t id, const consensus::Apply& apply, Term term, std::uint64_t state_hash) {
  Server& server = servers_[id];
  if (apply.index <= server.applied) accuse(fmt::format("server {} applies {} again", id + 1, apply.index));
  server.applied = apply.index;
  const auto chain = chain_of(apply.index, apply.term);
  if (!chain || term_at(server, apply.index) != apply.term)
    return accuse(fmt::format("server {} applies {}, which is not in its log", id + 1, apply.index));
  const Committed committed{apply.term, *chain, state_hash, proposal_of(apply.payload), term};
  const auto [known, is_new] = committed_.try_emplace(apply.index, committed);
  if (!is_new && (known->second.chain != *chain || known->second.state_hash != state_hash))
    accuse(fmt::format("state machine safety: server {} applies another command at index {} (term {}, before term {})",
                       id + 1, apply.index, apply.term, known->second.term));
}

void Judge::restored(std::size_t id, Index index, std::uint64_t state_hash) {
  servers_[id].applied = index;
  auto known = committed_.upper_bound(index);
  const std::uint64_t expected = known == committed_.begin() ? 0 : std::prev(known)->second.state_hash;
  if (expected != state_hash) accuse(fmt::format("server {} restores a wrong state at {}", id + 1, index));
}

void Judge::acknowledged(std::uint64_t proposal, Index index) {
  const auto known = committed_.find(index);
  if (known == committed_.end() || known->second.proposal != proposal)
    accuse(fmt::format("proposal {} is acknowledged at index {}, where something else is", proposal, index));
  acknowledged_[proposal] = index;
  read_floor_ = std::max(read_floor_, index);
}

void Judge::read_done(Index floor, Index applied) {
  ++reads_;
  if (applied < floor) accuse(fmt::format("a read sees index {} although {} was seen before it began", applied, floor));
  read_floor_ = std::max(read_floor_, applied);
}

void Judge::observed(std::size_t id, consensus::Role role, Term term, std::optional<WorldTime> lease_until,
                     WorldTime now) {
  Server& server = servers_[id];
  const bool leads = role == consensus::Role::Leader;
  if (leads && server.leads_term != term) elected(id, term, now);
  server.leads_term = leads ? term : 0;
  server.lease_until = leads ? lease_until : std::nullopt;
  server.lease_term = term;
  if (!leads || !server.lease_until || *server.lease_until <= now) return;
  for (std::size_t other = 0; other < servers_.size(); ++other) {
    const Server& rival = servers_[other];
    if (other == id || rival.paused) continue;
    if (rival.lease_until && *rival.lease_until > now)
      accuse(fmt::format("lease exclusivity: {} and {} both hold it", id + 1, other + 1));
    if (rival.leads_term > term)
      accuse(fmt::format("lease: {} holds it in term {} while {} leads term {}", id + 1, term, other + 1,
                         rival.leads_term));
  }
}

void Judge::elected(std::size_t id, Term term, WorldTime now) {
  const auto [known, is_new] = leaders_.try_emplace(term, id);
  if (!is_new && known->second != id)
    accuse(fmt::format("election safety: {} and {} both lead term {}", known->second + 1, id + 1, term));
  for (std::size_t other = 0; other < servers_.size(); ++other) {
    const Server& rival = servers_[other];
    if (other == id || rival.paused || !rival.lease_until || *rival.lease_until <= now) continue;
    if (rival.lease_term < term)
      accuse(fmt::format("lease: {} is elected in term {} while {} holds the lease of term {}", id + 1, term, other + 1,
                         rival.lease_term));
  }
  check_completeness(id, term);
}

/// Leader completeness: what was committed in an earlier term is in the log of every later leader.
void Judge::check_completeness(std::size_t id, Term term) {
  const Server& server = servers_[id];
  for (auto each = committed_.rbegin(); each != committed_.rend(); ++each) {
    if (each->second.seen_in_term >= term) continue;
    if (each->first > server.base_index && term_at(server, each->first) != each->second.term)
      accuse(
          fmt::format("leader completeness: {} leads term {} without committed entry {}", id + 1, term, each->first));
    return;  // log matching covers what is before it
  }
}

}  // namespace bascule::sim
