// The end of a maintenance. Each node measures on its own clock how long it has known of it; the leader proposes what
// is left, now and then, and the end. So a leader that dies takes no more than one such round of the time with it.

#include <algorithm>

#include "core/manager/detail/state.h"

namespace bascule::manager {

namespace {
constexpr Duration age_every = seconds(60);
constexpr Duration age_again_after = seconds(10);  // a proposal is sent again for as long
}  // namespace

void Manager::State::note_maintenance() {
  const auto& agreed = store.state().maintenance;
  std::erase_if(seen_maintenance, [&](const auto& seen) { return !agreed.contains(seen.first); });
  for (const auto& [scope, maintenance] : agreed) {
    auto& seen = seen_maintenance[scope];
    if (seen.version != maintenance.version) seen = {maintenance.version, now, {}};
  }
}

Instant Manager::State::maintenance_due(const std::string& scope, const store::Maintenance& agreed) const {
  const auto seen = seen_maintenance.find(scope);
  if (agreed.left_ms == 0 || seen == seen_maintenance.end()) return never;
  const auto left = std::min<std::uint64_t>(agreed.left_ms, static_cast<std::uint64_t>(to_ms(age_every)));
  const auto due = seen->second.since + milliseconds(static_cast<std::int64_t>(left));
  return std::max(due, seen->second.ask_again);
}

std::optional<Duration> Manager::State::maintenance_left(const std::string& scope) const {
  const auto agreed = store.state().maintenance.find(scope);
  const auto seen = seen_maintenance.find(scope);
  if (agreed == store.state().maintenance.end() || agreed->second.left_ms == 0) return std::nullopt;
  if (seen == seen_maintenance.end()) return std::nullopt;
  constexpr std::uint64_t ms_max = std::uint64_t{1} << 40;  // 34 years
  const auto left = milliseconds(static_cast<std::int64_t>(std::min(agreed->second.left_ms, ms_max)));
  return std::max<Duration>(Duration::zero(), left - (now - seen->second.since));
}

void Manager::State::age_maintenance() {
  if (!may_decide()) return;
  std::vector<message::AgeMaintenance> due;
  for (const auto& [scope, agreed] : store.state().maintenance)
    if (now >= maintenance_due(scope, agreed))
      due.push_back({scope, agreed.version, static_cast<std::uint64_t>(to_ms(*maintenance_left(scope)))});
  for (auto& command : due) {
    seen_maintenance.at(command.scope).ask_again = now + age_again_after;
    propose(std::move(command));
  }
}

}  // namespace bascule::manager
