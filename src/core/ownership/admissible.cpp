// Whether what a person asks for can be done at all.
#include <fmt/format.h>

#include "core/ownership/detail/placement.h"

namespace bascule::ownership {
namespace {

using detail::View;

Result<void> check_move(const View& view, const config::Service& service, const std::string& to) {
  const auto& owner = view.service(service.name).owner;
  const auto what = fmt::format("{} cannot move", service.name) + (to.empty() ? "" : " to " + to);
  if (to.empty()) {
    if (detail::best_place(view, service, owner)) return {};
    auto [why, hint] = detail::why_no_place(view, service, owner);
    return fail(what, "", why, hint);
  }
  const auto against = detail::reason_against(view, service, to);
  return against.empty() ? Result<void>() : fail(what, "", against, "see: bascule status");
}

Result<void> check_standby(const View& view, const std::string& node) {
  for (const auto& service : view.snapshot().config.services) {
    if (view.service(service.name).owner != node || !view.wants_started(service)) continue;
    if (detail::best_place(view, service, node)) continue;
    const auto why = detail::why_no_place(view, service, node).why;
    return fail(fmt::format("{} cannot go into standby", node), "",
                fmt::format("{} has no other place: {}", service.name, why),
                fmt::format("to stop it instead: bascule stop {}", service.name));
  }
  return {};
}

Result<void> check_hold(const View& view, const std::string& volume, const std::string& node) {
  const auto what = fmt::format("{} cannot be primary on {}", volume, node);
  const auto* service = view.snapshot().config.service_of_volume(volume);
  if (service != nullptr && (view.wants_started(*service) || view.service(service->name).owner))
    return fail(what, "", fmt::format("{} belongs to the service {}", volume, service->name),
                fmt::format("bascule stop {}", service->name));
  const auto against = detail::reason_against_copy(view, volume, node);
  return against.empty() ? Result<void>() : fail(what, "", against, "see: bascule volume status " + volume);
}

Result<void> check_start(const View& view, const config::Service& service) {
  if (!service.volume) return {};
  const auto& volume = view.volume(*service.volume);
  if (!volume.held_by_hand && !volume.hold_on) return {};
  return fail(fmt::format("{} cannot start", service.name), "", fmt::format("{} is primary by hand", *service.volume),
              fmt::format("bascule volume secondary {}", *service.volume));
}

struct Check {
  const View& view;

  Result<void> operator()(const message::MoveService& c) const {
    const auto* service = view.snapshot().config.service(c.service);
    return service == nullptr ? Result<void>() : check_move(view, *service, c.to);
  }
  Result<void> operator()(const message::SetStandby& c) const {
    return c.standby ? check_standby(view, c.node) : Result<void>();
  }
  Result<void> operator()(const message::HoldVolume& c) const {
    return c.node.empty() ? Result<void>() : check_hold(view, c.volume, c.node);
  }
  Result<void> operator()(const message::SetTarget& c) const {
    const auto* service = view.snapshot().config.service(c.service);
    return service == nullptr || !c.started ? Result<void>() : check_start(view, *service);
  }
  template <typename Other>
  Result<void> operator()(const Other&) const {
    return {};
  }
};

}  // namespace

Result<void> admissible(const Snapshot& snapshot, const message::Command& command) {
  const View view(snapshot);
  return std::visit(Check{view}, command);
}

}  // namespace bascule::ownership
