#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace bascule::drbd {

/// Numbers as in 8.4; they travel in the state word.
enum class Role : std::uint8_t { Unknown = 0, Primary = 1, Secondary = 2 };

/// 8.4 numbering (a version 110 peer inserts Detaching at 2; such a peer converts when it agrees on 100 or 101).
enum class DiskState : std::uint8_t {
  Diskless = 0,
  Attaching = 1,
  Failed = 2,
  Negotiating = 3,
  Inconsistent = 4,
  Outdated = 5,
  DUnknown = 6,
  Consistent = 7,
  UpToDate = 8,
};

enum class ConnectionState : std::uint8_t {
  StandAlone = 0,
  Disconnecting = 1,
  Unconnected = 2,
  Timeout = 3,
  BrokenPipe = 4,
  NetworkFailure = 5,
  ProtocolError = 6,
  TearDown = 7,
  WFConnection = 8,
  WFReportParams = 9,
  Connected = 10,
  StartingSyncS = 11,
  StartingSyncT = 12,
  WFBitMapS = 13,
  WFBitMapT = 14,
  WFSyncUUID = 15,
  SyncSource = 16,
  SyncTarget = 17,
  VerifyS = 18,
  VerifyT = 19,
  PausedSyncS = 20,
  PausedSyncT = 21,
  Ahead = 22,
  Behind = 23,
};

/// The spelling operators see: "UpToDate", "WFBitMapS". Never fails; a number outside the enum gives "?".
const char* name_of(Role role);
const char* name_of(DiskState disk);
const char* name_of(ConnectionState connection);

/// The 32-bit state word of P_STATE, seen from its sender.
struct StateWord {
  Role role = Role::Secondary;
  Role peer = Role::Unknown;
  ConnectionState connection = ConnectionState::StandAlone;
  DiskState disk = DiskState::Diskless;
  DiskState peer_disk = DiskState::DUnknown;
  bool suspended = false;                    ///< I/O suspended by the administrator
  bool resync_paused_by_dependency = false;  ///< aftr_isp
  bool resync_paused_by_peer = false;        ///< peer_isp
  bool resync_paused_by_user = false;        ///< user_isp
  bool suspended_no_data = false;            ///< susp_nod
  bool suspended_fencing = false;            ///< susp_fen
  bool suspended_no_quorum = false;          ///< DRBD 9 only
  std::uint8_t reserved_bits = 0;            ///< bits 24..31, kept as received

  friend bool operator==(const StateWord&, const StateWord&) = default;
  /// One line for logs: "ro:Primary/Secondary cs:Connected ds:UpToDate/UpToDate".
  [[nodiscard]] std::string text() const;
};

/// The fields of the state word as a (mask, value) pair of P_STATE_CHG_REQ can select them.
struct StateField {
  std::uint32_t shift;
  std::uint32_t mask;  ///< already shifted
};
inline constexpr StateField kRoleField{0, 0x3};
inline constexpr StateField kPeerField{2, 0xc};
inline constexpr StateField kConnectionField{4, 0x1f0};
inline constexpr StateField kDiskField{9, 0x1e00};
inline constexpr StateField kPeerDiskField{13, 0x1e000};

/// Errors: a role, connection or disk number that 8.4 does not know.
Result<StateWord> decode_state(std::uint32_t word);
std::uint32_t encode_state(const StateWord& state);
/// The state after a change request; errors as decode_state. `mask` and `value` in the viewpoint of `state`'s owner.
Result<StateWord> apply_change(const StateWord& state, std::uint32_t mask, std::uint32_t value);
/// A change request turned to the other side's view: role and peer swapped, disk and peer disk swapped, StartingSyncS
/// <-> StartingSyncT, Disconnecting -> TearDown, VerifyS -> VerifyT (when the mask selects the connection state).
struct StateChange {
  std::uint32_t mask = 0;
  std::uint32_t value = 0;
  friend bool operator==(const StateChange&, const StateChange&) = default;
};
StateChange mirror(const StateChange& change);

/// Answers to a state change request (SS_*): 1 and above is success.
enum class StateChangeResult : std::int32_t {
  NoClusterChangeNeeded = 4,
  ClusterSuccess = 3,
  NothingToDo = 2,
  Success = 1,
  Unknown = 0,
  TwoPrimaries = -1,
  NoUpToDateDisk = -2,
  NoLocalDisk = -4,
  NoRemoteDisk = -5,
  ConnectedOutdates = -6,
  PrimaryNotOutdated = -7,
  ResyncRunning = -8,
  AlreadyStandAlone = -9,
  RefusedByPeer = -10,
  IsDiskless = -11,
  DeviceInUse = -12,
  NoNetworkConfiguration = -13,
  NoVerifyAlgorithm = -14,
  NeedConnection = -15,
  LowerThanOutdated = -16,
  NotSupported = -17,
  InTransientState = -18,
  ConcurrentStateChange = -19,
  PeerPrimaryOtherVolume = -20,
  OutdateNeedsConnection = -21,
};

}  // namespace bascule::drbd
