#pragma once

#include <string>

#include "wire/drbd/packets.h"
#include "wire/drbd_config/options.h"

namespace bascule::replication::detail {

/// The options that both nodes must have alike, as packets, and what is wrong when they have not (protocol facts,
/// section 5). Each refusal names both values; empty: they agree.
drbd::Protocol protocol_of(const drbd_config::Net& net, bool discard_my_data, bool tentative);
std::string protocol_mismatch(const drbd::Protocol& own, const drbd::Protocol& peer);

drbd::SyncParam sync_param_of(const drbd_config::Options& options);
std::string sync_param_mismatch(const drbd::SyncParam& own, const drbd::SyncParam& peer);
/// The peer has changed its options while connected: they count here too, as in DRBD.
void take_sync_param(drbd_config::Options& options, const drbd::SyncParam& peer);

}  // namespace bascule::replication::detail
