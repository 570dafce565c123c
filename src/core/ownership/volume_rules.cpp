#include <fmt/format.h>

#include <algorithm>

#include "core/ownership/detail/placement.h"
#include "core/ownership/detail/rules.h"
#include "core/store/operations.h"

/// The rules of a volume, in the order of their precedence.
namespace bascule::ownership::detail {
namespace {

using Volume = config::Volume;

Said volume_in_maintenance(const View& view, const Volume& volume) {
  const auto& state = view.snapshot().state;
  const auto* service = view.snapshot().config.service_of_volume(volume.name);
  const auto owner = view.volume(volume.name).owner.value_or("");
  const auto* scope = store::in_maintenance(state, service == nullptr ? "" : service->name, owner);
  if (scope == nullptr || view.volume(volume.name).initialised) return std::nullopt;
  return explain(store::scope_text(*scope) + " is in maintenance",
                 "bascule maintenance off" + store::scope_option(*scope));
}

std::string first_copy(const View& view, const Volume& volume) {
  auto nodes = places(view, volume);
  const auto* service = view.snapshot().config.service_of_volume(volume.name);
  const auto preferred = service == nullptr ? std::nullopt : service->preferred_node;
  const auto rank = [&](const std::string& node) { return std::make_pair(view.standby(node), node != preferred); };
  return *std::min_element(nodes.begin(), nodes.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
}

/// A volume begins only when every copy is known to be empty: an absent one could hold data.
Said begin(const View& view, const Volume& volume) {
  if (view.volume(volume.name).initialised) return std::nullopt;
  const auto nodes = places(view, volume);
  if (nodes.empty()) return explain("no node has a disk for it");
  std::vector<std::string> with_data;
  for (const auto& node : nodes) {
    const auto* replica = view.replica(node, volume.name);
    if (!view.online(node)) return explain(fmt::format("waiting for {}", node), fmt::format("start {}", node));
    if (replica == nullptr || !replica->attached)
      return explain(fmt::format("the disk on {} is not attached{}", node,
                                 replica == nullptr || replica->why.empty() ? "" : ": " + replica->why),
                     fmt::format("start bascule-blockd --volume {} on {}", volume.name, node));
    if (!replica->just_created) with_data.push_back(node);
  }
  if (!with_data.empty())
    return explain(fmt::format("the disk of {} holds data of which the cluster's log knows nothing", listed(with_data)),
                   "bring back the managers' state directory, or create the volume anew on every node");
  const auto node = first_copy(view, volume);
  const auto reason = fmt::format("every copy of {} is new, that of {} is the first", volume.name, node);
  return Outcome{Decision{message::InitialiseVolume{volume.name, node}, reason, std::nullopt}, {reason, ""}, never};
}

Outcome grant_by_hand(const View& view, const Volume& volume, const std::string& node,
                      const std::optional<std::string>& lost) {
  message::GrantOwnership command;
  command.volume = volume.name;
  command.node = node;
  command.lost = lost.value_or("");
  command.volume_epoch = view.volume(volume.name).epoch;
  command.reason = "by hand";
  const auto reason = fmt::format("{} is to be primary on {} by hand", volume.name, node);
  return {Decision{command, reason, lost}, {reason, ""}, never};
}

/// A service that still owns the volume, or its name: by hand only after it was stopped and released.
bool service_has_it(const View& view, const Volume& volume) {
  const auto& state = view.volume(volume.name);
  if (state.owner && !state.held_by_hand) return true;
  const auto* service = view.snapshot().config.service_of_volume(volume.name);
  return service != nullptr && view.service(service->name).owner.has_value();
}

Said hold(const View& view, const Volume& volume) {
  const auto& state = view.volume(volume.name);
  if (!state.hold_on || state.owner == state.hold_on || service_has_it(view, volume)) return std::nullopt;
  if (view.snapshot().state.halted) return explain("everything is stopped", "bascule start --all");
  if (const auto* scope = store::in_maintenance(view.snapshot().state, "", *state.hold_on))
    return explain(store::scope_text(*scope) + " is in maintenance",
                   "bascule maintenance off" + store::scope_option(*scope));
  if (const auto against = reason_against_copy(view, volume.name, *state.hold_on); !against.empty())
    return explain(fmt::format("{} cannot be primary on {}: {}", volume.name, *state.hold_on, against),
                   "bascule volume secondary " + volume.name);
  if (!state.owner) return grant_by_hand(view, volume, *state.hold_on, std::nullopt);
  if (view.online(*state.owner)) return explain(fmt::format("{} is letting go of it", *state.owner));
  const auto& owner = view.node(*state.owner);
  if (owner.lost && owner.lease_certainly_over) return grant_by_hand(view, volume, *state.hold_on, state.owner);
  return explain(fmt::format("waiting until the lease of {} has certainly ended", *state.owner), "",
                 owner.lease_over_at);
}

Said held_by_a_lost_node(const View& view, const Volume& volume) {
  const auto& state = view.volume(volume.name);
  if (!state.held_by_hand || !state.owner || view.online(*state.owner)) return std::nullopt;
  return explain(fmt::format("{} holds it by hand and is not online", *state.owner),
                 fmt::format("start {} again, or make another node primary by hand", *state.owner));
}

std::string progress(const message::VolumeReport& replica) {
  if (replica.resync_total_bytes == 0) return "";
  const auto done = replica.resync_done_bytes / (replica.resync_total_bytes / 100 + 1);
  return fmt::format(", resync at {} %", std::min<std::uint64_t>(done, 100));
}

std::string reason_incomplete(const View& view, const Volume& volume, const std::string& node) {
  const auto* replica = view.replica(node, volume.name);
  if (!view.online(node)) return "";
  if (replica == nullptr || !replica->attached) return ", its disk is not attached";
  if (const auto text = progress(*replica); !text.empty()) return text;
  const auto& owner = view.volume(volume.name).owner;
  const auto* primary = owner && view.online(*owner) ? view.replica(*owner, volume.name) : nullptr;
  if (primary != nullptr) return progress(*primary);
  return owner ? "" : ", a complete one brings it up to date when the two are connected";
}

Said incomplete(const View& view, const Volume& volume) {
  std::string why;
  std::string hint;
  for (const auto& node : places(view, volume)) {
    const bool member = view.volume(volume.name).in_sync.contains(node);
    const bool online = view.online(node);
    if (member && online) continue;
    why += why.empty() ? "" : "; ";
    why += online ? "" : fmt::format("{} is not online", node) + (member ? "" : ", ");
    if (!member) why += fmt::format("the copy of {} is not complete{}", node, reason_incomplete(view, volume, node));
    if (!online && hint.empty()) hint = fmt::format("start {} again", node);
  }
  if (why.empty()) return std::nullopt;
  return explain(why, hint);
}

using VolumeRule = Said (*)(const View&, const Volume&);
constexpr VolumeRule volume_rules[] = {volume_in_maintenance, begin, hold, held_by_a_lost_node, incomplete};

}  // namespace

Outcome decide(const View& view, const Volume& volume) {
  for (const auto rule : volume_rules)
    if (auto said = rule(view, volume)) return *said;
  return {};
}

}  // namespace bascule::ownership::detail
