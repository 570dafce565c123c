#include "core/replication/detail/data/write_rules.h"

namespace bascule::replication::detail {

using drbd_config::OnNoDataAccessible;
using drbd_config::Protocol;

Protocol protocol_of_writes(const Core& core) {
  if (core.canary_set(canary::kAcknowledgeOnceSent)) return Protocol::A;
  return core.keeps_own_copy() ? core.config.options.net.protocol : Protocol::C;
}

WriteEntry::Remote enough_for(Protocol protocol) {
  switch (protocol) {
    case Protocol::A:
      return WriteEntry::Remote::Sent;
    case Protocol::B:
      return WriteEntry::Remote::Received;
    case Protocol::C:
      break;
  }
  return WriteEntry::Remote::Written;
}

bool remote_pending(const WriteEntry& entry) {
  using Remote = WriteEntry::Remote;
  return (entry.remote == Remote::Sent || entry.remote == Remote::Received) && entry.remote < entry.enough;
}

bool remote_satisfied(const WriteEntry& entry) {
  using Remote = WriteEntry::Remote;
  return entry.remote != Remote::None && entry.remote != Remote::Retry && entry.remote >= entry.enough;
}

bool went_on_alone(const Core& core, const Metadata& metadata) {
  const bool told = core.superblock.bitmap_uuid != 0 && metadata.superblock_durable();
  if (core.operator_rules() && core.suspended()) return false;
  const bool connected = core.session.open && !core.dropping && is_connected(core.connection);
  if (core.operator_rules() && core.canary_set(canary::kKeepGeneration)) return true;
  if (core.operator_rules()) return told || (connected && core.peer.disk >= DiskState::Inconsistent);
  if (core.in_sync.peer_counts()) return false;
  // Ahead of a connected peer that has left the set: the bits tell the difference, no new generation does.
  return told || (connected && core.connection == ConnectionState::Ahead);
}

bool flush_asks_peer(const Core& core) {
  return core.config.flush_waits_for_peer && core.config.options.net.protocol == Protocol::C;
}

bool flush_needs_peer(const Core& core) { return flush_asks_peer(core) || !core.keeps_own_copy(); }

bool waits_for_data(const Core& core) {
  return core.config.authority == Authority::Operator &&
         core.config.options.resource.on_no_data_accessible == OnNoDataAccessible::suspend_io;
}

}  // namespace bascule::replication::detail
