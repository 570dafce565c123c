#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "runtime/sim/replication/world.h"

namespace bascule::sim {

using namespace replication;  // NOLINT: this file drives that room

// ---- disk -------------------------------------------------------------------------------------------------------

/// Prints what becomes of the sector that is followed.
void ReplicationWorld::trace_write(const Node& node, const char* what, std::uint64_t sector,
                                   const Stamps& stamps) const {
  const auto& followed = scenario_.trace_sector;
  if (!scenario_.trace || !followed || *followed < sector || *followed >= sector + stamps.size()) return;
  std::printf("%10.3f node %zu: %s: %zu sectors at %llu, write %llu\n", static_cast<double>(to_ns(local())) / 1e6,
              node.index, what, stamps.size(), static_cast<unsigned long long>(sector),
              static_cast<unsigned long long>(stamps[*followed - sector]));
}

void ReplicationWorld::disk_write(Replica& replica, DiskMoment moment, std::uint64_t sector, const Stamps& stamps) {
  Node& node = node_of(replica);
  if (moment == DiskMoment::Begins) node.application->begun(sector, stamps);
  constexpr std::array words{"disk-begins", "disk-done", "disk-failed"};
  trace_write(node, words[static_cast<std::size_t>(moment)], sector, stamps);
}

// ---- what lies around a replica ---------------------------------------------------------------------------------

std::optional<input::LeaseRead> ReplicationWorld::lease(Replica& replica) {
  if (has_operator()) return std::nullopt;
  return input::LeaseRead{node_of(replica).lease_epoch, node_of(replica).lease_end};
}

ReplicaWorld::Reach ReplicationWorld::reach(const Replica&, const Replica& to) {
  if (!link_up_) return Reach::Silent;
  return to.alive ? Reach::Up : Reach::Refused;
}

// ---- answers ----------------------------------------------------------------------------------------------------

Application::Facts ReplicationWorld::facts_of(const Node& node) const {
  const auto protocol = scenario_.options.net.protocol;
  Application::Facts facts;
  facts.epoch = has_operator() ? 0 : node.engine->status().epoch;
  facts.lease_valid = has_operator() || majority_.lease_valid(node.index, facts.epoch, scheduler_.now());
  facts.own_disk = node.engine->status().disk > drbd::DiskState::Failed;
  const bool counts = peer_counts(node);
  facts.on_peer = protocol != drbd_config::Protocol::A && counts;
  facts.durable_on_peer = protocol == drbd_config::Protocol::C && counts;
  return facts;
}

void ReplicationWorld::complete(Replica& replica, const effect::Complete& effect) {
  Node& node = node_of(replica);
  (void)node.application->completed(effect, facts_of(node));
}

void ReplicationWorld::request_shrink(Replica& replica, const effect::RequestShrink& effect) {
  Node& node = node_of(replica);
  if (!node.majority_reachable) return;
  node.later(between(microseconds(500), milliseconds(20)), [this, &node, effect] {
    majority_.shrink(node.index, node.promoting_epoch, effect.known_version);
    commit();
  });
}

void ReplicationWorld::request_grow(Replica& replica, const effect::RequestGrow& effect) {
  Node& node = node_of(replica);
  if (!node.majority_reachable) return;
  node.later(between(microseconds(500), milliseconds(20)), [this, &node, effect] {
    if (!majority_.view().owner) ++result_.vouched;
    majority_.grow(node.index, node.promoting_epoch, effect.known_version);
    commit();
  });
}

void ReplicationWorld::run_handler(Replica& replica, const effect::RunHandler& effect) {
  Node& node = node_of(replica);
  if (effect.name == "split-brain") node.split_brain = true, ++result_.split_brains;
  if (effect.number == 0) return;
  node.later(milliseconds(1), [this, &node, number = effect.number] { node.step(input::HandlerDone{number, -1}); });
}

void ReplicationWorld::command_done(Replica& replica, const effect::CommandDone& effect) {
  Node& node = node_of(replica);
  const bool done = effect.result >= drbd::StateChangeResult::Success;
  if (effect.command == node.promoting) {
    node.promoting = 0;
    node.refusals = done ? 0 : node.refusals + 1;
  }
  if (effect.command == node.attaching) node.attaching = 0;
  if (scenario_.trace && !effect.why.empty()) std::printf("           node %zu: %s\n", node.index, effect.why.c_str());
}

void ReplicationWorld::resync_event(Node& node, const std::string& kind) {
  const Status status = node.engine->status();
  const Node& other = *nodes_[1 - node.index];
  const auto protocol = scenario_.options.net.protocol;
  if (kind == "peer-connected" &&
      !(other.alive && other.engine->status().connection >= drbd::ConnectionState::Connected))
    checker_.met();
  if (kind == "resync-started" && status.connection == drbd::ConnectionState::SyncTarget)
    checker_.resync_started(node.index, alone_);
  if (kind == "resync-finished" && status.disk == drbd::DiskState::UpToDate && other.alive &&
      (has_operator() || status.role == drbd::Role::Secondary) &&
      status.connection == drbd::ConnectionState::Connected &&
      other.engine->status().connection == drbd::ConnectionState::SyncSource) {
    ++result_.resyncs;
    checker_.resync_finished(node.index, {&nodes_[0]->data.current(), &nodes_[1]->data.current()},
                             protocol == drbd_config::Protocol::C   ? ReplicationChecker::Reach::Flushed
                             : protocol == drbd_config::Protocol::B ? ReplicationChecker::Reach::Received
                                                                    : ReplicationChecker::Reach::Sent);
  }
}

void ReplicationWorld::event(Replica& replica, const effect::Event& effect) {
  Node& node = node_of(replica);
  if (scenario_.trace)
    std::printf("%10.3f node %zu: %s: %s\n", static_cast<double>(to_ns(local())) / 1e6, node.index, effect.kind.c_str(),
                effect.text.c_str());
  resync_event(node, effect.kind);
  // A promotion begins a generation before the role changes: from then on the node counts as having been Primary.
  if (has_operator() && effect.kind == "generation-made" &&
      node.engine->status().connection < drbd::ConnectionState::Connected)
    alone_[node.index] = true;
  if (has_operator()) note_equal();
  if (effect.kind == "volume-promoted") {
    ++result_.promotions;
    node.device_open = true;
    node.handing_over = false;
    const Status status = node.engine->status();
    const bool own_disk = status.disk == drbd::DiskState::UpToDate;
    check_size(node);
    checker_.promoted(node.index, has_operator() ? 0 : status.epoch, own_disk ? &node.data.current() : nullptr);
  }
  if (effect.kind == "volume-demoted" && node.handing_over) {
    node.handing_over = false;
    node.device_open = false;
    if (!node.majority_reachable || has_operator()) return;
    // To the other one, or because the service cannot be started here; then the other copy may have to join first.
    if (prng().chance(1, 2))
      majority_.hand_over(node.index, node.promoting_epoch);
    else
      majority_.give_back(node.index, node.promoting_epoch, scheduler_.now() + between(seconds(1), seconds(6)));
    if (majority_.view().owner != node.index) {
      node.released_epoch = node.promoting_epoch;
      node.lease_epoch = 0;
    }
    commit();
  }
}

}  // namespace bascule::sim
