#include "core/reconfiguration/definition.h"

#include <fmt/format.h>

namespace bascule::reconfiguration {

bool needs_restart(const config::Service& from, const config::Service& to) {
  config::Service same = from;
  same.preferred_node = to.preferred_node;
  same.stickiness = to.stickiness;
  same.autostart = to.autostart;
  same.migration_threshold = to.migration_threshold;
  same.after = to.after;
  same.with = to.with;
  same.apart = to.apart;
  same.notify = to.notify;
  same.keeps_without_quorum = to.keeps_without_quorum;
  if (same.copy && to.copy && same.copy->node == to.copy->node) same.copy = to.copy;  // others came or went
  if (same.steps.size() != to.steps.size()) return true;
  for (std::size_t i = 0; i < same.steps.size(); ++i) {
    auto& step = same.steps[i];
    const auto& other = to.steps[i];
    step.start_timeout = other.start_timeout;
    step.stop_timeout = other.stop_timeout;
    step.monitor_timeout = other.monitor_timeout;
    step.notify_timeout = other.notify_timeout;
    // A monitor that begins or ends to recur is scheduled by the start.
    const bool both_recur = step.monitor_interval > Duration{} && other.monitor_interval > Duration{};
    if (both_recur) step.monitor_interval = other.monitor_interval;
  }
  return same != to;
}

std::string reason_not_to_follow(const config::ClusterConfig& from, const config::ClusterConfig& to) {
  const auto fixed = [](const char* key) {
    return fmt::format("cluster.{} cannot change while the managers run: two of them must never go by different ones",
                       key);
  };
  if (from.name != to.name) return fixed("name");
  if (from.port != to.port) return fixed("port");
  if (from.key_file != to.key_file) return fixed("key_file");
  const auto& a = from.timing;
  const auto& b = to.timing;
  if (a.heartbeat != b.heartbeat) return fixed("heartbeat_ms");
  if (a.election_min != b.election_min) return fixed("election_min_ms");
  if (a.election_max != b.election_max) return fixed("election_max_ms");
  if (a.lease != b.lease) return fixed("lease_ms");
  if (a.lease_margin != b.lease_margin) return fixed("lease_margin_ms");
  if (a.restart_lease != b.restart_lease) return fixed("restart_lease_ms");
  return {};
}

}  // namespace bascule::reconfiguration
