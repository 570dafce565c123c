#include "core/replication/detail/parts.h"

namespace bascule::replication::detail {

Parts::Parts(const Config& config, const std::optional<Restored>& restored, Instant now)
    : core(config, restored ? restored->superblock : drbd_metadata::Superblock{}, now),
      metadata(core),
      activity_log(core, metadata),
      attach(core, metadata, activity_log, restored),
      metadata_move(core, metadata, activity_log, attach),
      connector(core),
      handshake(core, metadata, metadata_move),
      keepalive(core),
      writes(core, metadata, activity_log),
      peer_writes(core, metadata, activity_log, writes),
      read_server(core),
      exchange(core, metadata, handshake),
      resync(core, metadata, handshake, writes, peer_writes),
      verify(core, metadata, handshake, writes),
      membership(core, metadata),
      state_changes(core, keepalive, exchange),
      agreement(core, metadata, handshake, exchange, membership, state_changes),
      fencing(core, metadata),
      role_change(core, metadata, activity_log, handshake, writes, peer_writes, state_changes, fencing) {}

}  // namespace bascule::replication::detail
