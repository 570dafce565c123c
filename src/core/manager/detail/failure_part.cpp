// Failures that fade, and what goes with a boot.

#include "core/manager/detail/state.h"

namespace bascule::manager {

namespace {
constexpr Duration propose_again_in = seconds(2);
}

void Manager::State::machine_says(const input::Machine& machine) {
  if (!machine.boot.empty()) boot = machine.boot;
  wall_offset_ms = static_cast<std::int64_t>(machine.wall_ms) - to_ms(now.time_since_epoch());
}

std::uint64_t Manager::State::wall_now_ms() const {
  const auto wall_ms = wall_offset_ms == 0 ? 0 : wall_offset_ms + to_ms(now.time_since_epoch());
  return wall_ms < 0 ? 0 : static_cast<std::uint64_t>(wall_ms);
}

/// A boot that the cluster does not know: what was only true until then is forgotten by all.
void Manager::State::note_boot_when_due() {
  if (boot.empty() || !state_is_current || own_state().boot == boot || now < note_boot_at) return;
  note_boot_at = now + propose_again_in;
  propose(message::NoteBoot{self->name, boot});
}

/// Every manager counts the time since it learnt of the last failure, so a new leader knows it as well; one that was
/// started since counts from its start. Only the leader proposes, and the log refuses it when another failure came.
void Manager::State::watch_failures() {
  for (const auto& service : config.services) {
    const auto found = store.state().services.find(service.name);
    if (found == store.state().services.end() || found->second.failures.empty()) continue;
    for (const auto& [node, failure] : found->second.failures) {
      auto& seen = failures_seen[{service.name, node}];
      if (seen.version != failure.version) seen = {failure.version, now, now};
      if (failure.reaction != "block") propose_fading(service, node, seen);
    }
  }
}

void Manager::State::propose_fading(const config::Service& service, const std::string& node, SeenFailure& seen) {
  if (service.failure_timeout == Duration::zero() || now < seen.since + service.failure_timeout) return;
  if (!may_decide() || now < seen.ask_again) return;
  seen.ask_again = now + propose_again_in;
  propose(message::ClearFailures{service.name, node, seen.version});
}

Instant Manager::State::fades_at(const config::Service& service, const std::string& node) const {
  const auto seen = failures_seen.find({service.name, node});
  const auto found = store.state().services.find(service.name);
  if (seen == failures_seen.end() || found == store.state().services.end()) return never;
  const auto failure = found->second.failures.find(node);
  if (failure == found->second.failures.end() || failure->second.version != seen->second.version) return never;
  if (failure->second.reaction == "block" || service.failure_timeout == Duration::zero()) return never;
  return seen->second.since + service.failure_timeout;
}

}  // namespace bascule::manager
