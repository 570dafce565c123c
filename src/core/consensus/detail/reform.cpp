// One of two voters goes on alone. README.md, "Two voters", has the argument.

#include <algorithm>

#include "core/consensus/detail/core.h"

namespace bascule::consensus::detail {

/// The newest configuration is the first one after one of two voters, in the same generation, and not committed yet as
/// far as this server knows.
bool Core::leaves_a_pair() const {
  const auto& placed = log_.configuration();
  if (placed.index <= commit_ || placed.index == 0) return false;
  const auto& before = log_.configuration_at(placed.index - 1).configuration;
  if (before.voters.size() != 2 || before.voters == placed.configuration.voters) return false;
  const Term previous = log_.term_at(placed.index - 1).value_or(0);
  return raft::generation_of(previous) == raft::generation_of(log_.at(placed.index).term);  // else: a survivor's
}

/// Whoever is to decide alone is one of two until the other one is known to have heard of it. The other one is not: it
/// cannot know whether that was.
ServerId Core::other_of_two() const {
  const auto& placed = log_.configuration();
  const auto* voters = &placed.configuration.voters;
  if (*voters == std::vector{config_.id} && leaves_a_pair())
    voters = &log_.configuration_at(placed.index - 1).configuration.voters;
  if (voters->size() != 2 || std::find(voters->begin(), voters->end(), config_.id) == voters->end()) return 0;
  return voters->front() == config_.id ? voters->back() : voters->front();
}

/// It had a vote beside that one until it said goodbye, or is to have it again.
bool Core::is_heir_of(ServerId voter) const {
  const auto& configuration = log_.configuration().configuration;
  return configuration.voters == std::vector{voter} && configuration.is_learner(config_.id);
}

std::string Core::objection_to(const Reform& reform) const {
  const ServerId other = other_of_two();
  const bool told_as_an_heir = reform.told && is_heir_of(reform.lost);
  if (other == 0 && !told_as_an_heir) return "this server is not one of two voters";
  if (reform.lost != other && !told_as_an_heir) return "the server that is off is not the other voter";
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
  std::erase(alone.learners, config_.id);
  set_hard_state({term, config_.id});
  append_to_log({log_.last_index() + 1, term, raft::EntryKind::Configuration, raft::encode(alone)});
  leader_ = 0;
  announce_leader();
  election_deadline_ = now_;
}

/// The power failed between the two records of that change: nobody else votes for itself with a log of an earlier
/// generation. The other voter cannot have done anything since without this one, so it is carried on with.
bool Core::reform_was_interrupted() const {
  return other_of_two() != 0 && hard_state_.vote == config_.id &&
         raft::generation_of(log_.last_term()) < raft::generation_of(hard_state_.term);
}

/// Two voters decide together about the end of being two, and about everything before it: either could be the survivor,
/// and has to have it. So `matched`, which a majority of the newest voters has, counts only as far as both have come.
Index Core::agreed_by_old_pair(Index matched) const {
  const auto& placed = log_.configuration();
  if (!leaves_a_pair() || config_.canary == Canary::LeaveThePairUnheard) return matched;
  Index both = log_.last_index();
  for (const ServerId id : log_.configuration_at(placed.index - 1).configuration.voters) {
    const auto peer = peers_.find(id);
    both = std::min(both, id == config_.id ? durable_index_ : peer == peers_.end() ? 0 : peer->second.match);
  }
  return both >= placed.index ? matched : std::min(matched, both);
}

/// After a restart this server does not know what was committed, and would wait for the other one again: a second entry
/// that says the same stands for the answer that the first one had.
void Core::settle_alone() {
  const auto alone = log_.configuration().configuration;
  append_to_log({log_.last_index() + 1, hard_state_.term, raft::EntryKind::Configuration, raft::encode(alone)});
}

}  // namespace bascule::consensus::detail
