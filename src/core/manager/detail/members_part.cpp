// Who takes part in the decisions: the leader brings the members of the log to those of the configuration.

#include <algorithm>

#include "core/manager/detail/state.h"
#include "core/reconfiguration/members.h"

namespace bascule::manager {

namespace {
constexpr Duration member_look_interval = milliseconds(200);
}  // namespace

/// Of two nodes; a majority of more does not miss one.
std::set<raft::ServerId> Manager::State::nodes_away() const {
  std::set<raft::ServerId> away;
  for (const auto& node : config.nodes) {
    const auto known = store.state().nodes.find(node.name);
    if (config.two_nodes() && known != store.state().nodes.end() && known->second.away) away.insert(node.id);
  }
  return away;
}

/// Resumable: what is to be done next follows from the members in force and the agreed configuration alone. Of two
/// nodes the one that went on alone takes the other in again, also if nobody ever changed the configuration.
void Manager::State::follow_members() {
  if (!may_decide() || now < next_member_look) return;
  next_member_look = now + member_look_interval;
  const auto status = raft.status();
  const bool alone_of_two = config.two_nodes() && status.configuration.voters.size() == 1;
  const auto away = nodes_away();
  if (!followed && !alone_of_two && away.empty()) return;
  if (!status.configuration_committed || status.transferring_to != 0) return;
  const auto view = [&](raft::ServerId id) -> reconfiguration::MemberView {
    if (id == self->id) return {true, true};
    const auto* node = linked_node(id);
    if (node == nullptr || liveness.presence(node->name, now) != membership::Presence::online) return {};
    if (fence.running.contains(node->name) || store.state().fencing.orders.contains(node->name)) return {};
    const auto peer =
        std::find_if(status.peers.begin(), status.peers.end(), [id](const auto& one) { return one.id == id; });
    return {true, peer != status.peers.end() && peer->match_index >= status.commit_index};
  };
  const auto step = reconfiguration::next_member_step(status.configuration, config, self->id, view, away);
  members_wait = step.waiting;
  if (step.hand_over_to != 0) {
    story("member-change", self->name, step.text);
    return step_consensus(consensus::TransferLeadership{step.hand_over_to});
  }
  if (!step.propose) return;
  story("member-change", self->name, step.text);
  step_consensus(consensus::ProposeConfiguration{prng.next(), *step.propose});
}

void Manager::State::members_changed(const consensus::ConfigurationChanged& change) {
  plan_dirty = true;
  next_member_look = now;
  if (!change.committed || leaving.empty()) return;
  const auto gone = [&](const config::Node& node) { return !change.configuration.is_member(node.id); };
  if (std::none_of(leaving.begin(), leaving.end(), gone)) return;
  std::erase_if(leaving, gone);
  tell_links();
}

}  // namespace bascule::manager
