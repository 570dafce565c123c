#pragma once

#include <optional>

#include "core/replication/detail/agreement.h"
#include "core/replication/detail/attach.h"
#include "core/replication/detail/fencing.h"
#include "core/replication/detail/keepalive.h"
#include "core/replication/detail/read_server.h"
#include "core/replication/detail/resync.h"
#include "core/replication/detail/role_change.h"
#include "core/replication/detail/state_changes.h"
#include "core/replication/detail/verify.h"

namespace bascule::replication::detail {

/// All machines of one engine, in the order in which they are made. They meet in the facts of Core.
struct Parts {
  Parts(const Config& config, const std::optional<Restored>& restored, Instant now);

  Core core;
  Metadata metadata;
  ActivityLog activity_log;
  Attach attach;
  MetadataMove metadata_move;
  Connector connector;
  Handshake handshake;
  Keepalive keepalive;
  Writes writes;
  PeerWrites peer_writes;
  ReadServer read_server;
  BitmapExchange exchange;
  Resync resync;
  Verify verify;
  Membership membership;
  StateChanges state_changes;
  Agreement agreement;
  Fencing fencing;
  RoleChange role_change;
};

}  // namespace bascule::replication::detail
