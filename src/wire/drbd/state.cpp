#include "wire/drbd/state.h"

#include <fmt/format.h>

namespace bascule::drbd {
namespace {

constexpr std::uint32_t kConnectionCount = 24;
constexpr std::uint32_t kDiskCount = 9;
constexpr std::uint32_t kRoleCount = 3;

constexpr const char* kConnectionNames[kConnectionCount] = {
    "StandAlone",    "Disconnecting", "Unconnected",  "Timeout",        "BrokenPipe", "NetworkFailure",
    "ProtocolError", "TearDown",      "WFConnection", "WFReportParams", "Connected",  "StartingSyncS",
    "StartingSyncT", "WFBitMapS",     "WFBitMapT",    "WFSyncUUID",     "SyncSource", "SyncTarget",
    "VerifyS",       "VerifyT",       "PausedSyncS",  "PausedSyncT",    "Ahead",      "Behind"};
constexpr const char* kDiskNames[kDiskCount] = {"Diskless", "Attaching", "Failed",     "Negotiating", "Inconsistent",
                                                "Outdated", "DUnknown",  "Consistent", "UpToDate"};
constexpr const char* kRoleNames[kRoleCount] = {"Unknown", "Primary", "Secondary"};

constexpr std::uint32_t kSuspendedBit = 1U << 17;
constexpr std::uint32_t kDependencyBit = 1U << 18;
constexpr std::uint32_t kPeerPauseBit = 1U << 19;
constexpr std::uint32_t kUserPauseBit = 1U << 20;
constexpr std::uint32_t kNoDataBit = 1U << 21;
constexpr std::uint32_t kFencingBit = 1U << 22;
constexpr std::uint32_t kNoQuorumBit = 1U << 23;

std::uint32_t field(std::uint32_t word, StateField which) { return (word & which.mask) >> which.shift; }

Result<std::uint32_t> checked(std::uint32_t word, StateField which, std::uint32_t count, const char* what) {
  const std::uint32_t value = field(word, which);
  if (value >= count)
    return fail("state word cannot be understood", fmt::format("0x{:08x}", word), fmt::format("{} {}", what, value));
  return value;
}

/// Swaps two fields of the same width.
std::uint32_t swap_fields(std::uint32_t word, StateField first, StateField second) {
  const std::uint32_t rest = word & ~(first.mask | second.mask);
  return rest | (field(word, first) << second.shift) | (field(word, second) << first.shift);
}

std::uint32_t mirror_connection(std::uint32_t connection) {
  switch (static_cast<ConnectionState>(connection)) {
    case ConnectionState::StartingSyncS:
      return static_cast<std::uint32_t>(ConnectionState::StartingSyncT);
    case ConnectionState::StartingSyncT:
      return static_cast<std::uint32_t>(ConnectionState::StartingSyncS);
    case ConnectionState::Disconnecting:
      return static_cast<std::uint32_t>(ConnectionState::TearDown);
    case ConnectionState::VerifyS:
      return static_cast<std::uint32_t>(ConnectionState::VerifyT);
    default:
      return connection;
  }
}

std::uint32_t swap_sides(std::uint32_t word) {
  return swap_fields(swap_fields(word, kRoleField, kPeerField), kDiskField, kPeerDiskField);
}

}  // namespace

const char* name_of(Role role) {
  const auto index = static_cast<std::size_t>(role);
  return index < kRoleCount ? kRoleNames[index] : "?";
}

const char* name_of(DiskState disk) {
  const auto index = static_cast<std::size_t>(disk);
  return index < kDiskCount ? kDiskNames[index] : "?";
}

const char* name_of(ConnectionState connection) {
  const auto index = static_cast<std::size_t>(connection);
  return index < kConnectionCount ? kConnectionNames[index] : "?";
}

std::string StateWord::text() const {
  return fmt::format("ro:{}/{} cs:{} ds:{}/{}{}", name_of(role), name_of(peer), name_of(connection), name_of(disk),
                     name_of(peer_disk),
                     suspended || suspended_no_data || suspended_fencing || suspended_no_quorum ? " suspended" : "");
}

Result<StateWord> decode_state(std::uint32_t word) {
  const auto role = checked(word, kRoleField, kRoleCount, "unknown role");
  if (!role) return tl::unexpected(role.error());
  const auto peer = checked(word, kPeerField, kRoleCount, "unknown peer role");
  if (!peer) return tl::unexpected(peer.error());
  const auto connection = checked(word, kConnectionField, kConnectionCount, "unknown connection state");
  if (!connection) return tl::unexpected(connection.error());
  const auto disk = checked(word, kDiskField, kDiskCount, "unknown disk state");
  if (!disk) return tl::unexpected(disk.error());
  const auto peer_disk = checked(word, kPeerDiskField, kDiskCount, "unknown peer disk state");
  if (!peer_disk) return tl::unexpected(peer_disk.error());
  return StateWord{.role = static_cast<Role>(*role),
                   .peer = static_cast<Role>(*peer),
                   .connection = static_cast<ConnectionState>(*connection),
                   .disk = static_cast<DiskState>(*disk),
                   .peer_disk = static_cast<DiskState>(*peer_disk),
                   .suspended = (word & kSuspendedBit) != 0,
                   .resync_paused_by_dependency = (word & kDependencyBit) != 0,
                   .resync_paused_by_peer = (word & kPeerPauseBit) != 0,
                   .resync_paused_by_user = (word & kUserPauseBit) != 0,
                   .suspended_no_data = (word & kNoDataBit) != 0,
                   .suspended_fencing = (word & kFencingBit) != 0,
                   .suspended_no_quorum = (word & kNoQuorumBit) != 0,
                   .reserved_bits = static_cast<std::uint8_t>(word >> 24)};
}

std::uint32_t encode_state(const StateWord& state) {
  std::uint32_t word = static_cast<std::uint32_t>(state.role) << kRoleField.shift;
  word |= static_cast<std::uint32_t>(state.peer) << kPeerField.shift;
  word |= static_cast<std::uint32_t>(state.connection) << kConnectionField.shift;
  word |= static_cast<std::uint32_t>(state.disk) << kDiskField.shift;
  word |= static_cast<std::uint32_t>(state.peer_disk) << kPeerDiskField.shift;
  if (state.suspended) word |= kSuspendedBit;
  if (state.resync_paused_by_dependency) word |= kDependencyBit;
  if (state.resync_paused_by_peer) word |= kPeerPauseBit;
  if (state.resync_paused_by_user) word |= kUserPauseBit;
  if (state.suspended_no_data) word |= kNoDataBit;
  if (state.suspended_fencing) word |= kFencingBit;
  if (state.suspended_no_quorum) word |= kNoQuorumBit;
  return word | static_cast<std::uint32_t>(state.reserved_bits) << 24;
}

Result<StateWord> apply_change(const StateWord& state, std::uint32_t mask, std::uint32_t value) {
  return decode_state((encode_state(state) & ~mask) | (value & mask));
}

StateChange mirror(const StateChange& change) {
  StateChange mirrored{.mask = swap_sides(change.mask), .value = swap_sides(change.value)};
  if ((change.mask & kConnectionField.mask) != 0) {
    mirrored.value &= ~kConnectionField.mask;
    mirrored.value |= mirror_connection(field(change.value, kConnectionField)) << kConnectionField.shift;
  }
  return mirrored;
}

}  // namespace bascule::drbd
