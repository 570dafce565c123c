// Cluster properties, with Pacemaker's defaults.
#include <algorithm>
#include <charconv>

#include "core/policy/detail/steps.h"
#include "core/policy/detail/words.h"
#include "wire/cib/times.h"

namespace bascule::policy::detail {
namespace {

std::int64_t duration_ms(const Meta& all, std::string_view name, std::int64_t otherwise_ms) {
  const auto found = all.find(name);
  if (found == all.end()) return otherwise_ms;
  const auto parsed = cib::parse_interval_ms(found->second);
  return parsed ? static_cast<std::int64_t>(*parsed) : otherwise_ms;
}

std::string word(const Meta& all, std::string_view name, std::string_view otherwise) {
  const auto found = all.find(name);
  return std::string(found == all.end() ? otherwise : std::string_view(found->second));
}

NoQuorumPolicy no_quorum_policy(const Properties& properties, bool panics) {
  const std::string policy = word(properties.all, "no-quorum-policy", "stop");
  if (policy == "ignore") return NoQuorumPolicy::ignore;
  if (policy == "freeze") return NoQuorumPolicy::freeze;
  if (policy == "demote") return NoQuorumPolicy::demote;
  if (policy != "suicide" || !properties.fencing) return NoQuorumPolicy::stop;
  // A partition that never had quorum has nothing to lose.
  return panics || properties.have_quorum ? NoQuorumPolicy::suicide : NoQuorumPolicy::stop;
}

PlacementStrategy placement_strategy(const std::string& word) {
  if (word == "utilization") return PlacementStrategy::utilization;
  if (word == "minimal") return PlacementStrategy::minimal;
  if (word == "balanced") return PlacementStrategy::balanced;
  return PlacementStrategy::standard;
}

void read_fencing(Properties& properties) {
  const Meta& all = properties.all;
  properties.fencing = flag(all, "stonith-enabled", true);
  properties.fencing_action = word(all, "stonith-action", "reboot");
  if (properties.fencing_action == "poweroff") properties.fencing_action = "off";
  properties.fencing_timeout_ms = duration_ms(all, "stonith-timeout", 60'000);
  properties.concurrent_fencing = flag(all, "concurrent-fencing", false);
  properties.startup_fencing = properties.fencing && flag(all, "startup-fencing", true);
  properties.priority_fencing_delay_ms = duration_ms(all, "priority-fencing-delay", 0);
  properties.watchdog_fencing =
      flag(all, "have-watchdog", false) && duration_ms(all, "stonith-watchdog-timeout", 0) > 0;
  // A watchdog counts as a device, whether or not it is to be relied on.
  properties.have_fencing_device = flag(all, "have-watchdog", false);
}

}  // namespace

bool truth(std::string_view word) {
  std::string lower(word);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower == "true" || lower == "on" || lower == "yes" || lower == "y" || lower == "1";
}

void read_properties(Board& board) {
  Properties& properties = board.properties;
  const cib::Cib& cib = *board.snapshot.cib;
  properties.all = resolve_properties(board);
  const Meta& all = properties.all;
  properties.have_quorum = truth(cib::value_of(cib.attributes, "have-quorum"));
  properties.symmetric = flag(all, "symmetric-cluster", true);
  read_fencing(properties);
  properties.no_quorum = no_quorum_policy(properties, truth(cib::value_of(cib.attributes, "no-quorum-panic")));
  properties.startup_probes = flag(all, "enable-startup-probes", true);
  properties.maintenance = flag(all, "maintenance-mode", false);
  properties.stop_everything = flag(all, "stop-all-resources", false);
  properties.stop_orphans = flag(all, "stop-orphan-resources", true);
  properties.cancel_orphan_actions = flag(all, "stop-orphan-actions", true);
  properties.remove_after_stop = flag(all, "remove-after-stop", false);
  properties.start_failure_fatal = flag(all, "start-failure-is-fatal", true);
  properties.shutdown_lock = flag(all, "shutdown-lock", false);
  properties.shutdown_lock_limit_s = duration_ms(all, "shutdown-lock-limit", 0) / 1000;
  properties.placement = placement_strategy(word(all, "placement-strategy", "default"));
  properties.cluster_delay_ms = duration_ms(all, "cluster-delay", 60'000);
  properties.health_strategy = word(all, "node-health-strategy", "none");
}

}  // namespace bascule::policy::detail
