// Fencing: orders of the log that this node carries out, their results, and what a leader orders.

#include <algorithm>

#include "core/manager/detail/state.h"
#include "core/store/operations.h"

namespace bascule::manager {

namespace {
constexpr Duration fence_again_after = seconds(10);
constexpr Duration failures_look_interval = milliseconds(200);
constexpr std::string_view unfencing_prefix = "unfence:";
}  // namespace

void Manager::State::drive_fencing() {
  std::vector<std::string> due;
  for (const auto& [node, fencing] : fence.running)
    if (fencing.fencer && now >= fencing.fencer->next_deadline()) due.push_back(node);
  for (const auto& node : due) step_fencer(node, fencing::input::Tick{});
  std::erase_if(fence.running, [this](const auto& each) {
    if (each.second.fencer) return each.second.fencer->ended();
    if (now < each.second.give_up) return false;
    for (const auto request : each.second.requests) answer_fence(request, "no majority agreed to it in time");
    return true;
  });
  follow_fencing_orders();
  record_when_possible();
  fence_for_failures();
  if (!fence.to_unfence.empty() && now >= fence.unfence_again) run_unfencing();
  if (now < fence.look_at_the_other) return;
  fence.look_at_the_other = now + config.timing.heartbeat;
  drive_two_nodes();
}

/// All else is looked at with each heartbeat.
Instant Manager::State::fencing_deadline() const {
  Instant deadline = never;
  for (const auto& [node, fencing] : fence.running)
    if (fencing.fencer) deadline = std::min(deadline, fencing.fencer->next_deadline());
  return deadline;
}

void Manager::State::begin_fencing(const std::string& node, Fencing fencing, Duration head_start) {
  fencing::Order order;
  order.node = node;
  for (const auto* device : config.fences_of(node)) order.devices.push_back(*device);
  if (order.devices.empty())
    return record(message::RecordFencing{node, self->name, fencing.order, "", false, "nothing can fence " + node,
                                         fencing.reason, 0, wall_now_ms()});
  order.abilities = fence.abilities;
  order.head_start = head_start;
  order.seed = prng.next();
  fencing.fencer.emplace(std::move(order), now);
  story("fencing-begun", node, self->name + " fences " + node + ": " + fencing.reason);
  fence.running[node] = std::move(fencing);
  step_fencer(node, fencing::input::Tick{});
}

void Manager::State::step_fencer(const std::string& node, const fencing::Input& input) {
  const auto found = fence.running.find(node);
  if (found == fence.running.end() || !found->second.fencer) return;
  fencing::Effects effects;
  found->second.fencer->step(input, now, effects);
  for (auto& effect : effects) {
    if (auto* run = std::get_if<fencing::effect::RunAgent>(&effect))
      out->push_back(effect::RunFenceAgent{node, std::move(*run)});
    if (const auto* proof = std::get_if<fencing::effect::ProvenOff>(&effect)) proven_off(node, *proof);
    if (const auto* ended = std::get_if<fencing::effect::Ended>(&effect)) fencing_ended(node, *ended);
  }
}

/// Told at once: whoever waits for it need not wait until the node was switched on again.
void Manager::State::proven_off(const std::string& node, const fencing::effect::ProvenOff& proof) {
  auto& fencing = fence.running.at(node);
  fencing.recorded = true;
  record(message::RecordFencing{node, self->name, fencing.order, proof.how, true,
                                node + " is fenced (" + proof.how + ")", fencing.reason,
                                static_cast<std::uint64_t>(to_ms(proof.took)), wall_now_ms()});
  if (const auto* other = the_other(); other != nullptr && other->name == node)
    go_on_without(node, proof.since, false, node + " was fenced");
}

void Manager::State::fencing_ended(const std::string& node, const fencing::effect::Ended& ended) {
  auto& fencing = fence.running.at(node);
  const bool proven = ended.state == fencing::State::Proven;
  if (!proven) fence.not_before[node] = now + fence_again_after;
  story("fencing-ended", node, ended.text);
  if (!fencing.recorded && (ended.state != fencing::State::Cancelled || fencing.order != 0))
    record(message::RecordFencing{node, self->name, fencing.order, ended.how, proven, ended.text, fencing.reason,
                                  static_cast<std::uint64_t>(to_ms(ended.took)), wall_now_ms()});
  if (fencing.trial)
    for (const auto* device : config.fences_of(node))
      record(message::RecordFenceTest{device->name, node, self->name, proven, ended.text, wall_now_ms(),
                                      config::definition_of(*device)});
  for (const auto request : fencing.requests) answer_fence(request, proven ? "" : ended.text);
  fencing.requests.clear();
}

void Manager::State::fence_agent_done(const input::FenceAgentDone& in) {
  if (in.node.starts_with(unfencing_prefix)) return unfencing_done(in.node.substr(unfencing_prefix.size()), in.done);
  if (fence.trial && fence.trial->node == in.node && fence.trial->run == in.done.run) return trial_done(in.done);
  step_fencer(in.node, in.done);
}

// ---- orders of the log ----------------------------------------------------------------------------------------------

/// A leader stops answering a node from the moment that its fencing is ordered: nothing is leased to it after the shot.
void Manager::State::fencing_command_applied(const message::Command& command, bool accepted) {
  if (const auto* order = std::get_if<message::RequestFencing>(&command)) {
    if (accepted && is_leader()) {
      granter.begin_fencing(order->node);
      fence.answered[order->node] = order->order;
    }
    if (const auto word = fence.confirmed.find(order->order); word != fence.confirmed.end()) {
      if (accepted) record(word->second);
      fence.confirmed.erase(word);
    }
    const auto mine = fence.running.find(order->node);
    if (!accepted && mine != fence.running.end() && mine->second.order == order->order) mine->second.give_up = now;
  }
  const auto* end = std::get_if<message::RecordFencing>(&command);
  if (end == nullptr || !accepted) return;
  const auto began = fence.answered.find(end->node);
  if (began == fence.answered.end() || began->second != end->order) return;
  fence.answered.erase(began);
  granter.end_fencing(end->node, end->proven);
  if (!end->proven) fence.not_before[end->node] = now + fence_again_after;
  plan_dirty = true;
}

/// Also after a restart: an order that is open was not carried out to its end.
void Manager::State::follow_fencing_orders() {
  if (!state_is_current && !may_decide()) return;
  const auto orders = store.state().fencing.orders;
  for (const auto& [node, order] : orders) {
    if (order.by != self->name) {
      close_abandoned(node, order);
      continue;
    }
    const auto known = fence.running.find(node);
    if ((known != fence.running.end() && known->second.fencer) || has_unrecorded(order.order)) continue;
    if (const auto wait = fence.not_before.find(node); wait != fence.not_before.end() && now < wait->second) continue;
    Fencing fencing;
    if (known != fence.running.end() && known->second.order == order.order) fencing = std::move(known->second);
    fencing.order = order.order;
    fencing.reason = order.reason;
    begin_fencing(node, std::move(fencing), {});
  }
}

/// Its result is known here and on its way.
bool Manager::State::has_unrecorded(std::uint64_t order) const {
  const auto is_its_record = [order](const message::Command& command) {
    const auto* record = std::get_if<message::RecordFencing>(&command);
    return record != nullptr && record->order == order;
  };
  return fence.confirmed.contains(order) ||
         std::any_of(fence.unrecorded.begin(), fence.unrecorded.end(), is_its_record) ||
         std::any_of(pending.begin(), pending.end(),
                     [&](const auto& each) { return is_its_record(each.second.proposal.command); });
}

/// Whoever was to do it is lost itself.
void Manager::State::close_abandoned(const std::string& node, const store::FencingOrder& order) {
  if (!is_leader() || liveness.presence(order.by, now) != membership::Presence::lost) return;
  if (has_unrecorded(order.order)) return;
  record(message::RecordFencing{node, self->name, order.order, "", false,
                                node + " was not fenced: " + order.by + ", which was to do it, is lost", order.reason,
                                0, wall_now_ms()});
}

/// A takeover does not wait for it; but what is lost shall also be gone.
void Manager::State::fence_after_takeover(const std::string& node) {
  if (!config.fence_lost_nodes || !is_leader() || !may_order_fencing(node)) return;
  if (liveness.presence(node, now) != membership::Presence::lost || fencing_is_suspended("", node)) return;
  propose(message::RequestFencing{node, executor_for(node), prng.next() | 1, node + " was lost and taken over from"});
}

/// `on_fail = "fence"`: a proven fencing forgets the failure (core/store), so it is asked for until then.
void Manager::State::fence_for_failures() {
  if (!may_decide() || now < fence.look_at_failures) return;
  fence.look_at_failures = now + failures_look_interval;
  std::map<std::string, std::string> reasons;  // by node
  for (const auto& [service, agreed] : store.state().services)
    for (const auto& [node, failure] : agreed.failures)
      if (failure.reaction == "fence" && may_order_fencing(node) && !fencing_is_suspended(service, node))
        reasons.emplace(node, service + " failed there: " + failure.text);
  for (auto& [node, reason] : reasons)
    propose(message::RequestFencing{node, executor_for(node), prng.next() | 1, std::move(reason)});
}

/// There is a device, somebody else to run it, and nobody is at it already.
bool Manager::State::may_order_fencing(const std::string& node) const {
  if (config.fences_of(node).empty() || executor_for(node).empty()) return false;
  if (store.state().fencing.orders.contains(node)) return false;
  if (const auto wait = fence.not_before.find(node); wait != fence.not_before.end() && now < wait->second) return false;
  return std::none_of(pending.begin(), pending.end(), [&](const auto& each) {
    const auto* order = std::get_if<message::RequestFencing>(&each.second.proposal.command);
    return order != nullptr && order->node == node;
  });
}

/// In maintenance nobody is switched off but by a person. One whose time is over on this node's clock counts no more,
/// although without a majority nobody can agree on its end.
bool Manager::State::fencing_is_suspended(const std::string& service, const std::string& node) const {
  const auto* scope = store::in_maintenance(store.state(), service, node);
  return scope != nullptr && maintenance_left(*scope) != Duration::zero();
}

/// A data node that is there, rather than a witness, which may not have the agents.
std::string Manager::State::executor_for(const std::string& node) const {
  for (const auto& each : config.nodes)
    if (each.name != node && each.role == config::NodeRole::data &&
        liveness.presence(each.name, now) == membership::Presence::online)
      return each.name;
  return self->name == node ? std::string() : self->name;
}

// ---- results --------------------------------------------------------------------------------------------------------

void Manager::State::record(message::Command command) {
  constexpr std::size_t kept = 64;
  fence.unrecorded.push_back(std::move(command));
  if (fence.unrecorded.size() > kept) fence.unrecorded.pop_front();
}

void Manager::State::record_when_possible() {
  if (raft.leadership().leader == 0) return;
  while (!fence.unrecorded.empty()) {
    auto command = std::move(fence.unrecorded.front());
    fence.unrecorded.pop_front();
    propose(std::move(command));
  }
}

// ---- unfencing ------------------------------------------------------------------------------------------------------

/// Until the agents have said whether they must switch this node on, nothing starts here.
void Manager::State::begin_unfencing() {
  for (const auto* device : config.fences_of(self->name)) fence.to_unfence.insert(device->name);
  fence.may_start = fence.to_unfence.empty();
}

void Manager::State::fence_abilities(const input::FenceAbilities& in) {
  fence.abilities[in.agent] = in.abilities;
  for (const auto& device : config.fences)
    if (device.agent == in.agent && !in.abilities.unfences) fence.to_unfence.erase(device.name);
  fence.unfence_again = now;
  unfenced_by_all();
}

void Manager::State::unfenced_by_all() {
  if (!fence.to_unfence.empty()) return;
  fence.may_start = true;
  tell_ownership();
}

/// The configuration is another one. What a new device has to switch on here is asked for; nothing waits for it.
void Manager::State::follow_fence_devices(const config::ClusterConfig& before) {
  const auto is_mine = [this](const std::string& name) {
    const auto* device = config.fence(name);
    return device != nullptr && device->plugs.contains(self->name);
  };
  std::erase_if(fence.to_unfence, [&](const std::string& name) { return !is_mine(name); });
  for (const auto* device : config.fences_of(self->name)) {
    const auto* known = before.fence(device->name);
    if (known != nullptr && *known == *device) continue;
    const auto abilities = fence.abilities.find(device->agent);
    if (abilities == fence.abilities.end() || abilities->second.unfences) fence.to_unfence.insert(device->name);
  }
  fence.unfence_again = now;
  if (!fence.may_start) unfenced_by_all();
}

void Manager::State::run_unfencing() {
  fence.unfence_again = now + fence_again_after;
  for (const auto& name : fence.to_unfence) {
    const auto* device = config.fence(name);
    if (!fence.abilities.contains(device->agent) || fence.unfencing.contains(name)) continue;
    const auto run = (std::uint64_t{1} << 62) + ++fence.last_run;
    fence.unfencing[name] = run;
    out->push_back(effect::RunFenceAgent{
        std::string(unfencing_prefix) + name,
        {run, name, device->agent, "on", fencing::agent_input(*device, self->name, "on"), device->timeout}});
  }
}

void Manager::State::unfencing_done(const std::string& device, const fencing::input::AgentDone& done) {
  const auto run = fence.unfencing.find(device);
  if (run == fence.unfencing.end() || run->second != done.run) return;
  fence.unfencing.erase(run);
  if (done.code != 0)
    return story("unfencing-failed", self->name,
                 device + " did not switch " + self->name + " on, so nothing starts: " + done.output);
  fence.to_unfence.erase(device);
  story("unfenced", self->name, device + " has switched " + self->name + " on");
  unfenced_by_all();
}

}  // namespace bascule::manager
