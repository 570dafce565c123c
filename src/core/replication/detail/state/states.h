#pragma once

#include <span>

#include "wire/drbd/state.h"

namespace bascule::replication::detail {

using drbd::ConnectionState;
using drbd::DiskState;
using drbd::Role;

/// May the connection state go from one to the other? The table is DRBD 8.4's (model facts, connection transitions)
/// reduced to the states this engine enters.
bool allowed(ConnectionState from, ConnectionState to);
bool allowed(DiskState from, DiskState to);

/// A peer's packets have been agreed on, and data may flow.
constexpr bool is_connected(ConnectionState state) { return state >= ConnectionState::Connected; }
/// Between the decision to resync and its end.
constexpr bool is_resyncing(ConnectionState state) { return state > ConnectionState::Connected; }
/// This node's data is about to be, or being, replaced.
constexpr bool is_target(ConnectionState state) {
  return state == ConnectionState::StartingSyncT || state == ConnectionState::WFBitMapT ||
         state == ConnectionState::WFSyncUUID || state == ConnectionState::SyncTarget ||
         state == ConnectionState::PausedSyncT;
}
/// A resync runs, or is held back.
constexpr bool is_syncing(ConnectionState state) {
  return state == ConnectionState::SyncSource || state == ConnectionState::SyncTarget ||
         state == ConnectionState::PausedSyncS || state == ConnectionState::PausedSyncT;
}
constexpr bool is_verifying(ConnectionState state) {
  return state == ConnectionState::VerifyS || state == ConnectionState::VerifyT;
}

}  // namespace bascule::replication::detail
