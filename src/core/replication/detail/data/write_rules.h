#pragma once

#include "core/replication/detail/data/write_entry.h"
#include "core/replication/detail/disk/metadata.h"

/// What the protocols A, B and C ask of a write, and who may be told that it is done.
namespace bascule::replication::detail {

/// The protocol under which a write that is sent now is complete: the configured one while this node keeps a copy of
/// its own, else C, since the peer's is the only one. The kernel's answers such a write when it is on its way; a
/// receiver goes by the flags of each write (protocol facts, section 7, write, steps 1 and 2).
drbd_config::Protocol protocol_of_writes(const Core& core);
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
/// The same of a flush that begins now: without a copy of its own nothing else is flushed, whatever the options say.
bool flush_needs_peer(const Core& core);
/// Nothing can be written now, and on-no-data-accessible says to wait.
bool waits_for_data(const Core& core);

}  // namespace bascule::replication::detail
