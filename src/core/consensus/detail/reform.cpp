// One of two voters goes on alone. README.md, "Two voters", has the argument.

#include <algorithm>

#include "core/consensus/detail/core.h"

namespace bascule::consensus::detail {

bool Core::is_one_of_two() const {
  const auto& configuration = log_.configuration().configuration;
  return configuration.voters.size() == 2 && configuration.is_voter(config_.id);
}

std::string Core::objection_to(const Reform& reform) const {
  if (!is_one_of_two()) return "this server is not one of two voters";
  if (reform.lost == config_.id || !log_.configuration().configuration.is_voter(reform.lost))
    return "the server that is off is not the other voter";
  if (!was_current_ && !reform.told && config_.canary != Canary::ReformFromAnyLog)
    return "since its start this server has not been up to date: the other one may have gone on without it";
  const auto heard = last_heard_.find(reform.lost);
  const bool came_back = heard != last_heard_.end() && heard->second >= reform.since;
  if (came_back && config_.canary != Canary::ReformOnAnOldProof) return "the other server was heard again since";
  return {};
}

void Core::on(const Reform& input) {
  if (auto objection = objection_to(input); !objection.empty())
    return emit(ProposalDone{input.id, ProposalOutcome::Invalid, 0, std::move(objection)});
  become_follower(hard_state_.term, 0);
  begin_generation(raft::first_of_next_generation(hard_state_.term));
  if (input.id != 0) proposals_.push_back({input.id, log_.last_index(), 0});
}

/// Term, vote and the configuration of one in a single change; as the only voter this server then elects itself.
void Core::begin_generation(Term term) {
  Configuration alone = log_.configuration().configuration;
  alone.voters = {config_.id};
  set_hard_state({term, config_.id});
  append_to_log({log_.last_index() + 1, term, raft::EntryKind::Configuration, raft::encode(alone)});
  leader_ = 0;
  announce_leader();
  election_deadline_ = now_;
}

/// The power failed between the two records of that change: nobody else votes for itself with a log of an earlier
/// generation. The other voter cannot have done anything since without this one, so it is carried on with.
bool Core::reform_was_interrupted() const {
  return is_one_of_two() && hard_state_.vote == config_.id &&
         raft::generation_of(log_.last_term()) < raft::generation_of(hard_state_.term);
}

/// Two voters decide together about the end of being two: either could be the survivor, and has to know.
bool Core::waits_for_old_pair(Index matched) const {
  const auto& placed = log_.configuration();
  if (placed.index <= commit_ || matched < placed.index || placed.index == 0) return false;
  const auto& before = log_.configuration_at(placed.index - 1).configuration;
  if (before.voters.size() != 2 || before.voters == placed.configuration.voters) return false;
  const Term previous = log_.term_at(placed.index - 1).value_or(0);
  if (raft::generation_of(previous) != raft::generation_of(log_.at(placed.index).term)) return false;  // the survivor's
  return std::any_of(before.voters.begin(), before.voters.end(), [&](ServerId id) {
    const auto peer = peers_.find(id);
    return (id == config_.id ? durable_index_ : peer == peers_.end() ? 0 : peer->second.match) < placed.index;
  });
}

}  // namespace bascule::consensus::detail
