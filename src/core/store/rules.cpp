#include "core/store/detail/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "core/store/detail/copies.h"

/// The rules of every command. A rule first looks for a reason to refuse, and only then changes anything.
namespace bascule::store::detail {
namespace {

using Fields = std::map<std::string, std::string>;

Applied refuse(std::string why) { return {.changed = false, .accepted = false, .why = std::move(why), .events = {}}; }
Applied nothing_to_do() { return {.changed = false, .accepted = true, .why = {}, .events = {}}; }
Applied accept() { return {.changed = true, .accepted = true, .why = {}, .events = {}}; }
Applied accept(StoryEvent event) {
  Applied applied = accept();
  applied.events.push_back(std::move(event));
  return applied;
}

std::string names(const std::set<std::string>& set) {
  std::string joined;
  for (const auto& name : set) joined += (joined.empty() ? "" : ", ") + name;
  return "{" + joined + "}";
}

/// Reads without creating an entry, so that a refused command leaves no trace.
template <typename T>
T known_or_new(const std::map<std::string, T>& things, const std::string& name) {
  const auto found = things.find(name);
  return found == things.end() ? T{} : found->second;
}

std::string wrong_epoch(const std::string& name, std::uint64_t given, std::uint64_t current) {
  return fmt::format("{} is at epoch {} by now, not {}", name, current, given);
}

// ---- people ----

Applied set_standby(ClusterState& state, const message::SetStandby& c) {
  if (known_or_new(state.nodes, c.node).standby == c.standby) return nothing_to_do();
  state.nodes[c.node].standby = c.standby;
  state.nodes[c.node].away = false;
  if (c.standby) return accept({"standby", c.node, c.node + " is in standby: it is to run no services", {}});
  return accept({"online", c.node, c.node + " may run services again", {}});
}

/// What the node owns could not be told to stop any more.
Applied say_goodbye(ClusterState& state, const message::SayGoodbye& c) {
  const auto known = known_or_new(state.nodes, c.node);
  if (known.away == !c.back) return nothing_to_do();
  if (c.back) {
    state.nodes[c.node].away = false;
    return accept({"welcome", c.node, c.node + " is back and decides again", {}});
  }
  if (!known.standby) return refuse(c.node + " is not in standby: it still takes part");
  const auto owns = [&](const auto& things) {
    return std::any_of(things.begin(), things.end(), [&](const auto& one) { return one.second.owner == c.node; });
  };
  if (owns(state.services) || owns(state.volumes)) return refuse(c.node + " still has something that runs");
  state.nodes[c.node].away = true;
  return accept({"goodbye", c.node, c.node + " is switched off on purpose: it decides nothing until it is back", {}});
}

/// What is said of "web" holds for its copies, whatever was said of one of them before.
bool forget_targets_of_copies(ClusterState& state, const std::string& name) {
  bool any = false;
  for (auto* copy : copies_of(state, name)) any = std::exchange(copy->target, std::nullopt).has_value() || any;
  return any;
}

Applied set_target(ClusterState& state, const message::SetTarget& c) {
  const auto target = c.started ? Target::Started : Target::Stopped;
  const bool forgot = forget_targets_of_copies(state, c.service);
  if (known_or_new(state.services, c.service).target == target && !forgot) return nothing_to_do();
  auto& service = state.services[c.service];
  service.target = target;
  if (!c.started) service.move_to.reset(), service.move_from.reset();
  const char* word = c.started ? "Started" : "Stopped";
  return accept({"target", c.service, fmt::format("{} is to be {}", c.service, word), Fields{{"target", word}}});
}

std::string reason_not_to_move(const ClusterState& state, const ServiceState& service, const message::MoveService& c) {
  if (service.target == Target::Stopped) return c.service + " is stopped";
  if (c.to.empty() && !service.owner) return c.service + " runs nowhere, so there is nothing to move it away from";
  if (c.to.empty()) return {};
  if (service.owner == c.to) return fmt::format("{} is on {} already", c.service, c.to);
  if (known_or_new(state.nodes, c.to).standby) return c.to + " is in standby";
  const auto failure = known_or_new(service.failures, c.to);
  if (failure.start_failed) return fmt::format("{} failed to start on {}: {}", c.service, c.to, failure.text);
  return {};
}

Applied move_service(ClusterState& state, const message::MoveService& c) {
  if (auto why = reason_not_to_move(state, known_or_new(state.services, c.service), c); !why.empty())
    return refuse(std::move(why));
  auto& service = state.services[c.service];
  const auto to = c.to.empty() ? std::nullopt : std::optional(c.to);
  const auto from = c.to.empty() ? service.owner : std::nullopt;
  if (service.move_to == to && service.move_from == from) return nothing_to_do();
  service.move_to = to, service.move_from = from;
  auto sentence = c.to.empty() ? fmt::format("{} is to leave {}", c.service, *service.owner)
                               : fmt::format("{} is to move to {}", c.service, c.to);
  return accept({"move", c.service, std::move(sentence), Fields{{"to", c.to}}});
}

/// The wish is kept; giving the volume is policy's, by GrantOwnership.
Applied hold_volume(ClusterState& state, const message::HoldVolume& c) {
  const auto known = known_or_new(state.volumes, c.volume);
  if (known.owner && !known.held_by_hand)
    return refuse(fmt::format("a service on {} owns {}; stop the service first", *known.owner, c.volume));
  const auto wish = c.node.empty() ? std::nullopt : std::optional(c.node);
  const bool leaves = known.owner && known.owner != wish && !known.stop_requested;
  if (known.hold_on == wish && !leaves) return nothing_to_do();
  auto& volume = state.volumes[c.volume];
  volume.hold_on = wish;
  volume.stop_requested = volume.stop_requested || leaves;
  auto sentence = wish ? fmt::format("{} is to be primary on {} by hand", c.volume, c.node)
                       : fmt::format("{} is no longer to be primary by hand", c.volume);
  return accept({"target", c.volume, std::move(sentence), Fields{{"node", c.node}}});
}

/// The leader measured the time since the failure that it names; should another have come since, that time is wrong.
Applied let_fade(std::map<std::string, ServiceFailure>& failures, const message::ClearFailures& c) {
  const auto failure = failures.find(c.node);
  if (failure == failures.end() || failure->second.version != c.version)
    return refuse(fmt::format("{} is not the last failure of {} on {} any more", c.version, c.service, c.node));
  failures.erase(failure);
  return accept({"failures-faded", c.service, fmt::format("the failures of {} on {} have faded", c.service, c.node),
                 Fields{{"node", c.node}}});
}

bool clear_failures_of(ServiceState& service, const std::string& node) {
  const auto before = service.failures.size();
  if (node.empty())
    service.failures.clear();
  else
    service.failures.erase(node);
  return service.failures.size() != before;
}

Applied clear_failures(ClusterState& state, const message::ClearFailures& c) {
  const auto found = state.services.find(c.service);
  auto those = copies_of(state, c.service);
  if (found != state.services.end()) {
    if (c.version != 0) return let_fade(found->second.failures, c);
    those.push_back(&found->second);
  }
  bool any = false;
  for (auto* one : those) any = clear_failures_of(*one, c.node) || any;
  if (!any) return nothing_to_do();
  const auto where = c.node.empty() ? "" : " on " + c.node;
  return accept({"target", c.service, fmt::format("the failures of {}{} are forgotten", c.service, where), {}});
}

// ---- policy ----

Applied initialise_volume(ClusterState& state, const message::InitialiseVolume& c) {
  if (known_or_new(state.volumes, c.volume).initialised) return refuse(c.volume + " has data already");
  auto& volume = state.volumes[c.volume];
  volume.initialised = true;
  volume.in_sync = {c.node};
  ++volume.in_sync_version;
  return accept({"volume-initialised", c.volume, fmt::format("{} begins with the copy of {}", c.volume, c.node),
                 Fields{{"node", c.node}}});
}

std::string owned_by_another(const std::string& name, const std::optional<std::string>& owner,
                             const message::GrantOwnership& c) {
  if (!owner || *owner == c.lost) return {};
  return *owner == c.node ? fmt::format("{} owns {} already", c.node, name)
                          : fmt::format("{} still owns {}", *owner, name);
}

std::string reason_not_to_grant_service(const ServiceState& service, const message::GrantOwnership& c) {
  if (service.epoch != c.service_epoch) return wrong_epoch(c.service, c.service_epoch, service.epoch);
  return owned_by_another(c.service, service.owner, c);
}

std::string reason_not_to_grant_volume(const VolumeState& volume, const message::GrantOwnership& c) {
  if (volume.epoch != c.volume_epoch) return wrong_epoch(c.volume, c.volume_epoch, volume.epoch);
  if (auto why = owned_by_another(c.volume, volume.owner, c); !why.empty()) return why;
  if (!volume.initialised) return fmt::format("{} has no data yet: no first copy was chosen", c.volume);
  if (!volume.in_sync.contains(c.node))
    return fmt::format("the copy of {} on {} is not in the in-sync set {}", c.volume, c.node, names(volume.in_sync));
  return {};
}

std::string reason_not_to_grant(const ClusterState& state, const message::GrantOwnership& c) {
  if (c.configuration != state.configuration())
    return fmt::format("the configuration is at version {} by now, not {}", state.configuration(), c.configuration);
  if (c.service.empty() && c.volume.empty()) return "nothing is named that could be granted";
  if (c.node.empty()) return "no node is named";
  if (c.lost == c.node) return fmt::format("{} cannot take over from itself", c.node);
  const auto service = known_or_new(state.services, c.service);
  const auto volume = known_or_new(state.volumes, c.volume);
  if (!c.service.empty())
    if (auto why = reason_not_to_grant_service(service, c); !why.empty()) return why;
  if (!c.volume.empty())
    if (auto why = reason_not_to_grant_volume(volume, c); !why.empty()) return why;
  const bool lost_something = (!c.service.empty() && service.owner) || (!c.volume.empty() && volume.owner);
  if (!c.lost.empty() && !lost_something) return fmt::format("{} owns nothing of it any more", c.lost);
  return {};
}

void grant_service(ServiceState& service, const message::GrantOwnership& c) {
  service.configuration = c.configuration;
  service.pinned = service.move_to == c.node || (service.move_from && service.move_from != c.node);
  service.owner = service.last_owner = c.node;
  ++service.epoch;
  service.reason = c.reason;
  service.restarts_done = service.restarts_asked;  // whatever starts now is a restart enough
  service.stop_requested = false;
  service.move_to.reset(), service.move_from.reset();
}

void grant_volume(VolumeState& volume, const message::GrantOwnership& c, std::vector<StoryEvent>& events) {
  volume.owner = c.node;
  ++volume.epoch;
  ++volume.in_sync_version;
  volume.held_by_hand = c.service.empty();
  volume.stop_requested = false;
  if (volume.in_sync.erase(c.lost) == 0) return;
  events.push_back({"in-sync-shrunk", c.volume, fmt::format("{} left the in-sync set of {}", c.lost, c.volume),
                    Fields{{"node", c.lost}, {"in_sync", names(volume.in_sync)}}});
}

Applied grant_ownership(ClusterState& state, const message::GrantOwnership& c) {
  if (auto why = reason_not_to_grant(state, c); !why.empty()) return refuse(std::move(why));
  Applied applied = accept();
  const auto& name = c.service.empty() ? c.volume : c.service;
  const auto epoch = (c.service.empty() ? c.volume_epoch : c.service_epoch) + 1;
  applied.events.push_back({"service-granted", name,
                            fmt::format("{} goes to {} (epoch {}): {}", name, c.node, epoch, c.reason),
                            Fields{{"node", c.node}, {"lost", c.lost}, {"epoch", std::to_string(epoch)}}});
  if (!c.service.empty()) grant_service(state.services[c.service], c);
  if (!c.volume.empty()) grant_volume(state.volumes[c.volume], c, applied.events);
  return applied;
}

Applied request_stop(ClusterState& state, const message::RequestStop& c) {
  const auto known = known_or_new(state.services, c.service);
  if (known.epoch != c.epoch) return refuse(wrong_epoch(c.service, c.epoch, known.epoch));
  if (!known.owner) return refuse(c.service + " has no owner");
  if (known.stop_requested) return nothing_to_do();
  state.services[c.service].stop_requested = true;
  state.services[c.service].reason = c.reason;
  return accept({"target", c.service, fmt::format("{} is to stop {}: {}", *known.owner, c.service, c.reason),
                 Fields{{"node", *known.owner}}});
}

// ---- owner ----

template <typename Thing>
std::string reason_not_to_release(const std::string& name, const Thing& thing, std::uint64_t epoch) {
  if (thing.epoch != epoch) return wrong_epoch(name, epoch, thing.epoch);
  return thing.owner ? "" : name + " is released already";
}

Applied release_ownership(ClusterState& state, const message::ReleaseOwnership& c) {
  const auto service = known_or_new(state.services, c.service);
  const auto volume = known_or_new(state.volumes, c.volume);
  std::string why = c.service.empty() && c.volume.empty() ? "nothing is named that could be released" : "";
  if (why.empty() && !c.service.empty()) why = reason_not_to_release(c.service, service, c.service_epoch);
  if (why.empty() && !c.volume.empty()) why = reason_not_to_release(c.volume, volume, c.volume_epoch);
  if (!why.empty()) return refuse(std::move(why));
  if (!c.service.empty()) {
    auto& released = state.services[c.service];
    released.owner.reset(), released.stop_requested = false;
  }
  if (!c.volume.empty()) {
    auto& released = state.volumes[c.volume];
    released.owner.reset(), released.stop_requested = released.held_by_hand = false;
    ++released.in_sync_version;
  }
  const auto& name = c.service.empty() ? c.volume : c.service;
  const auto& owner = c.service.empty() ? *volume.owner : *service.owner;
  return accept({"service-released", name, fmt::format("{} has released {}", owner, name), Fields{{"node", owner}}});
}

std::string reason_not_to_change_members(const VolumeState& volume, const std::string& name, std::uint64_t epoch,
                                         std::uint64_t version) {
  if (!volume.initialised) return name + " has no data yet";
  if (volume.epoch != epoch) return wrong_epoch(name, epoch, volume.epoch);
  if (volume.in_sync_version != version)
    return fmt::format("the in-sync set of {} is at version {} by now, not {}", name, volume.in_sync_version, version);
  return {};
}

Applied shrink_in_sync(ClusterState& state, const message::ShrinkInSync& c) {
  const auto known = known_or_new(state.volumes, c.volume);
  if (auto why = reason_not_to_change_members(known, c.volume, c.epoch, c.version); !why.empty())
    return refuse(std::move(why));
  if (!known.owner) return refuse(c.volume + " has no owner");
  if (known.owner == c.remove)
    return refuse(fmt::format("{} owns {} and cannot leave its in-sync set", c.remove, c.volume));
  auto& volume = state.volumes[c.volume];
  // Also when it was no member: the version tells the owner that a GrowInSync it asked for before will be refused.
  ++volume.in_sync_version;
  if (volume.in_sync.erase(c.remove) == 0) return accept();
  return accept({"in-sync-shrunk", c.volume, fmt::format("{} left the in-sync set of {}", c.remove, c.volume),
                 Fields{{"node", c.remove}, {"in_sync", names(volume.in_sync)}}});
}

/// While the volume has an owner only he knows what was acknowledged. Nobody writes while it has none: then each member
/// has all of it, and can tell whether another copy has it too (docs/safety.md, section 2).
std::string reason_not_to_vouch(const VolumeState& volume, const std::string& name, const std::string& proposer) {
  if (volume.owner && *volume.owner != proposer)
    return fmt::format("{} owns {}: {} cannot say who has all of it", *volume.owner, name, proposer);
  if (!volume.in_sync.contains(proposer))
    return fmt::format("{} has no owner, and {} is not in its in-sync set {}", name, proposer, names(volume.in_sync));
  return {};
}

Applied grow_in_sync(ClusterState& state, const message::GrowInSync& c, const std::string& proposer) {
  const auto known = known_or_new(state.volumes, c.volume);
  if (auto why = reason_not_to_change_members(known, c.volume, c.epoch, c.version); !why.empty())
    return refuse(std::move(why));
  if (auto why = reason_not_to_vouch(known, c.volume, proposer); !why.empty()) return refuse(std::move(why));
  if (c.add.empty()) return refuse("no node is named");
  auto& volume = state.volumes[c.volume];
  ++volume.in_sync_version;
  if (!volume.in_sync.insert(c.add).second) return accept();
  return accept({"in-sync-grown", c.volume, fmt::format("{} joined the in-sync set of {}", c.add, c.volume),
                 Fields{{"node", c.add}, {"in_sync", names(volume.in_sync)}}});
}

constexpr std::uint32_t failure_count_max = 1'000'000;  // Pacemaker's INFINITY

/// Of two failures that are both kept the stronger reaction counts.
int weight_of(const std::string& reaction) {
  static constexpr std::array<std::string_view, 5> ascending = {"restart", "standby", "stop", "fence", "block"};
  const auto* found = std::find(ascending.begin(), ascending.end(), reaction);
  return found == ascending.end() ? 0 : static_cast<int>(found - ascending.begin());
}

Applied record_failure(ClusterState& state, const message::RecordFailure& c) {
  const auto known = known_or_new(state.services, c.service);
  if (known.epoch != c.epoch) return refuse(wrong_epoch(c.service, c.epoch, known.epoch));
  if (known.last_owner != c.node)
    return refuse(fmt::format("{} did not own {} in epoch {}", c.node, c.service, c.epoch));
  auto& failure = state.services[c.service].failures[c.node];
  failure.count += failure.count < failure_count_max ? 1 : 0;
  failure.start_failed = failure.start_failed || c.start_failed;
  failure.text = c.text;
  failure.step = c.step;
  failure.output = c.output.substr(0, message::failure_output_bytes_max);
  failure.at_ms = c.at_ms;
  failure.version = state.applied_index;
  if (weight_of(c.reaction) > weight_of(failure.reaction)) failure.reaction = c.reaction;
  const char* verb = c.start_failed ? "could not be started" : "failed";
  return accept({"service-failed", c.service, fmt::format("{} {} on {}: {}", c.service, verb, c.node, c.text),
                 Fields{{"node", c.node}, {"count", std::to_string(failure.count)}, {"reaction", c.reaction}}});
}

/// Longer than any configuration allows, and short enough that no sum of moments overflows.
constexpr std::uint64_t restart_lease_max_ms = 120'000;

Applied set_restart_lease(ClusterState& state, const message::SetRestartLease& c) {
  const auto known = known_or_new(state.nodes, c.node);
  if (known.restart_version != c.version)
    return refuse(
        fmt::format("the restarts of {} are at version {} by now, not {}", c.node, known.restart_version, c.version));
  if (c.lease_ms > restart_lease_max_ms) return refuse("no lease may last longer than two minutes");
  // The same again counts as well: what was proposed against the version before it is refused from here on.
  auto& node = state.nodes[c.node];
  node.restart_lease_ms = c.lease_ms;
  ++node.restart_version;
  if (c.lease_ms == 0) return accept();
  return accept({"manager-restart",
                 c.node,
                 fmt::format("the manager of {} is restarted: what {} has stays leased to it for up to {} s", c.node,
                             c.node, c.lease_ms / 1000),
                 {}});
}

struct Rules {
  ClusterState& state;
  const std::string& proposer;
  Applied operator()(const message::SetStandby& c) const { return set_standby(state, c); }
  Applied operator()(const message::SayGoodbye& c) const { return say_goodbye(state, c); }
  Applied operator()(const message::SetTarget& c) const { return set_target(state, c); }
  Applied operator()(const message::MoveService& c) const { return move_service(state, c); }
  Applied operator()(const message::HoldVolume& c) const { return hold_volume(state, c); }
  Applied operator()(const message::ClearFailures& c) const { return clear_failures(state, c); }
  Applied operator()(const message::InitialiseVolume& c) const { return initialise_volume(state, c); }
  Applied operator()(const message::GrantOwnership& c) const { return grant_ownership(state, c); }
  Applied operator()(const message::RequestStop& c) const { return request_stop(state, c); }
  Applied operator()(const message::ReleaseOwnership& c) const { return release_ownership(state, c); }
  Applied operator()(const message::ShrinkInSync& c) const { return shrink_in_sync(state, c); }
  Applied operator()(const message::GrowInSync& c) const { return grow_in_sync(state, c, proposer); }
  Applied operator()(const message::RecordFailure& c) const { return record_failure(state, c); }
  Applied operator()(const message::SetRestartLease& c) const { return set_restart_lease(state, c); }
  Applied operator()(const message::SetMaintenance& c) const { return apply_operation(state, c); }
  Applied operator()(const message::AgeMaintenance& c) const { return apply_operation(state, c); }
  Applied operator()(const message::RestartService& c) const { return apply_operation(state, c); }
  Applied operator()(const message::RestartDone& c) const { return apply_operation(state, c); }
  Applied operator()(const message::SetHalt& c) const { return apply_operation(state, c); }
  Applied operator()(const message::SetConfig& c) const { return set_config(state, c); }
  Applied operator()(const message::IssueToken& c) const { return issue_token(state, c); }
  Applied operator()(const message::UseToken& c) const { return use_token(state, c); }
  Applied operator()(const message::UpdateAttributes& c) const { return update_attributes(state, c); }
  Applied operator()(const message::NoteBoot& c) const { return note_boot(state, c); }
  Applied operator()(const message::FenceByHand&) const { return refuse("that is for one node, not for the log"); }
  Applied operator()(const message::RequestFencing& c) const { return request_fencing(state, c); }
  Applied operator()(const message::RecordFencing& c) const { return record_fencing(state, c); }
  Applied operator()(const message::RecordFenceTest& c) const { return record_fence_test(state, c); }
};

}  // namespace

Applied apply(ClusterState& state, const message::Proposal& proposal) {
  return std::visit(Rules{state, proposal.proposer}, proposal.command);
}

}  // namespace bascule::store::detail
