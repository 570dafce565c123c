// What blockd is told, and what it asks for.

#include <algorithm>

#include "core/manager/detail/state.h"
#include "core/membership/lease_names.h"

namespace bascule::manager {

namespace {
constexpr Duration ask_again_after = milliseconds(300);
}

void Manager::State::volume_changed(const input::VolumeChanged& changed) {
  const auto it = volumes.find(changed.volume);
  if (it == volumes.end()) return;
  auto& volume = it->second;
  if (changed.connected && !volume.connected) volume.told = false;
  volume.connected = changed.connected;
  volume.state = changed.connected ? changed.state : VolumeState{};
  if (!volume.state.promoted_epoch && volume.state.report.role != "Primary") volume.promoted_by.clear();
  plan_dirty = true;
  tell_in_sync();
  tell_volume(changed.volume, "");
  if (volume.connected) ask_in_sync_change(changed.volume, volume);
}

void Manager::State::tell_in_sync() {
  for (auto& [name, volume] : volumes) {
    const auto agreed = store.state().volumes.find(name);
    if (!volume.connected || agreed == store.state().volumes.end()) continue;
    if (volume.told && volume.told_version == agreed->second.in_sync_version) continue;
    volume.told = true;
    volume.told_version = agreed->second.in_sync_version;
    const auto& members = agreed->second.in_sync;
    out->push_back(effect::InSync{name, volume.told_version, {members.begin(), members.end()}});
  }
}

/// Of a volume without an owner a member says that the peer has everything: only if it saw so while it knew the set of
/// this version, because then nobody has written since. A grant or a release in between makes its word void.
bool Manager::State::may_vouch(const Volume& volume, const store::VolumeState& agreed) const {
  return state_is_current && !agreed.owner && agreed.in_sync.contains(self->name) && volume.state.wants_grow &&
         !volume.state.promoted_epoch && volume.state.in_sync_version == agreed.in_sync_version;
}

/// blockd holds its acknowledgements until the set has shrunk, and asks for the peer when a resync is complete.
void Manager::State::ask_in_sync_change(const std::string& name, Volume& volume) {
  const auto agreed = store.state().volumes.find(name);
  if (agreed == store.state().volumes.end()) return;
  const auto& state = agreed->second;
  const bool owner = state.owner == self->name && volume.state.promoted_epoch == state.epoch;
  if (!may_vouch(volume, state) && !(owner && (volume.state.wants_shrink || volume.state.wants_grow))) return;
  if (volume.asked_version == state.in_sync_version && now < volume.ask_again) return;
  volume.asked_version = state.in_sync_version;
  volume.ask_again = now + ask_again_after;
  if (owner && volume.state.wants_shrink)
    propose(message::ShrinkInSync{name, state.epoch, state.in_sync_version, volume.state.peer});
  else
    propose(message::GrowInSync{name, state.epoch, state.in_sync_version, volume.state.peer});
}

/// blockd says it once; at that moment this manager may not have known enough to ask.
void Manager::State::vouch_when_possible() {
  for (auto& [name, volume] : volumes)
    if (volume.connected && !volume.state.promoted_epoch) ask_in_sync_change(name, volume);
}

/// True for a new volume that is promoted for the first time, or whose replicas all still say that they are new. A
/// single empty disk put in the place of a full one is not that: its promotion is refused by blockd.
bool Manager::State::nobody_has_data(const std::string& name) const {
  const auto agreed = store.state().volumes.find(name);
  if (agreed == store.state().volumes.end() || agreed->second.in_sync != std::set{self->name}) return false;
  if (!volumes.at(name).state.report.just_created) return false;
  if (agreed->second.epoch <= 1) return true;
  const auto* configured = config.volume(name);
  if (configured == nullptr) return false;
  for (const auto& [node, disk] : configured->disk) {
    const auto* report = liveness.newest_report(node);
    const auto says_new = [&](const message::VolumeReport& volume) {
      return volume.name == name && volume.just_created;
    };
    if (report == nullptr || std::none_of(report->volumes.begin(), report->volumes.end(), says_new)) return false;
  }
  return true;
}

void Manager::State::promote(Runner& runner, const transition::effect::PromoteVolume& wanted) {
  auto& volume = volumes[*runner.volume];
  volume.promoted_by = runner.name;
  // Its lease may have been given back in this very epoch, by a run that was found and could not name its own.
  holder.take_up(membership::volume_lease(*runner.volume), wanted.epoch);
  tell_in_sync();
  const bool initial = wanted.initial || nobody_has_data(*runner.volume);
  out->push_back(effect::Promote{*runner.volume, wanted.epoch, initial});
}

std::string Manager::State::promoted_by(const std::string& name) const {
  const auto& volume = volumes.at(name);
  if (!volume.promoted_by.empty()) return volume.promoted_by;
  // A promotion from before this manager was started belongs to whom the state says.
  const auto agreed = store.state().volumes.find(name);
  const bool by_hand = agreed != store.state().volumes.end() && agreed->second.held_by_hand;
  if (by_hand) return runner_of_volume(name);
  // The service that has it may be configured otherwise by now, and is stopped as it was.
  for (const auto& runner : runners)
    if (!runner.by_hand && runner.volume == name && ownership_of(runner).volume_epoch) return runner.name;
  const auto* service = config.service_of_volume(name);
  return service == nullptr ? runner_of_volume(name) : service->name;
}

void Manager::State::peer_lost(const std::string& node) {
  for (const auto& [name, volume] : volumes)
    if (volume.connected && volume.state.peer == node)
      out->push_back(effect::PeerLost{name, node + " is not heard any more"});
}

}  // namespace bascule::manager
