// The blockds of the simulated world: each volume has a copy on two hosts.
#include <algorithm>

#include "core/manager/manager_world.h"

namespace bascule::manager::test {

void World::block_effect(Host& host, const Effect& effect) {
  const std::string* volume = nullptr;
  if (const auto* promote = std::get_if<effect::Promote>(&effect)) volume = &promote->volume;
  if (const auto* demote = std::get_if<effect::Demote>(&effect)) volume = &demote->volume;
  if (const auto* in_sync = std::get_if<effect::InSync>(&effect)) volume = &in_sync->volume;
  if (const auto* attend = std::get_if<effect::AttendVolume>(&effect)) volume = &attend->volume;
  const auto found = volume == nullptr ? host.blockds.end() : host.blockds.find(*volume);
  if (found == host.blockds.end()) return;
  auto& block = found->second;
  if (const auto* promote = std::get_if<effect::Promote>(&effect)) {
    const bool allowed = block.members.count(host.name) != 0 && (block.up_to_date || promote->initial);
    if (!allowed) breaches_.push_back(host.name + " was told to promote a copy that may be old");
    block.promoted_epoch = promote->epoch;
    block.just_created = false;
    block.up_to_date = true;
  } else if (std::holds_alternative<effect::Demote>(effect)) {
    block.promoted_epoch.reset();
    block.grow_wanted = block.shrink_wanted = false;
  } else if (const auto* in_sync = std::get_if<effect::InSync>(&effect)) {
    block.members = {in_sync->members.begin(), in_sync->members.end()};
    block.in_sync_version = in_sync->version;
  }
  later(host, block_delay, [this, name = *volume](Host& h) { tell_block_state(h, name); });
}

/// A blockd for each volume of the host's file; what is there already stays as it is.
void World::give_volumes(Host& host) {
  for (const auto& volume : host.file.volumes) {
    if (volume.disk.count(host.name) == 0) continue;
    for (const auto& [name, disk] : volume.disk)
      if (name != host.name) host.blockds[volume.name].peer = name;
  }
}

void World::synchronise_replicas() {
  for (auto& [name, host] : hosts_)
    for (auto& [volume, block] : host.blockds)
      if (host.on && block.promoted_epoch) synchronise_replica(host, volume, block);
}

/// A primary that reaches its peer brings it up to date and asks for it; one that lost a member asks to go on alone.
void World::synchronise_replica(Host& host, const std::string& volume, PretendedBlockd& block) {
  auto& peer = hosts_.at(block.peer);
  const auto found = peer.blockds.find(volume);
  const bool there = peer.on && found != peer.blockds.end() && found->second.up && !found->second.promoted_epoch;
  const bool reachable = there && linked(host.name, peer.name);
  const bool member = block.members.count(peer.name) != 0;
  if (reachable) {
    found->second.up_to_date = true;
    found->second.just_created = false;
  }
  const bool grow = reachable && !member, shrink = !reachable && member;
  if (grow == block.grow_wanted && shrink == block.shrink_wanted) return;
  block.grow_wanted = grow;
  block.shrink_wanted = shrink;
  later(host, block_delay, [this, volume](Host& h) { tell_block_state(h, volume); });
}

void World::synchronise_secondaries() {
  for (auto& [name, host] : hosts_)
    for (auto& [volume, block] : host.blockds)
      if (host.on && !block.promoted_epoch && block.up_to_date) synchronise_secondary(host, volume, block);
}

/// Of two secondaries the member brings the other one up to date, and says so.
void World::synchronise_secondary(Host& host, const std::string& volume, PretendedBlockd& block) {
  auto& peer = hosts_.at(block.peer);
  const auto found = peer.blockds.find(volume);
  const bool there = peer.on && found != peer.blockds.end() && found->second.up && !found->second.promoted_epoch;
  const bool reachable = there && linked(host.name, peer.name);
  const bool vouches = reachable && block.members == std::set<std::string>{host.name};
  if (vouches) found->second.up_to_date = true, found->second.just_created = false;
  if (vouches == block.grow_wanted) return;
  block.grow_wanted = vouches;
  for (auto* one : {&host, &peer}) later(*one, block_delay, [this, volume](Host& h) { tell_block_state(h, volume); });
}

void World::tell_block_states() {
  for (auto& [name, host] : hosts_)
    if (host.on) tell_block_states_of(host);
}

void World::tell_block_states_of(Host& host) {
  for (const auto& [volume, block] : host.blockds) tell_block_state(host, volume);
}

void World::tell_block_state(Host& host, const std::string& volume) {
  const auto& block = host.blockd(volume);
  VolumeState state;
  state.report.name = volume;
  state.report.attached = block.up;
  state.report.role = block.promoted_epoch ? "Primary" : "Secondary";
  state.report.disk = block.up_to_date ? "UpToDate" : "Inconsistent";
  state.report.connection = "Connected";
  state.report.just_created = block.just_created;
  state.report.device = block.promoted_epoch ? "/dev/loop0" : "";
  state.promoted_epoch = block.promoted_epoch;
  state.peer = block.peer;
  state.in_sync_version = block.in_sync_version;
  state.wants_grow = block.grow_wanted;
  state.wants_shrink = block.shrink_wanted;
  step(host, input::VolumeChanged{volume, block.up, state});
  if (block.grow_wanted || block.shrink_wanted)
    later(host, milliseconds(50), [this, volume](Host& h) { tell_block_state(h, volume); });
}

}  // namespace bascule::manager::test
