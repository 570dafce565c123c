// The machine by itself: configuration, key, kernel, watchdog, clock, and who else manages it.
#include <fmt/format.h>

#include <cstdlib>

#include "edge/doctor/detail/checks.h"

namespace bascule::doctor::detail {
namespace {

constexpr std::int64_t clocks_differ_by_ms = 10'000;

void check_config(const Facts& facts, Report& report) {
  if (!facts.config_error.empty())
    return report.bad("config", facts.config_file, facts.config_error, "no daemon starts", "bascule config check");
  if (facts.config->node(facts.node) == nullptr)
    return report.bad("config", facts.config_file, "it has no node " + facts.node, "this machine is not in the cluster",
                      "bascule doctor --node NAME, and BASCULE_NODE in /etc/default/bascule");
  report.fine("config", facts.config_file,
              fmt::format("{} nodes, {} volumes, {} services; fingerprint {}, the same on every node?",
                          facts.config->nodes.size(), facts.config->volumes.size(), facts.config->services.size(),
                          facts.config_fingerprint));
}

void check_key(const Facts& facts, Report& report) {
  if (facts.config && !facts.config->key_file)
    return report.warn("key", "", "key_file = \"none\"", "whoever can send from a node's address is believed",
                       "bascule key create, and take key_file out of " + facts.config_file);
  if (!facts.key) return;
  const KeyFacts& key = *facts.key;
  if (!key.unusable.empty())
    return report.bad("key", key.path, key.unusable, "bascule-managerd does not start",
                      key.unusable.find("others than its owner") != std::string::npos
                          ? "chmod 600 " + key.path
                          : "bascule key create " + key.path + " on one node, then copy it to the others");
  std::string known;
  for (const auto& [id, fingerprint] : key.fingerprints)
    known += fmt::format("{}key {} is {}", known.empty() ? "" : ", ", id, fingerprint);
  report.fine("key", key.path, fmt::format("{}; {} is used. The same on every node?", known, key.sending));
}

void check_equal(const Facts& facts, Report& report) {
  for (const auto& other : facts.compared) {
    const bool same_config = other.config_fingerprint == facts.config_fingerprint;
    const bool same_keys = !facts.key || other.keys == facts.key->fingerprints;
    if (!same_config)
      report.bad("equal", other.node, "its cluster.toml is another one", "two nodes decide by different rules",
                 "scp " + facts.config_file + " " + other.node + ":" + facts.config_file);
    if (!same_keys)
      report.bad("equal", other.node, "its keys are others", "the managers do not understand each other",
                 "scp " + facts.key->path + " " + other.node + ":" + facts.key->path);
    if (same_config && same_keys) report.fine("equal", other.node, "the same configuration and keys");
  }
}

void check_feature(const char* name, const std::string& missing, const char* why, const char* mend, Report& report) {
  if (missing.empty())
    report.fine("kernel", name, "it is there");
  else
    report.bad("kernel", name, missing, why, mend);
}

void check_kernel(const Facts& facts, Report& report) {
  if (role_of(facts) != config::NodeRole::data) return;
  check_feature("io_uring", facts.kernel.io_uring, "bascule-blockd does not start",
                "sysctl -w kernel.io_uring_disabled=0", report);
  check_feature("FUSE", facts.kernel.fuse, "a volume has no block device", "modprobe fuse", report);
  check_feature("loop", facts.kernel.loop, "a volume has no block device", "modprobe loop", report);
  check_feature("nftables", facts.kernel.nftables, "service addresses cannot be guarded",
                "modprobe nf_tables && apt install nftables", report);
  check_feature("cgroup 2", facts.kernel.cgroup2, "processes of services are followed less surely",
                "boot without systemd.unified_cgroup_hierarchy=0", report);
}

void check_watchdog(const Facts& facts, Report& report) {
  if (role_of(facts) != config::NodeRole::data) return;
  const auto& watchdog = facts.watchdog;
  if (watchdog.devices.empty())
    return report.warn("watchdog", "", "there is no watchdog device",
                       "a machine that hangs with mounted volumes is not reset",
                       "modprobe softdog && echo softdog >/etc/modules-load.d/watchdog.conf");
  const std::string& device = watchdog.devices.front();
  if (!watchdog.holder.empty() && watchdog.holder != "bascule-watchdo" && watchdog.holder != "bascule-watchdogd")
    return report.bad("watchdog", device, watchdog.holder + " has it open",
                      "bascule-watchdogd cannot use it, and a hang of the cluster's programs alone resets nothing",
                      watchdog.holder == "systemd" ? "set RuntimeWatchdogSec=off in /etc/systemd/system.conf"
                                                   : "systemctl disable --now " + watchdog.holder);
  if (watchdog.identity == "Software Watchdog")
    return report.fine("watchdog", device, "softdog: it resets a hung machine as long as its kernel runs");
  report.fine("watchdog", device, watchdog.identity.empty() ? "it is there" : watchdog.identity);
}

/// Clocks decide nothing here, but logs and certificates of services go by them.
void check_clocks_of_others(const Facts& facts, Report& report) {
  for (const auto& [node, ahead_ms] : facts.clock_ahead_ms) {
    if (std::abs(ahead_ms) < clocks_differ_by_ms) continue;
    report.warn("clock", node,
                fmt::format("its clock is {} s {} the one here", std::abs(ahead_ms) / 1000,
                            ahead_ms > 0 ? "ahead of" : "behind"),
                "logs of the nodes do not fit together (leases do not use it)",
                "date, and apt install chrony, on both");
  }
}

void check_clock(const Facts& facts, Report& report) {
  check_clocks_of_others(facts, report);
  if (!facts.clock_synchronised) return;
  if (*facts.clock_synchronised) return report.fine("clock", "", "it is synchronised");
  report.warn("clock", "", "it is not synchronised", "logs of the nodes do not fit together (leases do not use it)",
              "apt install chrony");
}

void check_others(const Facts& facts, Report& report) {
  for (const auto& other : facts.other_managers)
    report.bad("others", other, "it runs on this machine", "two managers start and stop the same things",
               "systemctl disable --now " + (other == "pacemakerd" ? std::string("pacemaker") : other));
  if (facts.other_managers.empty()) report.fine("others", "", "no other cluster manager runs here");
}

}  // namespace

void check_machine(const Facts& facts, Report& report) {
  check_config(facts, report);
  check_key(facts, report);
  check_equal(facts, report);
  check_kernel(facts, report);
  check_watchdog(facts, report);
  check_clock(facts, report);
  check_others(facts, report);
}

}  // namespace bascule::doctor::detail
