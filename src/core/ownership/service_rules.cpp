#include <fmt/format.h>

#include <algorithm>

#include "core/ownership/detail/placement.h"
#include "core/ownership/detail/relations.h"
#include "core/store/operations.h"

/// The rules of a service, in the order of their precedence (see the list at the end).
namespace bascule::ownership::detail {
namespace {

using Service = config::Service;

Outcome stop(const View& view, const Service& service, std::string reason) {
  const message::RequestStop command{service.name, view.service(service.name).epoch, reason};
  return {Decision{command, reason, std::nullopt}, {reason, ""}, never};
}

Outcome grant(const View& view, const Service& service, const std::string& node, std::string reason,
              const std::optional<std::string>& lost = std::nullopt) {
  message::GrantOwnership command;
  command.service = service.name;
  command.volume = service.volume.value_or("");
  command.node = node;
  command.lost = lost.value_or("");
  command.service_epoch = view.service(service.name).epoch;
  command.volume_epoch = service.volume ? view.volume(*service.volume).epoch : 0;
  command.reason = reason;
  return {Decision{command, reason, lost}, {fmt::format("{} is to start on {}", service.name, node), ""}, never};
}

/// The owner, if it has one that is here.
std::optional<std::string> owner_here(const View& view, const Service& service) {
  const auto& owner = view.service(service.name).owner;
  return owner && view.online(*owner) ? owner : std::nullopt;
}

/// Whatever happens: nothing is decided. A takeover too waits until a person has ended it.
Said in_maintenance(const View& view, const Service& service) {
  const auto& state = view.snapshot().state;
  const auto holder = view.holder(service);
  const auto* scope = store::in_maintenance(state, service.name, holder.value_or(""));
  if (scope == nullptr) return std::nullopt;
  std::string why = store::scope_text(*scope) + " is in maintenance";
  if (holder && !view.online(*holder)) why += fmt::format("; {} is not online, and nobody takes over", *holder);
  const auto* report = holder ? view.report(*holder, service.name) : nullptr;
  if (report != nullptr && view.online(*holder) && !report->why.empty()) why += "; " + report->why;
  return explain(why, "bascule maintenance off" + store::scope_option(*scope));
}

Said not_wanted(const View& view, const Service& service) {
  if (view.wants_started(service)) return std::nullopt;
  const auto& state = view.service(service.name);
  const bool halted = view.snapshot().state.halted;
  const bool by_hand = state.target.has_value();
  const std::string reason = halted ? "everything is stopped" : by_hand ? "stopped by hand" : "autostart is off";
  if (!state.owner) return explain(reason, "bascule start " + (halted ? "--all" : service.name));
  if (!state.stop_requested) return stop(view, service, reason);
  if (view.online(*state.owner)) return explain(fmt::format("{} is stopping it: {}", *state.owner, reason));
  return explain(
      fmt::format("{} was to stop it, but is not online", *state.owner),
      fmt::format("start {} again, or let another node take it: bascule start {}", *state.owner, service.name));
}

/// `on_fail = "stop"`: it is started nowhere until somebody has looked.
Said halted(const View& view, const Service& service) {
  const auto& state = view.service(service.name);
  const auto failure = std::find_if(state.failures.begin(), state.failures.end(),
                                    [](const auto& one) { return one.second.reaction == "stop"; });
  if (failure == state.failures.end()) return std::nullopt;
  const auto why = fmt::format("stopped after a failure on {}: {}", failure->first, failure->second.text);
  const auto hint = fmt::format("remove the cause, then: bascule clear {}", service.name);
  if (!state.owner || state.stop_requested) return explain(why, hint);
  auto outcome = stop(view, service, why);
  outcome.explanation.hint = hint;
  return outcome;
}

/// `on_fail = "block"`: nothing is done with it while its node is there.
Said blocked(const View& view, const Service& service) {
  const auto owner = owner_here(view, service);
  const auto& state = view.service(service.name);
  if (!owner || state.stop_requested || !state.failures.contains(*owner)) return std::nullopt;
  const auto& failure = state.failures.at(*owner);
  if (failure.reaction != "block") return std::nullopt;
  return explain(fmt::format("it is left as it is on {} after a failure: {}", *owner, failure.text),
                 fmt::format("bring it into order, then: bascule clear {}", service.name));
}

Said volume_in_other_hands(const View& view, const Service& service) {
  if (!service.volume || view.service(service.name).owner) return std::nullopt;
  const auto& volume = view.volume(*service.volume);
  if (!volume.hold_on && !volume.held_by_hand) return std::nullopt;
  return explain(fmt::format("{} is primary by hand on {}", *service.volume,
                             volume.owner ? *volume.owner : volume.hold_on.value_or("?")),
                 "bascule volume secondary " + *service.volume);
}

Said volume_not_begun(const View& view, const Service& service) {
  if (!service.volume || view.holder(service) || view.volume(*service.volume).initialised) return std::nullopt;
  const auto* volume = view.snapshot().config.volume(*service.volume);
  if (volume == nullptr) return explain(fmt::format("{} is not configured", *service.volume));
  auto explanation = decide(view, *volume).explanation;
  return explain(fmt::format("{} has no data yet: {}", *service.volume, explanation.why), explanation.hint);
}

/// A copy that belongs to one node waits for it. Only of a node that is to go is it taken away.
Said away_with_its_node(const View& view, const Service& service) {
  const auto& owner = view.service(service.name).owner;
  if (!is_pinned(service) || owner != service.copy->node || view.online(*owner)) return std::nullopt;
  const auto& node = view.node(*owner);
  const auto why = *owner + " is not online";
  if (!node.lost || !node.lease_certainly_over || !view.standby(*owner))
    return explain(why, "start " + *owner + " again");
  const message::ReleaseOwnership command{service.name, "", view.service(service.name).epoch, 0};
  return Outcome{Decision{command, fmt::format("{} and in standby", why), *owner}, {why, ""}, never};
}

Said take_over(const View& view, const Service& service) {
  const auto holder = view.holder(service);
  if (!holder || view.online(*holder)) return std::nullopt;
  const auto place = best_place(view, service, holder);
  const auto& lost = view.node(*holder);
  if (!place) {
    auto [why, hint] = why_no_place(view, service, holder);
    return explain(fmt::format("{} is not online; {}", *holder, why), hint);
  }
  if (lost.lost && lost.lease_certainly_over)
    return grant(view, service, *place, fmt::format("the lease of {} has ended", *holder), holder);
  return explain(fmt::format("{} is not online; {} takes over when its lease has certainly ended", *holder, *place), "",
                 lost.lease_over_at);
}

/// Only where the two owners differ, which a changed configuration can bring about.
Said volume_of_another_owner(const View& view, const Service& service) {
  const auto holder = view.holder(service);
  if (!holder || !service.volume) return std::nullopt;
  const auto& owner = view.service(service.name).owner;
  if (owner == holder && (view.volume(*service.volume).owner == owner || !view.volume(*service.volume).owner))
    return std::nullopt;
  return explain(fmt::format("{} still has {}", view.volume(*service.volume).owner.value_or("?"), *service.volume));
}

Said being_stopped(const View& view, const Service& service) {
  const auto owner = owner_here(view, service);
  if (!owner || !view.service(service.name).stop_requested) return std::nullopt;
  return explain(fmt::format("{} is stopping it", *owner));
}

Said failed_on_owner(const View& view, const Service& service) {
  const auto owner = owner_here(view, service);
  if (!owner) return std::nullopt;
  const auto* report = view.report(*owner, service.name);
  const auto& state = view.service(service.name);
  // Also without another place: only what was released can be started anew.
  if (report != nullptr && report->epoch == state.epoch && report->state == "Failed")
    return stop(view, service, fmt::format("{} failed on {}: {}", service.name, *owner, report->why));
  if (!banned(view, service, *owner)) return std::nullopt;
  if (is_pinned(service)) return stop(view, service, why_no_place(view, service).why);
  const auto place = best_place(view, service, owner);
  if (!place) return std::nullopt;
  return stop(view, service, fmt::format("{} failed on {}, it goes to {}", service.name, *owner, *place));
}

/// With whom it belongs, after whom it comes, from whom it is to be apart: no longer so where it is.
Said parted(const View& view, const Service& service) {
  const auto owner = owner_here(view, service);
  if (!owner) return std::nullopt;
  const auto reason = reason_of_relations(view, service, *owner);
  return reason.empty() ? std::nullopt : Said(stop(view, service, reason));
}

/// What belongs to it has failed here too often, and could go on elsewhere with it.
Said companion_failed(const View& view, const Service& service) {
  const auto owner = owner_here(view, service);
  if (!owner || service.copy) return std::nullopt;
  for (const auto& other : view.snapshot().config.services) {
    const bool belongs = std::find(other.with.begin(), other.with.end(), service.name) != other.with.end();
    if (!belongs || !view.wants_started(other) || !banned(view, other, *owner)) continue;
    const auto place = best_place(view, service, owner);
    if (place && !banned(view, other, *place))
      return stop(view, service, fmt::format("{} failed on {}, both go to {}", other.name, *owner, *place));
  }
  return std::nullopt;
}

Said sent_by_hand(const View& view, const Service& service) {
  const auto owner = owner_here(view, service);
  const auto& state = view.service(service.name);
  if (!owner || (!state.move_to && !state.move_from) || state.move_to == owner) return std::nullopt;
  if (state.move_from && state.move_from != owner) return std::nullopt;
  if (state.move_to) {
    const auto against = reason_against(view, service, *state.move_to);
    if (against.empty()) return stop(view, service, fmt::format("moved by hand to {}", *state.move_to));
    return explain(fmt::format("{} cannot move to {}: {}", service.name, *state.move_to, against),
                   "it moves as soon as it can");
  }
  const auto place = best_place(view, service, owner);
  if (place) return stop(view, service, fmt::format("moved by hand from {} to {}", *owner, *place));
  auto [why, hint] = why_no_place(view, service, owner);
  return explain(fmt::format("{} cannot leave {}: {}", service.name, *owner, why), hint);
}

Said owner_in_standby(const View& view, const Service& service) {
  const auto owner = owner_here(view, service);
  if (!owner || !view.standby(*owner)) return std::nullopt;
  if (service.copy) return stop(view, service, view.standby_reason(*owner));
  if (const auto place = best_place(view, service, owner))
    return stop(view, service, fmt::format("{}, {} takes over", view.standby_reason(*owner), *place));
  auto [why, hint] = why_no_place(view, service, owner);
  return explain(fmt::format("{} stays on {} although it{}: {}", service.name, *owner,
                             view.standby_reason(*owner).substr(owner->size()), why),
                 hint);
}

Said failback(const View& view, const Service& service) {
  const auto owner = owner_here(view, service);
  const auto& preferred = service.preferred_node;
  if (!owner || !preferred || preferred == owner || service.stickiness > 0) return std::nullopt;
  if (view.service(service.name).pinned || !reason_against(view, service, *preferred).empty()) return std::nullopt;
  return stop(view, service, fmt::format("{} prefers {}, which is ready", service.name, *preferred));
}

Said first_or_next_owner(const View& view, const Service& service) {
  if (view.holder(service)) return std::nullopt;
  const auto& state = view.service(service.name);
  if (const auto place = best_place(view, service))
    return grant(view, service, *place,
                 state.epoch == 0 ? "first start" : fmt::format("it has no owner, {} is ready", *place));
  if (const auto place = last_resort(view, service))
    return grant(view, service, *place,
                 fmt::format("it has failed often on {}, but no other node can have it", *place));
  auto [why, hint] = why_no_place(view, service);
  return explain(why, hint);
}

Said as_the_owner_reports(const View& view, const Service& service) {
  const auto owner = owner_here(view, service);
  if (!owner) return std::nullopt;
  if (view.runs(service)) return Outcome{};
  const auto* report = view.report(*owner, service.name);
  if (report == nullptr || report->epoch != view.service(service.name).epoch)
    return explain(fmt::format("{} has not begun yet", *owner));
  if (!report->why.empty()) return explain(report->why);
  return explain(fmt::format("{} on {}", report->state, *owner));
}

using ServiceRule = Said (*)(const View&, const Service&);
constexpr ServiceRule service_rules[] = {
    in_maintenance,
    not_wanted,
    halted,
    volume_in_other_hands,
    volume_not_begun,
    away_with_its_node,
    take_over,
    volume_of_another_owner,
    being_stopped,
    blocked,
    parted,
    failed_on_owner,
    companion_failed,
    owner_in_standby,
    sent_by_hand,
    failback,
    first_or_next_owner,
    as_the_owner_reports,
};

}  // namespace

Outcome decide(const View& view, const Service& service) {
  for (const auto rule : service_rules)
    if (auto said = rule(view, service)) return *said;
  return {};
}

}  // namespace bascule::ownership::detail
