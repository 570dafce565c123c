#include "core/replication/detail/state/states.h"

#include <algorithm>
#include <array>

namespace bascule::replication::detail {
namespace {

using enum ConnectionState;

template <typename StateType>
struct Transition {
  StateType from;
  StateType to;
};

constexpr std::array<Transition<ConnectionState>, 48> connection_transitions{{
    {StandAlone, Unconnected},
    {Unconnected, WFConnection},
    {Unconnected, StandAlone},
    {WFConnection, WFReportParams},
    {WFReportParams, Connected},
    {WFReportParams, WFBitMapS},
    {WFReportParams, WFBitMapT},
    {Connected, WFBitMapS},
    {Connected, WFBitMapT},
    {Connected, StartingSyncS},
    {Connected, StartingSyncT},
    {StartingSyncS, SyncSource},
    {StartingSyncT, WFSyncUUID},
    {StartingSyncS, Connected},
    {Connected, SyncSource},  // the device has grown: the bitmaps need no exchange
    {Connected, WFSyncUUID},
    {WFBitMapS, SyncSource},
    {WFBitMapT, WFSyncUUID},
    {WFSyncUUID, SyncTarget},
    {SyncSource, Connected},
    {SyncTarget, Connected},
    // Congestion: the bitmap stands in for the data, and a resync follows.
    {SyncSource, PausedSyncS},
    {PausedSyncS, SyncSource},
    {PausedSyncS, Connected},
    {SyncTarget, PausedSyncT},
    {PausedSyncT, SyncTarget},
    {PausedSyncT, Connected},
    {Connected, VerifyS},
    {Connected, VerifyT},
    {VerifyS, Connected},
    {VerifyT, Connected},
    {Connected, Ahead},
    {Connected, Behind},
    {Ahead, SyncSource},
    {Behind, SyncTarget},
    {SyncSource, Ahead},
    {SyncTarget, Behind},
    // A state that says why the connection ended leads back to the start.
    {Timeout, Unconnected},
    {BrokenPipe, Unconnected},
    {NetworkFailure, Unconnected},
    {ProtocolError, Unconnected},
    {TearDown, Unconnected},
    {Timeout, Disconnecting},
    {BrokenPipe, Disconnecting},
    {NetworkFailure, Disconnecting},
    {ProtocolError, Disconnecting},
    {TearDown, Disconnecting},
    {Disconnecting, StandAlone},
}};

constexpr bool is_ending(ConnectionState state) {
  return state >= Disconnecting && state <= TearDown && state != Unconnected;
}

constexpr std::array<Transition<DiskState>, 27> disk_transitions{{
    {DiskState::Diskless, DiskState::Attaching},      {DiskState::Attaching, DiskState::Inconsistent},
    {DiskState::Attaching, DiskState::Outdated},      {DiskState::Attaching, DiskState::UpToDate},
    {DiskState::Inconsistent, DiskState::UpToDate},   {DiskState::Inconsistent, DiskState::Outdated},
    {DiskState::Outdated, DiskState::UpToDate},       {DiskState::Outdated, DiskState::Inconsistent},
    {DiskState::Consistent, DiskState::UpToDate},     {DiskState::Consistent, DiskState::Outdated},
    {DiskState::Consistent, DiskState::Inconsistent}, {DiskState::UpToDate, DiskState::Outdated},
    {DiskState::UpToDate, DiskState::Inconsistent},   {DiskState::Attaching, DiskState::Failed},
    {DiskState::Inconsistent, DiskState::Failed},     {DiskState::Outdated, DiskState::Failed},
    {DiskState::Consistent, DiskState::Failed},       {DiskState::UpToDate, DiskState::Failed},
    {DiskState::Failed, DiskState::Diskless},         {DiskState::Attaching, DiskState::Consistent},
    {DiskState::Attaching, DiskState::Negotiating},   {DiskState::Negotiating, DiskState::Diskless},
    {DiskState::Negotiating, DiskState::UpToDate},    {DiskState::Negotiating, DiskState::Consistent},
    {DiskState::Negotiating, DiskState::Outdated},    {DiskState::Negotiating, DiskState::Inconsistent},
    {DiskState::Negotiating, DiskState::Failed},
}};

}  // namespace

bool allowed(ConnectionState from, ConnectionState to) {
  // A connection that is being made or stands may end for any reason at any time.
  if (from >= WFConnection && is_ending(to)) return true;
  return std::any_of(connection_transitions.begin(), connection_transitions.end(),
                     [&](const auto& row) { return row.from == from && row.to == to; });
}

bool allowed(DiskState from, DiskState to) {
  return std::any_of(disk_transitions.begin(), disk_transitions.end(),
                     [&](const auto& row) { return row.from == from && row.to == to; });
}

}  // namespace bascule::replication::detail
