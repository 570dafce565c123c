#include "runtime/sim/consensus/profile.h"

namespace bascule::sim {

const std::vector<Profile>& profiles() {
  static const std::vector<Profile> all = {
      {.name = "tcp"},
      {.name = "udp", .transport = Transport::Datagram},
      {.name = "snapshots", .snapshots = true},
      {.name = "snapshots+udp", .transport = Transport::Datagram, .snapshots = true},
      {.name = "members", .transport = Transport::Datagram, .snapshots = true, .members = true},
      {.name = "disk", .snapshots = true, .disk_faults = true},
      {.name = "clocks", .transport = Transport::Datagram, .clocks = true},
      {.name = "two-nodes", .transport = Transport::Datagram, .snapshots = true, .two_nodes = true},
  };
  return all;
}

std::optional<Profile> profile_named(std::string_view name) {
  for (const auto& profile : profiles())
    if (profile.name == name) return profile;
  return std::nullopt;
}

}  // namespace bascule::sim
