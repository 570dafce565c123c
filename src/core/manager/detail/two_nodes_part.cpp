// Two nodes without a witness: one goes on alone only when the other is proven to be off (docs/safety.md, section 7).

#include <algorithm>

#include "core/manager/detail/state.h"

namespace bascule::manager {

namespace {
constexpr Duration two_nodes_ask_again = milliseconds(300);
constexpr Duration proof_again_after = seconds(10);
}  // namespace

const config::Node* Manager::State::the_other() const {
  const auto status = raft.status();
  if (status.other_of_two != 0) return linked_node(status.other_of_two);
  const auto& voters = status.configuration.voters;
  const bool had_a_vote = config.two_nodes() && self->votes() && status.configuration.is_learner(self->id);
  return had_a_vote && voters.size() == 1 ? linked_node(voters.front()) : nullptr;
}

void Manager::State::drive_two_nodes() {
  const auto* other = the_other();
  if (other == nullptr) return;
  become_current();
  fence_the_other(*other);
}

/// Who has not seen a leader's state since its start may have missed what the other did alone, and may not go on alone
/// itself: so it asks. (A node that leads is current.)
void Manager::State::become_current() {
  if (raft.leadership().leader == 0 || is_leader() || now < fence.read_again) return;
  fence.read_again = now + (raft.status().may_reform ? seconds(60) : two_nodes_ask_again);
  step_consensus(consensus::ReadIndex{prng.next()});
}

/// What decides who shoots first, if both live and do not hear each other.
std::size_t Manager::State::holdings(const std::string& node) const {
  std::size_t count = 0;
  for (const auto& [name, service] : store.state().services) count += service.owner == node ? 1 : 0;
  for (const auto& [name, volume] : store.state().volumes) count += volume.owner == node ? 1 : 0;
  return count;
}

bool Manager::State::may_be_fenced(const config::Node& other) {
  if (raft.leadership().leader != 0 || fence.reform != 0 || config.fences_of(other.name).empty()) return false;
  // In maintenance a node is unplugged on purpose, this one or the other.
  if (fencing_is_suspended("", other.name) || fencing_is_suspended("", self->name)) return false;
  // Its manager may only be restarted: then what it has stays leased to it for longer.
  const auto known = store.state().nodes.find(other.name);
  const auto longer_ms = known == store.state().nodes.end() ? 0 : known->second.restart_lease_ms;
  if (liveness.age(other.name, now) < milliseconds(static_cast<std::int64_t>(longer_ms))) return false;
  return now >= fence.not_before[other.name] && raft.status().may_reform;
}

void Manager::State::fence_the_other(const config::Node& other) {
  const bool lost = liveness.presence(other.name, now) == membership::Presence::lost;
  const auto at_work = fence.running.find(other.name);
  if (at_work != fence.running.end()) {
    const bool by_itself = at_work->second.order == 0 && at_work->second.requests.empty();
    if (!lost && by_itself) step_fencer(other.name, fencing::input::Cancel{other.name + " is heard again"});
    return;
  }
  if (!lost || !may_be_fenced(other)) return;
  const auto mine = holdings(self->name), theirs = holdings(other.name);
  const bool first = mine > theirs || (mine == theirs && self->id < other.id);
  Fencing fencing;
  fencing.reason = other.name + " is not heard any more";
  begin_fencing(other.name, std::move(fencing), first ? Duration{} : config.fence_head_start);
}

void Manager::State::go_on_without(const std::string& node, Instant since, bool told, const std::string& how) {
  const auto* other = the_other();
  if (other == nullptr || other->name != node || fence.reform != 0) return;
  fence.reform = prng.next() | 1;
  fence.alone_without = node;
  fence.alone_because = how;
  step_consensus(consensus::Reform{fence.reform, other->id, since, told});
}

void Manager::State::reform_done(const consensus::ProposalDone& done) {
  fence.reform = 0;
  const bool alone = done.outcome == consensus::ProposalOutcome::Committed;
  const std::string why = done.why.empty() ? "it was interrupted" : done.why;
  for (const auto request : fence.reform_requests) answer_fence(request, alone ? "" : why);
  fence.reform_requests.clear();
  if (alone) return lead_alone();
  fence.not_before[fence.alone_without] = now + proof_again_after;
  story("takeover-refused", self->name, self->name + " does not go on without " + fence.alone_without + ": " + why);
}

/// Whatever was leased to the other one was leased before it was off, and nobody could lease it anything since.
void Manager::State::lead_alone() {
  story("alone", self->name, self->name + " goes on without " + fence.alone_without + ": " + fence.alone_because);
  granter.end_fencing(fence.alone_without, true);
  plan_dirty = true;
}

}  // namespace bascule::manager
