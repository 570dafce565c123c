#pragma once

#include "core/replication/detail/data/write_entry.h"
#include "core/replication/detail/disk/metadata.h"

/// What the protocols A, B and C ask of a write, and who may be told that it is done.
namespace bascule::replication::detail {

/// The peer must send a WRITE_ACK: protocol C, or a write that may end a block's resync.
bool asks_write_ack(const Core& core, bool may_set_in_sync);
/// What must be known of the peer before a write is complete (protocol facts, section 7, write, step 4).
WriteEntry::Remote enough_for(drbd_config::Protocol protocol);
/// Something that the protocol waits for has not come from the peer yet.
bool remote_pending(const WriteEntry& entry);
/// The peer has the write as far as the protocol asks.
bool remote_satisfied(const WriteEntry& entry);
/// No member of the set lacks what only this node has, and the generation tells that we went on alone. With
/// Authority::Operator there is no set: DRBD's new generation is all.
bool went_on_alone(const Core& core, const Metadata& metadata);
/// The application's flush is complete when the peer has flushed too. The kernel's never asks.
bool flush_asks_peer(const Core& core);
/// Nothing can be written now, and on-no-data-accessible says to wait.
bool waits_for_data(const Core& core);

}  // namespace bascule::replication::detail
