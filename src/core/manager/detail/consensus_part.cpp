// The log: consensus inputs and effects, and what is applied from it.

#include <algorithm>

#include "core/manager/detail/state.h"

namespace bascule::manager {

namespace {
constexpr std::uint64_t compact_after_entries = 2000;
constexpr std::size_t waiting_messages_max = 4096;
/// What does not fit into one packet goes over one link only.
constexpr std::size_t bulky_bytes = 1200;
}  // namespace

bool Manager::State::is_leader() const { return raft.leadership().role == consensus::Role::Leader; }

bool Manager::State::may_decide() const {
  const auto leadership = raft.leadership();
  return leadership.role == consensus::Role::Leader && leadership.lease_until && *leadership.lease_until > now;
}

void Manager::State::step_consensus(const consensus::Input& input) {
  consensus::Effects effects;
  raft.step(input, now, effects);
  for (auto& effect : effects) carry_out(effect);
}

void Manager::State::carry_out(consensus::Effect& effect) {
  if (auto* send = std::get_if<consensus::Send>(&effect)) return send_when_durable(*send);
  if (auto* persist = std::get_if<consensus::Persist>(&effect))
    return void(out->push_back(effect::Persist{persist->sequence, std::move(persist->change)}));
  if (auto* entry = std::get_if<consensus::Apply>(&effect)) return apply(*entry);
  if (auto* snapshot = std::get_if<consensus::RestoreSnapshot>(&effect)) return restore(*snapshot);
  if (auto* done = std::get_if<consensus::ProposalDone>(&effect)) return proposal_done(*done);
  if (auto* leader = std::get_if<consensus::LeaderChanged>(&effect)) return leader_changed(*leader);
  if (auto* ready = std::get_if<consensus::ReadReady>(&effect)) return current_for(ready->id);
  if (auto* members = std::get_if<consensus::ConfigurationChanged>(&effect)) return members_changed(*members);
  if (auto* stop = std::get_if<consensus::Stop>(&effect)) return void(out->push_back(effect::Stop{stop->reason}));
}

void Manager::State::send_to(std::uint32_t to, message::Message message) {
  const auto* node = linked_node(to);
  if (node == nullptr) return;
  const auto* consensus = std::get_if<message::Consensus>(&message);
  const bool bulky = consensus != nullptr && consensus->body.size() > bulky_bytes;
  const auto over = links.choose(node->name, bulky);
  out->push_back(effect::Send{to, std::move(message), over});
}

void Manager::State::send_when_durable(consensus::Send& send) {
  Bytes body = raft::encode(send.message);
  if (send.after_sequence <= persisted_sequence) return send_to(send.to, message::Consensus{std::move(body)});
  waiting.push_back({send.after_sequence, send.to, std::move(body)});
  if (waiting.size() > waiting_messages_max) waiting.pop_front();  // as if the network had lost it
}

void Manager::State::persisted(std::uint64_t sequence) {
  persisted_sequence = std::max(persisted_sequence, sequence);
  std::deque<Waiting> still;
  for (auto& message : waiting) {
    if (message.sequence > persisted_sequence)
      still.push_back(std::move(message));
    else
      send_to(message.to, message::Consensus{std::move(message.body)});
  }
  waiting = std::move(still);
  step_consensus(consensus::Persisted{sequence});
}

void Manager::State::apply(const consensus::Apply& entry) {
  const auto proposal = message::decode_proposal(entry.payload);
  if (!proposal) {
    // Written by a later version, or damaged before it was proposed: every node skips it alike.
    store.skip(entry.index);
    story("entry-skipped", "log", "entry " + std::to_string(entry.index) + " is not understood and was skipped");
    return;
  }
  const auto applied = store.apply(entry.index, *proposal);
  for (const auto& event : applied.events) {
    if (entry.index <= told_index) break;
    auto fields = event.fields;
    fields["index"] = std::to_string(entry.index);
    story(event.kind, event.subject, event.text, std::move(fields));
  }
  proposal_applied(*proposal, applied);
  if (const auto* grant = std::get_if<message::GrantOwnership>(&proposal->command); grant != nullptr && applied.changed)
    if (!grant->lost.empty()) notify.taken_from[grant->lost] = now;
  if (applied.changed) applied_state_changed();
  compact_when_long();
}

void Manager::State::restore(const consensus::RestoreSnapshot& snapshot) {
  auto restored = store::Store::restore(*snapshot.bytes);
  if (!restored) return void(out->push_back(effect::Stop{"the snapshot cannot be used: " + restored.error().text()}));
  store = std::move(*restored);
  last_compaction = snapshot.index;
  applied_state_changed();
}

void Manager::State::applied_state_changed() {
  follow_configuration();
  if (running) reconcile_runners();
  holder.observe(store.state());
  note_maintenance();
  tell_in_sync();
  tell_ownership();
  plan_dirty = true;
}

void Manager::State::compact_when_long() {
  const auto applied = store.state().applied_index;
  if (applied < last_compaction + compact_after_entries) return;
  last_compaction = applied;
  step_consensus(consensus::SnapshotTaken{applied, std::make_shared<const Bytes>(store.snapshot())});
}

void Manager::State::leader_changed(const consensus::LeaderChanged& change) {
  const bool mine = change.leader == self->id && is_leader();
  if (mine)
    granter.lead(change.term, now);
  else
    granter.follow();
  told_lease_over.clear();
  lease_requests.clear();
  holder.ask_anew();
  deaf.clear();
  const auto* leader = config.node(change.leader);
  liveness.follow(leader != nullptr ? leader->name : "", now);
  fence.answered.clear();
  for (auto it = pending.begin(); it != pending.end();) it = it->second.decision ? pending.erase(it) : std::next(it);
  if (change.leader != 0) {
    story("leader-elected", leader != nullptr ? leader->name : "?",
          (leader != nullptr ? leader->name : "?") + " leads in term " + std::to_string(change.term));
    next_heartbeat = now;
    for (auto& [id, proposal] : pending) proposal.next_send = now;
  }
  plan_dirty = true;
}

}  // namespace bascule::manager
