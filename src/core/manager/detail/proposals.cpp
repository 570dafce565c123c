// Commands on their way into the log: submitted here, forwarded to the leader, sent again until applied.

#include "core/manager/detail/state.h"

namespace bascule::manager {

namespace {
constexpr Duration resend_after = milliseconds(200);
constexpr Duration people_wait = seconds(10);
constexpr Duration machines_wait = seconds(10);
constexpr Duration forwarded_is_fresh = seconds(1);
}  // namespace

/// A change is judged on a state that is not older than the question: what a person was just told is true here too.
void Manager::State::change(const input::Change& change) {
  if (std::holds_alternative<message::FenceByHand>(change.command)) return fence_by_hand(change);
  const auto id = prng.next();
  ask_for_currentness(id, asked.emplace(id, Asked{change, {}, now + people_wait}).first->second);
}

void Manager::State::ask_for_currentness(std::uint64_t id, Asked& question) {
  question.ask_again = now + resend_after;
  step_consensus(consensus::ReadIndex{id});
}

void Manager::State::current_for(std::uint64_t id) {
  const auto it = asked.find(id);
  if (it == asked.end()) return;
  const auto change = std::move(it->second.change);
  asked.erase(it);
  judge(change);
}

void Manager::State::resend_questions() {
  std::vector<std::uint64_t> due, over;
  for (const auto& [id, question] : asked) {
    if (now >= question.give_up)
      over.push_back(id);
    else if (now >= question.ask_again)
      due.push_back(id);
  }
  for (const auto id : over) {
    out->push_back(effect::ChangeDone{asked.at(id).change.request, false,
                                      "no majority of the nodes answers: nothing was changed"});
    asked.erase(id);
  }
  for (const auto id : due)
    if (const auto it = asked.find(id); it != asked.end()) ask_for_currentness(id, it->second);
}

void Manager::State::judge(const input::Change& asked_for) {
  input::Change change = asked_for;
  if (std::holds_alternative<message::SetConfig>(change.command)) return judge_configuration(change);
  if (auto* update = std::get_if<message::UpdateAttributes>(&change.command); update != nullptr && update->node.empty())
    update->node = self->name;
  auto refuse = [&](const Error& error) { out->push_back(effect::ChangeDone{change.request, false, error.text()}); };
  if (auto valid = store::validate(change.command, config); !valid) return refuse(valid.error());
  const auto views = node_views();
  const ownership::Snapshot snapshot{config, store.state(), self->name, may_decide(), raft.leadership().leader != 0,
                                     now,    views};
  if (auto sensible = ownership::admissible(snapshot, change.command); !sensible) return refuse(sensible.error());
  Pending entry;
  entry.proposal = {prng.next(), self->name, change.command};
  entry.request = change.request;
  entry.give_up = now + people_wait;
  submit(std::move(entry));
}

void Manager::State::propose(message::Command command) { propose(prng.next(), std::move(command)); }

void Manager::State::propose(std::uint64_t id, message::Command command) {
  Pending entry;
  entry.proposal = {id, self->name, std::move(command)};
  entry.give_up = now + machines_wait;
  submit(std::move(entry));
}

void Manager::State::submit(Pending entry) {
  const auto id = entry.proposal.id;
  auto& placed = pending.insert_or_assign(id, std::move(entry)).first->second;
  send_proposal(placed);
}

void Manager::State::send_proposal(Pending& entry) {
  entry.next_send = entry.decision ? never : now + resend_after;
  const auto leadership = raft.leadership();
  if (leadership.role == consensus::Role::Leader)
    return step_consensus(consensus::Propose{entry.proposal.id, message::encode(entry.proposal)});
  if (leadership.leader != 0) send_to(leadership.leader, message::Forward{entry.proposal});
}

void Manager::State::resend_proposals() {
  std::vector<std::uint64_t> due, over;
  for (const auto& [id, entry] : pending) {
    if (entry.decision) continue;
    if (now >= entry.give_up)
      over.push_back(id);
    else if (now >= entry.next_send)
      due.push_back(id);
  }
  for (const auto id : over) {
    const auto it = pending.find(id);
    if (it->second.request)
      out->push_back(effect::ChangeDone{*it->second.request, false,
                                        "no majority answered in time; it may still happen: look at `bascule status`"});
    pending.erase(it);
  }
  for (const auto id : due)
    if (const auto it = pending.find(id); it != pending.end()) send_proposal(it->second);
}

void Manager::State::forwarded(std::uint32_t from, const message::Forward& forward) {
  if (!is_leader())
    return send_to(from, message::ForwardReply{forward.proposal.id, false, self->name + " does not lead"});
  for (auto it = recently_forwarded.begin(); it != recently_forwarded.end();)
    it = it->second + forwarded_is_fresh < now ? recently_forwarded.erase(it) : std::next(it);
  if (!recently_forwarded.emplace(forward.proposal.id, now).second) return;  // on its way already
  step_consensus(consensus::Propose{forward.proposal.id, message::encode(forward.proposal)});
}

void Manager::State::proposal_refused(const message::ForwardReply& reply) {
  const auto it = pending.find(reply.id);
  if (it != pending.end() && !reply.accepted) it->second.next_send = now + resend_after;
}

void Manager::State::proposal_done(const consensus::ProposalDone& done) {
  if (fence.reform != 0 && done.id == fence.reform) return reform_done(done);
  const bool entered_the_log =
      done.outcome == consensus::ProposalOutcome::Committed || done.outcome == consensus::ProposalOutcome::Unknown;
  if (entered_the_log) return;  // apply() or the next leader tells
  recently_forwarded.erase(done.id);
  const auto it = pending.find(done.id);
  if (it == pending.end()) return;
  if (it->second.decision) return forget(it);
  if (done.outcome != consensus::ProposalOutcome::Invalid) return;
  if (it->second.request) out->push_back(effect::ChangeDone{*it->second.request, false, done.why});
  pending.erase(it);
}

void Manager::State::proposal_applied(const message::Proposal& proposal, const store::Applied& applied) {
  recently_forwarded.erase(proposal.id);
  restart_proposal_applied(proposal, applied.accepted);
  attributes_applied(proposal.id);
  fencing_command_applied(proposal.command, applied.accepted);
  const auto it = pending.find(proposal.id);
  if (it == pending.end()) return;
  if (it->second.request)
    out->push_back(effect::ChangeDone{*it->second.request, applied.accepted, applied.why});
  else if (!applied.accepted)
    plan_dirty = true;
  forget(it);
}

void Manager::State::forget(std::map<std::uint64_t, Pending>::iterator entry) {
  if (!entry->second.lost.empty()) {
    granter.end_takeover(entry->second.lost);
    fence_after_takeover(entry->second.lost);
  }
  plan_dirty = true;
  pending.erase(entry);
}

}  // namespace bascule::manager
