#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/consensus/config.h"
#include "runtime/sim/network.h"

namespace bascule::sim {

/// What a seed may meet. Everything is still drawn per seed within these limits.
struct Profile {
  std::string_view name;
  Transport transport = Transport::Stream;
  bool snapshots = false;    ///< small logs, snapshots in many pieces
  bool members = false;      ///< servers are added, promoted, demoted, removed
  bool disk_faults = false;  ///< write and flush errors, full disks
  bool clocks = false;       ///< drift as large as the margin allows, pauses longer than the lease
  bool two_nodes = false;    ///< two servers that go on alone when they have really killed the other
};

/// tcp, udp, snapshots, snapshots+udp, members, disk, clocks, two-nodes.
[[nodiscard]] const std::vector<Profile>& profiles();
[[nodiscard]] std::optional<Profile> profile_named(std::string_view name);

}  // namespace bascule::sim
