#pragma once

#include <optional>

#include "core/replication/detail/data/read_server.h"
#include "core/replication/detail/disk/attach.h"
#include "core/replication/detail/resync/resync.h"
#include "core/replication/detail/resync/verify.h"
#include "core/replication/detail/session/agreement.h"
#include "core/replication/detail/session/keepalive.h"
#include "core/replication/detail/state/fencing.h"
#include "core/replication/detail/state/role_change.h"
#include "core/replication/detail/state/state_changes.h"

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
