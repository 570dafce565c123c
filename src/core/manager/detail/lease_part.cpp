// Leases, reports, and who is there.

#include <fmt/format.h>

#include <utility>

#include "core/manager/detail/state.h"
#include "core/membership/lease_names.h"

namespace bascule::manager {

void Manager::State::heartbeat_when_due() {
  if (now < next_heartbeat) return;
  next_heartbeat = now + config.timing.heartbeat;
  if (raft.leadership().leader != 0)
    next_heartbeat += config.timing.heartbeat / 4;  // speak_with_the_leader() comes first
  send_report();
  ask_for_lease_when_due();
  release_idle_leases();
  vouch_when_possible();
}

/// The answer also tells a node that has just started when it has caught up: so until then it asks with each heartbeat.
void Manager::State::ask_for_lease_when_due() {
  if (self->role != config::NodeRole::data) return;
  if (!state_is_current) return ask_for_lease(holder.ask(now));
  if (const auto request = holder.tick(now)) ask_for_lease(*request);
}

/// The leader has just sent its heartbeats, or one has come, which is answered: what is said soon goes out with it. All
/// nodes then speak at the leader's pace, each with one datagram to each other one, and wake half as often.
void Manager::State::speak_with_the_leader() {
  if (next_heartbeat - now <= config.timing.heartbeat / 2) next_heartbeat = now;
}

/// Something happens here: all others hear it before the heartbeat, a few changes at once.
void Manager::State::report_soon() {
  report_to_all_at = now;
  next_heartbeat = std::min(next_heartbeat, reported_at + config.timing.heartbeat / 4);
}

void Manager::State::send_report() {
  reported_at = now;
  message::NodeReport report;
  report.node = self->name;
  report.incarnation = incarnation;
  report.sent_at_ns = to_ns(now);
  report.applied_index = store.state().applied_index;
  for (const auto& runner : runners)
    if (!runner.by_hand) report.services.push_back(runner.machine->report());
  for (const auto& [name, volume] : volumes) {
    if (!volume.connected) continue;
    report.volumes.push_back(volume.state.report);
    report.volumes.back().name = name;
  }
  const bool to_all = report_is_for_all();
  for (const auto* nodes : {&config.nodes, &leaving})
    for (const auto& node : *nodes)
      if (node.id != self->id && (to_all || node.id == raft.leadership().leader)) send_to(node.id, report);
  std::vector<membership::LivenessEvent> events;
  liveness.report(std::move(report), now, events);
}

/// The leader hears of each heartbeat, and all hear the leader. Between the others every third one is enough, as long
/// as it says what they know: who takes over from a leader waits for leases that count from its election.
bool Manager::State::report_is_for_all() {
  const auto leader = raft.leadership().leader;
  if (leader != 0 && leader != self->id && config.timing.leases_are_ample() && now < report_to_all_at) return false;
  report_to_all_at = now + (2 * membership::Liveness::report_heartbeats - 1) * config.timing.heartbeat / 2;
  return true;
}

void Manager::State::ask_for_lease(const message::LeaseRequest& request) {
  const auto leader = raft.leadership().leader;
  if (leader == self->id) return lease_requested(request);
  if (leader != 0) send_to(leader, request);
}

void Manager::State::lease_requested(const message::LeaseRequest& request) {
  if (request.node != self->name && granter.may_wait(request, store.state()))
    lease_requests[request.node] = {request, now};
  else
    answer_lease_request(request, now);
}

/// Before the heartbeats that they travel with: a node then knows that it was answered when it thinks of asking again.
void Manager::State::answer_lease_requests() {
  for (const auto& [node, waiting_one] : std::exchange(lease_requests, {}))
    answer_lease_request(waiting_one.request, waiting_one.received_at);
}

void Manager::State::answer_lease_request(const message::LeaseRequest& request, Instant received_at) {
  const auto leadership = raft.leadership();
  if (leadership.role != consensus::Role::Leader || !leadership.lease_until) return;
  const auto answer = granter.answer(request, received_at, store.state(), true, *leadership.lease_until, now);
  if (!answer) return;
  told_lease_over.erase(request.node);
  const auto* node = config.node(request.node);
  if (node == nullptr) return;
  if (node->id == self->id) return lease_granted(*answer);
  send_to(node->id, *answer);
}

void Manager::State::lease_granted(const message::LeaseGrant& grant) {
  note_currentness(grant.applied_index);
  const auto outcome = holder.grant(grant, now);
  for (const auto& lease : outcome.extended) {
    if (!keeps_without_quorum(lease.name)) out->push_back(effect::GrantLease{lease.name, lease.epoch, lease.end});
    for (auto& runner : runners)
      if (runner.slot() == lease.name) {
        runner.lease = {lease.epoch, lease.end};
        step_runner(runner, runner.lease);
      }
  }
}

/// A lease that ended and under which nothing runs here must not make watchdogd reset the machine. The epoch goes on
/// here: what waits to be started needs its lease again.
void Manager::State::release_idle_leases() {
  for (const auto& lease : holder.leases()) {
    if (lease.end > now) continue;
    bool idle = true;
    for (const auto& runner : runners) {
      const bool concerned =
          runner.slot() == lease.name || (runner.volume && membership::volume_lease(*runner.volume) == lease.name);
      if (concerned && runner.machine->report().state != "Stopped") idle = false;
    }
    if (!idle) continue;
    holder.forget(lease.name);
    out->push_back(effect::ReleaseLease{lease.name, lease.epoch});
  }
}

void Manager::State::release_lease(const std::string& slot, std::uint64_t epoch) {
  holder.release(slot, epoch);
  out->push_back(effect::ReleaseLease{slot, epoch});
}

void Manager::State::heard(std::uint32_t from, std::size_t link) {
  const auto* node = linked_node(from);
  if (node == nullptr) return;
  std::vector<membership::LivenessEvent> events;
  if (!deaf.contains(from)) liveness.heard(node->name, now, events);
  tell(events);
  std::vector<membership::LinkEvent> changes;
  links.heard(node->name, link, now, changes);
  for (const auto& change : changes) story(change.up ? "link-back" : "link-lost", change.node, change.text);
}

/// After a standstill there are words from before it: no answers that are due are missed yet.
void Manager::State::note_standstill() {
  if (now > stepped_at + 2 * config.timing.heartbeat) awake_since = now;
  stepped_at = now;
}

/// A node that says something but does not answer its leader does not hear it: so it has no lease and cannot be told
/// anything. It is given up as if it were silent, or nobody would serve what it owns for as long as that lasts. To be
/// called before a word of it counts, and after one that may have been the answer.
void Manager::State::judge_hearing(std::uint32_t node) {
  const auto answered = raft.answered_at(node);
  if (!answered || now < std::max(*answered, awake_since) + config.timing.lost_after()) return void(deaf.erase(node));
  if (!deaf.insert(node).second) return;
  const auto* named = config.node(node);
  const std::string name = named != nullptr ? named->name : "?";
  story("node-deaf", name, fmt::format("{} is heard, but does not hear {}", name, self->name));
}

void Manager::State::watch_presence() {
  std::vector<membership::LivenessEvent> events;
  liveness.tick(now, events);
  tell(events);
}

void Manager::State::tell(const std::vector<membership::LivenessEvent>& events) {
  for (const auto& event : events) {
    plan_dirty = true;
    const bool lost = event.kind == membership::LivenessEvent::Kind::lost;
    story(lost ? "node-lost" : "node-back", event.node, event.text);
    // While its manager is restarted its blockd goes on; should the machine die after all, the other blockd finds out.
    const auto known = store.state().nodes.find(event.node);
    const bool restarting = known != store.state().nodes.end() && known->second.restart_lease_ms != 0;
    if (lost && !restarting) peer_lost(event.node);
  }
}

}  // namespace bascule::manager
