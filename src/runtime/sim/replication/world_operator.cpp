// A volume without a cluster: DRBD's own rules, and a person (or a script) who gives commands. The person makes
// mistakes: takes over while the old Primary lives behind a cut link, so that both write.

#include "runtime/sim/replication/world.h"

namespace bascule::sim {

using namespace replication;  // NOLINT: this file drives that room

void ReplicationWorld::want(std::size_t owner) {
  wanted_owner_ = owner;
  checker_.committed(owner, {true, true});
}

/// Whose disk was a Primary's only one: its own, while it could not reach the other node or that had no disk either, or
/// the peer's.
void ReplicationWorld::note_equal() {
  std::array<bool, nodes> in_step{};
  for (const auto& node : nodes_) {
    if (!node->alive) continue;
    const Status status = node->engine->status();
    const bool connected = status.connection >= drbd::ConnectionState::Connected;
    const bool has_data = status.disk == drbd::DiskState::UpToDate;
    const bool primary = status.role == drbd::Role::Primary;
    const bool only_disk = !connected || status.peer_disk <= drbd::DiskState::Failed;
    const bool used = primary || (connected && status.peer_role == drbd::Role::Primary);
    if (has_data && only_disk && used) alone_[node->index] = true;
    in_step[node->index] = status.connection == drbd::ConnectionState::Connected && has_data &&
                           status.peer_disk == drbd::DiskState::UpToDate && status.out_of_sync_bytes == 0;
  }
  if (in_step[0] && in_step[1]) {
    alone_ = {};
    for (const auto& node : nodes_) node->split_brain = node->gives_up = false;
  }
}

/// What the person at the console does when she looks at this node.
void ReplicationWorld::tend(Node& node) {
  note_equal();
  if (!prng().chance(1, 3)) return;
  const Status status = node.engine->status();
  tend_disk(node, status);
  tend_connection(node, node.engine->status());
  tend_role(node, node.engine->status());
}

void ReplicationWorld::tend_disk(Node& node, const Status& status) {
  if (status.disk != drbd::DiskState::Diskless || node.attaching != 0) return;
  if (status.role == drbd::Role::Primary && prng().chance(1, 4)) want(1 - node.index);
  node.failing_io = 0;  // a new cable
  node.attaching = next_command_++;
  node.known_sizes = {place_of(node)};
  node.step(input::Attach{node.attaching, restored(node), place_of(node), metadata_bytes()});
  tell_size(node);
}

void ReplicationWorld::tend_connection(Node& node, const Status& status) {
  const bool alone = status.connection == drbd::ConnectionState::StandAlone;
  const bool looking = status.connection == drbd::ConnectionState::WFConnection;
  const bool split = nodes_[0]->split_brain || nodes_[1]->split_brain;
  if (node.left_alone || (!alone && !(split && looking))) return;
  // rr-conflict: a Primary does not take other data. It has to be demoted first.
  if (alone && status.role == drbd::Role::Primary && node.index == wanted_owner_ &&
      status.why.find("is Primary and would have to") != std::string::npos)
    want(1 - node.index);
  // Both wrote alone and no policy decides: one has to give up what it wrote, and cannot be Primary then.
  const bool loses = split && node.index != wanted_owner_;
  if (alone && !loses) return node.step(input::ConnectPeer{next_command_++});
  if (!loses || status.role != drbd::Role::Secondary || (looking && node.gives_up)) return;
  if (looking) return node.step(input::DisconnectPeer{next_command_++, true});
  node.gives_up = true;
  node.step(input::ConnectPeer{next_command_++, true});
}

void ReplicationWorld::tend_role(Node& node, const Status& status) {
  const bool primary = status.role == drbd::Role::Primary;
  const bool wanted = node.index == wanted_owner_;
  // A policy may always give up what the Primary has: in the end she lets two Secondaries come together first.
  const bool split = nodes_[0]->split_brain || nodes_[1]->split_brain;
  if (split && finishing_ && wanted && !primary) return;
  if (!primary && wanted && node.promoting == 0) {
    if (node.refusals >= 20 && nodes_[1 - node.index]->alive) return want(1 - node.index);
    node.promoting = next_command_++;
    if (!first_primary_) first_primary_ = node.index;
    const bool first = scenario_.created_anew && status.just_created && first_primary_ == node.index;
    return node.step(input::Promote{1, first, false, node.promoting});
  }
  // A Primary that nobody wants: at once if the two see each other, or when somebody comes by.
  const bool seen = status.connection >= drbd::ConnectionState::Connected || node.split_brain || finishing_;
  if (primary && !wanted && !node.handing_over && (seen || prng().chance(1, 20))) {
    node.handing_over = true;
    node.later(seconds(2), [&node] { node.handing_over = false; });
    node.step(input::Demote{false, next_command_++});
  }
}

void ReplicationWorld::fault_by_operator() {
  Node& node = *nodes_[prng().below(nodes)];
  if (!node.alive) return;
  const Node& other = *nodes_[1 - node.index];
  const bool other_good =
      other.alive && other.failing_io == 0 && other.engine->status().disk == drbd::DiskState::UpToDate;
  switch (prng().below(6)) {
    case 0:  // disconnects for a while
      node.left_alone = true;
      node.step(input::DisconnectPeer{next_command_++, prng().chance(1, 2)});
      return node.later(between(milliseconds(100), milliseconds(1500)), [&node] { node.left_alone = false; });
    case 1:  // takes over behind a cut link, while the old Primary may live on
      link_up_ = false;
      link_->kill(prng().chance(1, 2));
      want(1 - wanted_owner_);
      scheduler_.after(between(milliseconds(200), milliseconds(1500)), [this] { link_up_ = true; });
      return;
    case 2:  // throws one copy away
      if (node.engine->status().role == drbd::Role::Primary) return;
      if (node.engine->status().connection != drbd::ConnectionState::Connected || alone_[node.index]) return;
      return node.step(input::Invalidate{next_command_++});
    case 3:  // takes a disk away
      if (!other_good) return;
      ++result_.detaches;
      return node.step(input::Detach{next_command_++, prng().chance(1, 4)});
    default:  // a disk that breaks, while the other one is good
      if (!other_good) return;
      if (!node.in_flight.empty()) ++result_.detaches;
      node.failing_io = 1 + static_cast<std::uint32_t>(prng().below(3));
  }
}

}  // namespace bascule::sim
