#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "core/replication/engine.h"
#include "wire/drbd/packets.h"

namespace bascule::block_host {

/// What the driver knows beside the engine.
struct HostFacts {
  std::string volume, self, peer;
  std::string disk;       ///< as configured; empty: this node has none
  std::string meta_disk;  ///< as DRBD's configuration says it: "internal", "/dev/sdc1", "/dev/sdc1[0]"
  std::string device;     ///< "/dev/loop3" or empty
  std::string nbd;        ///< path of the export's socket
  std::size_t nbd_clients = 0;
  std::uint64_t in_sync_version = 0;
  std::uint64_t failed_io = 0;            ///< requests of applications answered with an error
  std::uint64_t writes_withheld = 0;      ///< done, but the lease ended before they were answered
  std::string attach_failure;             ///< why there is no block device
  std::optional<drbd::Uuids> peer_uuids;  ///< what the peer last said about its data, also after the connection ended
  bool operator_decides = false;
  bool encrypted = false;  ///< what goes to the peer
  std::uint32_t minor = 0;
};

/// The `state` object of the control socket (docs/architecture.md, Control of blockd).
[[nodiscard]] nlohmann::json state_report(const replication::Status& status, const HostFacts& facts);

/// The same without its counters: when this changes, listeners are told at once.
[[nodiscard]] nlohmann::json without_counters(nlohmann::json report);

}  // namespace bascule::block_host
