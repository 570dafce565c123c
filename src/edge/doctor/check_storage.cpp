// Disks of volumes, and the directory of the consensus log.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "edge/doctor/detail/checks.h"

namespace bascule::doctor::detail {
namespace {

constexpr std::uint64_t free_bytes_bad = 64ULL << 20, free_bytes_low = 512ULL << 20;
constexpr std::uint64_t sizes_differ_by = 1 << 20;

bool has_drbd(const DiskFacts& disk) {
  return std::any_of(disk.holders.begin(), disk.holders.end(),
                     [](const std::string& holder) { return holder.starts_with("drbd"); });
}

void check_disk_use(const DiskFacts& disk, Report& report) {
  if (!disk.mounted_on.empty())
    return report.bad("disk", disk.path, "it is mounted on " + disk.mounted_on.front(),
                      "volume " + disk.volume + " cannot have it", "umount " + disk.mounted_on.front());
  if (has_drbd(disk))
    return report.bad("disk", disk.path, "the kernel's DRBD has it as " + disk.holders.front(),
                      "volume " + disk.volume + " cannot have it", "drbdadm down all && modprobe -r drbd");
  if (!disk.holders.empty())
    return report.bad("disk", disk.path, fmt::format("{} is made of it", fmt::join(disk.holders, ", ")),
                      "volume " + disk.volume + " cannot have it", "lsblk " + disk.path);
  if (disk.in_use)
    return report.bad("disk", disk.path, "another program has it open", "volume " + disk.volume + " cannot have it",
                      "fuser -v " + disk.path);
  if (disk.has_metadata == false && !disk.foreign.empty())
    return report.bad("disk", disk.path, "it is no volume yet, and has a " + disk.foreign,
                      "bascule-blockd of " + disk.volume + " does not start",
                      "bascule volume create " + disk.volume + " --force, when nothing of it is wanted");
  if (disk.has_metadata == false)
    return report.bad("disk", disk.path, "it is no volume yet", "bascule-blockd of " + disk.volume + " does not start",
                      "bascule volume create " + disk.volume);
  if (!disk.daemon_runs)
    return report.warn("disk", disk.path, "nothing uses it", "bascule-blockd of " + disk.volume + " does not run",
                       "systemctl start bascule-blockd@" + disk.volume);
  report.fine("disk", disk.path, fmt::format("volume {}, {}", disk.volume, disk.connection));
}

void check_disk(const DiskFacts& disk, Report& report) {
  if (!disk.missing.empty())
    return report.bad("disk", disk.path, disk.missing, "volume " + disk.volume + " has no disk here",
                      "bascule volume create " + disk.volume);
  if (disk.wanted_bytes != 0 && disk.bytes < disk.wanted_bytes)
    report.bad("disk", disk.path,
               fmt::format("it has {} bytes, and volume {} wants {}", disk.bytes, disk.volume, disk.wanted_bytes),
               "the volume does not fit", "lvextend or truncate --size, or a smaller size in cluster.toml");
  if (disk.peer_bytes != 0 && disk.usable_bytes != 0 &&
      std::max(disk.peer_bytes, disk.usable_bytes) - std::min(disk.peer_bytes, disk.usable_bytes) > sizes_differ_by)
    report.warn("disk", disk.path,
                fmt::format("it could hold {} bytes, the peer's {}", disk.usable_bytes, disk.peer_bytes),
                "the volume is as large as the smaller one", "bascule volume resize " + disk.volume);
  check_disk_use(disk, report);
}

void check_sync(const Facts& facts, Report& report) {
  const auto& state = facts.state;
  if (!state.sync_median || !state.sync_worst) return;
  const config::Timing timing = facts.config ? facts.config->timing : config::Timing{};
  const std::string found = fmt::format("a write is durable after {:.1f} ms, at worst {:.1f} ms",
                                        static_cast<double>(state.sync_median->count()) / 1e6,
                                        static_cast<double>(state.sync_worst->count()) / 1e6);
  const std::string mend = "another disk for " + state.path + ", or larger election_min_ms and lease_ms";
  if (*state.sync_median > timing.election_min)
    return report.bad(
        "state", state.path, found,
        fmt::format("each change of the cluster waits longer than an election ({} ms)", to_ms(timing.election_min)),
        mend);
  if (*state.sync_median > timing.heartbeat || *state.sync_worst > timing.election_min)
    return report.warn("state", state.path, found,
                       fmt::format("a heartbeat takes {} ms: a takeover waits for the disk", to_ms(timing.heartbeat)),
                       mend);
  report.fine("state", state.path, found);
}

void check_state(const Facts& facts, Report& report) {
  const auto& state = facts.state;
  if (!state.missing.empty())
    return report.bad("state", state.path, state.missing, "the consensus log cannot be kept", "mkdir -p " + state.path);
  const std::string space = fmt::format("{} MiB are free", state.free_bytes >> 20);
  if (state.free_bytes < free_bytes_bad)
    report.bad("state", state.path, space, "a full disk ends bascule-managerd", "df " + state.path);
  else if (state.free_bytes < free_bytes_low)
    report.warn("state", state.path, space, "a full disk ends bascule-managerd", "df " + state.path);
  else
    report.fine("state", state.path, space);
  check_sync(facts, report);
}

}  // namespace

void check_storage(const Facts& facts, Report& report) {
  for (const auto& disk : facts.disks) check_disk(disk, report);
  if (facts.drbd_module && !std::any_of(facts.disks.begin(), facts.disks.end(), has_drbd))
    report.warn("drbd", "", "the kernel's DRBD is loaded", "its resources may want the same ports and disks",
                "drbdadm down all && modprobe -r drbd");
  check_state(facts, report);
}

}  // namespace bascule::doctor::detail
