// Whether what a person asks for can be done at all.
#include <fmt/format.h>

#include "core/ownership/detail/placement.h"
#include "core/ownership/detail/relations.h"
#include "core/store/operations.h"

namespace bascule::ownership {
namespace {

using detail::View;

/// A person is told at once that nothing would come of it for now.
Result<void> check_maintenance(const View& view, const std::string& what, const std::string& service,
                               const std::string& node) {
  const auto* scope = store::in_maintenance(view.snapshot().state, service, node);
  if (scope == nullptr) return {};
  return fail(what, "", store::scope_text(*scope) + " is in maintenance: nothing is started, stopped or moved",
              "bascule maintenance off" + store::scope_option(*scope));
}

Result<void> check_not_halted(const View& view, const std::string& what) {
  if (!view.snapshot().state.halted) return {};
  return fail(what, "", "everything is stopped", "bascule start --all");
}

/// In maintenance, by itself or by its owner.
Result<void> check_free(const View& view, const std::string& what, const std::string& service) {
  return check_maintenance(view, what, service, view.service(service).owner.value_or(""));
}

Result<void> check_move(const View& view, const config::Service& service, const std::string& to) {
  const auto& owner = view.service(service.name).owner;
  const auto what = fmt::format("{} cannot move", service.name) + (to.empty() ? "" : " to " + to);
  if (auto free = check_free(view, what, service.name); !free) return free;
  if (auto running = check_not_halted(view, what); !running) return running;
  if (to.empty()) {
    if (detail::best_place(view, service, owner)) return {};
    auto [why, hint] = detail::why_no_place(view, service, owner);
    return fail(what, "", why, hint);
  }
  const auto against = detail::reason_against(view, service, to);
  return against.empty() ? Result<void>() : fail(what, "", against, "see: bascule status");
}

Result<void> check_standby(const View& view, const std::string& node, bool wait) {
  if (auto free = check_maintenance(view, fmt::format("{} cannot go into standby", node), "", node); !free) return free;
  if (wait) return {};
  const View then = detail::without(view, node);
  for (const auto& service : view.snapshot().config.services) {
    if (view.service(service.name).owner != node || !view.wants_started(service)) continue;
    if (service.copy || then.future(service.name)) continue;
    const auto why = detail::why_no_place(then, service, node).why;
    return fail(fmt::format("{} cannot go into standby", node), "",
                fmt::format("{} has no other place: {}", service.name, why),
                fmt::format("to let it leave as soon as it can: bascule drain {}; to stop it instead: bascule stop {}",
                            node, service.name));
  }
  return {};
}

Result<void> check_hold(const View& view, const std::string& volume, const std::string& node) {
  const auto what = fmt::format("{} cannot be primary on {}", volume, node);
  if (auto free = check_maintenance(view, what, "", node); !free) return free;
  if (auto running = check_not_halted(view, what); !running) return running;
  const auto* service = view.snapshot().config.service_of_volume(volume);
  if (service != nullptr && (view.wants_started(*service) || view.service(service->name).owner))
    return fail(what, "", fmt::format("{} belongs to the service {}", volume, service->name),
                fmt::format("bascule stop {}", service->name));
  const auto against = detail::reason_against_copy(view, volume, node);
  return against.empty() ? Result<void>() : fail(what, "", against, "see: bascule volume status " + volume);
}

Result<void> check_target(const View& view, const config::Service& service, bool started) {
  const auto what = fmt::format("{} cannot {}", service.name, started ? "start" : "stop");
  if (auto free = check_free(view, what, service.name); !free || !started) return free;
  if (auto running = check_not_halted(view, what); !running) return running;
  if (!service.volume) return {};
  const auto& volume = view.volume(*service.volume);
  if (!volume.held_by_hand && !volume.hold_on) return {};
  return fail(what, "", fmt::format("{} is primary by hand", *service.volume),
              fmt::format("bascule volume secondary {}", *service.volume));
}

Result<void> check_restart(const View& view, const config::Service& service) {
  const auto what = fmt::format("{} cannot be restarted", service.name);
  if (auto free = check_free(view, what, service.name); !free) return free;
  if (view.runs(service)) return {};
  return fail(what, "", "it does not run", "bascule start " + service.name);
}

Result<void> check_halt(const View& view) {
  for (const auto& service : view.snapshot().config.services)
    if (auto free = check_free(view, "not everything can be stopped or started", service.name); !free) return free;
  return {};
}

struct Check {
  const View& view;

  Result<void> operator()(const message::RestartService& c) const {
    const auto* service = view.snapshot().config.service(c.service);
    return service == nullptr ? Result<void>() : check_restart(view, *service);
  }
  Result<void> operator()(const message::SetHalt&) const { return check_halt(view); }

  Result<void> operator()(const message::MoveService& c) const {
    const auto* service = view.snapshot().config.service(c.service);
    return service == nullptr ? Result<void>() : check_move(view, *service, c.to);
  }
  Result<void> operator()(const message::SetStandby& c) const {
    return c.standby ? check_standby(view, c.node, c.wait) : Result<void>();
  }
  Result<void> operator()(const message::HoldVolume& c) const {
    return c.node.empty() ? Result<void>() : check_hold(view, c.volume, c.node);
  }
  Result<void> operator()(const message::SetTarget& c) const {
    const auto* service = view.snapshot().config.service(c.service);
    return service == nullptr ? Result<void>() : check_target(view, *service, c.started);
  }
  template <typename Other>
  Result<void> operator()(const Other&) const {
    return {};
  }
};

}  // namespace

Result<void> admissible(const Snapshot& snapshot, const message::Command& command) {
  View view(snapshot);
  (void)detail::decide_services(view);
  return std::visit(Check{view}, command);
}

}  // namespace bascule::ownership
