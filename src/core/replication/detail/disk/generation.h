#pragma once

#include "core/replication/detail/core.h"

/// Generation identifiers: who wrote what since when. Each function changes the superblock in memory only; the caller
/// lets Metadata write it. Rules: DRBD model facts, section 3.
namespace bascule::replication::detail {

/// Flags of the superblock that follow from states (section 2.7).
void refresh_flags(Core& core);
/// bitmap UUID = old current, current = new: from now on the bitmap tells how this node differs from the peer.
void new_generation(Core& core);
/// This node's UpToDate data is about to differ from the peer's, or may: a Primary (in Operator mode also a diskless
/// peer that is Primary) has no copy at the peer, and no generation has been made since they were equal. In a cluster
/// the peer must have left the in-sync set first; for an operator not while I/O is suspended.
bool new_generation_due(const Core& core);
/// A resync begins on the source: a new bitmap UUID, the old one goes to history.
void begin_resync_as_source(Core& core);
void end_resync_as_source(Core& core);
/// A resync begins on the target: it is between generations.
void begin_resync_as_target(Core& core, std::uint64_t sync_uuid);
/// The target now holds the generation of the source (as told in its UUIDs).
void end_resync_as_target(Core& core);
/// After a resync, or without one for two new replicas: the peer has this node's generations now, and does not say so.
void peer_has_the_same(Core& core);
/// Bit 0 of the current UUID says "is primary".
void mark_primary_bit(Core& core, bool primary);
drbd::UuidSet uuid_set_of(const drbd_metadata::Superblock& superblock);
void adopt(drbd_metadata::Superblock& superblock, const drbd::UuidSet& set);

}  // namespace bascule::replication::detail
