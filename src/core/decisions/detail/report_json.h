#pragma once

#include <nlohmann/json.hpp>

#include "wire/cluster_message/message.h"

/// Reports of nodes as JSON, by the names of their members; reading throws the library's exceptions.
namespace bascule::message {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(StepReport, name, state, start_ms, stop_ms, warning)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ServiceReport, name, epoch, state, why, steps)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(VolumeReport, name, epoch, attached, role, connection, disk, peer_disk, just_created,
                                   size_bytes, out_of_sync_bytes, resync_done_bytes, resync_total_bytes,
                                   writes_acknowledged, writes_held, device, why)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(NodeReport, node, incarnation, sent_at_ns, applied_index, services, volumes)

}  // namespace bascule::message
