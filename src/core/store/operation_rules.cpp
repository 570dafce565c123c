#include <fmt/format.h>

#include "core/store/detail/copies.h"
#include "core/store/detail/rules.h"
#include "core/store/operations.h"

/// The rules of maintenance, restarts in place, and the stop of everything.
namespace bascule::store::detail {
namespace {

Applied refuse_operation(std::string why) {
  return {.changed = false, .accepted = false, .why = std::move(why), .events = {}};
}
Applied already_so() { return {.changed = false, .accepted = true, .why = {}, .events = {}}; }
Applied done(StoryEvent event) { return {.changed = true, .accepted = true, .why = {}, .events = {std::move(event)}}; }

std::string by_and_why(const message::SetMaintenance& c) {
  return (c.by.empty() ? "" : " by " + c.by) + (c.reason.empty() ? "" : ": " + c.reason);
}

std::string lasting(std::uint64_t ms) {
  if (ms == 0) return "until it is ended by hand";
  return ms < 120'000 ? fmt::format("for {} s", ms / 1000) : fmt::format("for {} min", ms / 60'000);
}

Applied end_maintenance(ClusterState& state, const std::string& scope, const std::string& how) {
  state.maintenance.erase(scope);
  ++state.maintenance_version;
  return done({"maintenance-ended", scope, scope_text(scope) + " is no longer in maintenance" + how, {}});
}

}  // namespace

Applied apply_operation(ClusterState& state, const message::SetMaintenance& c) {
  const bool was = state.maintenance.contains(c.scope);
  if (!c.on) return was ? end_maintenance(state, c.scope, by_and_why(c)) : already_so();
  const auto version = ++state.maintenance_version;
  state.maintenance[c.scope] = {c.by, c.reason, c.at_ms, c.duration_ms, version};
  return done({"maintenance-began",
               c.scope,
               fmt::format("{} is in maintenance {}{}", scope_text(c.scope), lasting(c.duration_ms), by_and_why(c)),
               {}});
}

Applied apply_operation(ClusterState& state, const message::AgeMaintenance& c) {
  const auto found = state.maintenance.find(c.scope);
  if (found == state.maintenance.end()) return refuse_operation(scope_text(c.scope) + " is not in maintenance");
  if (found->second.version != c.version)
    return refuse_operation(fmt::format("the maintenance of {} is at version {} by now, not {}", scope_text(c.scope),
                                        found->second.version, c.version));
  if (c.left_ms == 0) return end_maintenance(state, c.scope, ": its time is over");
  found->second.left_ms = c.left_ms;
  found->second.version = ++state.maintenance_version;
  return {.changed = true, .accepted = true, .why = {}, .events = {}};
}

namespace {

void ask_restart(ServiceState& service, const std::string& step) {
  ++service.restarts_asked;
  service.restart_step = step;
}

/// Each copy that runs is restarted where it is.
Applied restart_copies(const std::vector<ServiceState*>& copies, const message::RestartService& c) {
  std::size_t running = 0;
  for (auto* copy : copies) {
    if (!copy->owner || copy->stop_requested) continue;
    if (copy->restarts_asked != copy->restarts_done) return refuse_operation(c.service + " is being restarted already");
    ++running;
  }
  if (running == 0) return refuse_operation(c.service + " runs nowhere");
  for (auto* copy : copies)
    if (copy->owner && !copy->stop_requested) ask_restart(*copy, c.step);
  return done({"restart", c.service, fmt::format("{} copies of {} are to be restarted", running, c.service), {}});
}

}  // namespace

Applied apply_operation(ClusterState& state, const message::RestartService& c) {
  if (const auto copies = copies_of(state, c.service); !copies.empty()) return restart_copies(copies, c);
  const auto found = state.services.find(c.service);
  if (found == state.services.end() || !found->second.owner) return refuse_operation(c.service + " runs nowhere");
  auto& service = found->second;
  if (service.stop_requested) return refuse_operation(fmt::format("{} is stopping {}", *service.owner, c.service));
  if (service.restarts_asked != service.restarts_done)
    return refuse_operation(c.service + " is being restarted already");
  ask_restart(service, c.step);
  const auto what = c.step.empty() ? c.service : fmt::format("{} of {} and what comes after it", c.step, c.service);
  return done({"restart", c.service, fmt::format("{} is to be restarted on {}", what, *service.owner), {}});
}

Applied apply_operation(ClusterState& state, const message::RestartDone& c) {
  const auto found = state.services.find(c.service);
  if (found == state.services.end() || found->second.epoch != c.epoch)
    return refuse_operation(c.service + " is at another epoch by now");
  if (c.number > found->second.restarts_asked || c.number <= found->second.restarts_done)
    return refuse_operation(fmt::format("restart {} of {} is not to be done", c.number, c.service));
  found->second.restarts_done = c.number;
  return {.changed = true, .accepted = true, .why = {}, .events = {}};
}

/// Volumes that are held by hand are let go of too, and taken again afterwards: `hold_on` stays.
Applied apply_operation(ClusterState& state, const message::SetHalt& c) {
  if (state.halted == c.halted) return already_so();
  state.halted = c.halted;
  state.halted_by = c.halted ? c.by : "";
  for (auto& [name, volume] : state.volumes)
    if (c.halted && volume.held_by_hand && volume.owner) volume.stop_requested = true;
  const auto by = c.by.empty() ? "" : " by " + c.by;
  return done({"target", "cluster", (c.halted ? "everything is to stop" : "everything may run again") + by, {}});
}

}  // namespace bascule::store::detail
