#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "base/bytes.h"
#include "base/time.h"
#include "wire/drbd/packets.h"
#include "wire/drbd_config/options.h"
#include "wire/drbd_metadata/superblock.h"

/// What the replication engine is told: by applications, the disk, the peer, the manager and the operator.
namespace bascule::replication {

/// A payload buffer that the driver owns; 0: none. Ids that the engine chooses (TakeBuffer) have kEngineBufferBit set,
/// ids that the driver chooses have not. The engine keeps a Write's buffer and a packet's buffer until ReleaseBuffer
/// (also after Complete); a Read's buffer is the driver's again at Complete.
using BufferId = std::uint32_t;
inline constexpr BufferId kEngineBufferBit = 0x80000000U;
using OperationId = std::uint64_t;  ///< chosen by the engine for what it starts, echoed when it is done
using RequestId = std::uint64_t;    ///< chosen by the driver for what the application asked
using CommandId = std::uint64_t;    ///< chosen by the driver for what the operator asked; 0: nobody waits

/// What the driver read from disk before the engine was made, or before input::Attach.
struct Restored {
  drbd_metadata::Superblock superblock;
  Bytes bitmap;        ///< the bitmap area as on disk
  Bytes activity_log;  ///< the whole ring as on disk
};

/// What a write does to its range.
enum class WriteKind : std::uint8_t {
  data,         ///< up to 1 MiB from a buffer
  discard,      ///< contents do not matter any more; up to 128 MiB, no buffer
  zeroes,       ///< reads as zeroes from now on, stays allocated; no buffer
  zeroes_unmap  ///< reads as zeroes from now on, may be deallocated; no buffer
};

namespace input {
struct Tick {};  ///< next_deadline() has come

// -- the application (FUSE, NBD). Offsets and lengths are multiples of 512 inside the device; data at most 1 MiB.
struct Write {
  RequestId request;
  std::uint64_t offset;
  std::uint32_t length;
  BufferId buffer;  ///< 0 unless kind is data
  bool fua;
  WriteKind kind = WriteKind::data;
};
struct Read {
  RequestId request;
  std::uint64_t offset;
  std::uint32_t length;
  BufferId buffer;
};
struct Flush {
  RequestId request;
};

// -- the disk
struct DiskDone {
  OperationId operation;
  int error_number;       ///< 0: done and, where asked, durable
  Bytes digest{};         ///< of a DiskRead that asked for one
  bool all_zero = false;  ///< of a DiskRead that asked: the range reads as zeroes
};

/// What the backing device (or file) holds now: after an attach, before each Resize, and before each P_SIZES and
/// P_CONNECTION_FEATURES of the peer. When it has grown, internal metadata move to its new end; external ones stay.
struct BackingSize {
  std::uint64_t bytes;
  std::uint64_t metadata_bytes = 0;  ///< of the device with external metadata
};

// -- sockets: the driver listens, connects and frames; the engine decides (DRBD's two-socket dance included).
/// Ids of accepted sockets are the driver's choice and have kAcceptedSocketBit set; ids of outgoing ones are the
/// engine's and have not. An id is never used twice. After CloseSocket or SocketClosed it is forgotten by both.
using SocketId = std::uint32_t;
inline constexpr SocketId kAcceptedSocketBit = 0x80000000U;
/// An outgoing Connect succeeded.
struct SocketConnected {
  SocketId socket;
};
/// An incoming connection from the peer's address. Frame its first packet as H80 (agreed_version 0) on either kind of
/// socket: InitialData or InitialMeta. When it is anything else, or cannot be decoded, report SocketClosed.
struct SocketAccepted {
  SocketId socket;
};
/// Failed, reset, or ended by the peer.
struct SocketClosed {
  SocketId socket;
  std::string reason;
};
/// One whole packet, payload already in `buffer`.
struct PacketReceived {
  SocketId socket;
  std::uint16_t volume;
  drbd::Packet packet;
  BufferId buffer;           ///< 0 when the packet has no payload; the engine now owns it
  bool digest_valid = true;  ///< the payload has the data-integrity digest that the packet carries
};

// -- the manager. The answers are events: "volume-promoted", "takeover-refused", "volume-demoted", "demote-refused".
struct Promote {
  std::uint64_t epoch;
  bool initial;        ///< first primary of a new volume (both just created)
  bool force = false;  ///< Operator: as `drbdadm primary --force`, also without up-to-date data
  CommandId command = 0;
};
struct Demote {
  bool force;  ///< held I/O fails, nothing is waited for
  CommandId command = 0;
};
struct InSyncCommitted {
  std::uint64_t version;
  bool self_member;
  bool peer_member;
};
/// Membership says the peer is dead: drop the connection now.
struct PeerLostHint {
  std::string reason;
};
/// What the lease page says; given before other inputs of a turn. Authority::Operator needs none.
struct LeaseRead {
  std::uint64_t epoch;
  Instant end;
};
/// The grace is over: held writes fail with EIO from now on.
struct FailHeldIo {};

// -- the operator (drbdsetup's commands). Each is answered by one effect::CommandDone.
struct ConnectPeer {
  CommandId command;
  bool discard_my_data = false;
  bool tentative = false;  ///< tell what would happen, do not connect
};
struct DisconnectPeer {
  CommandId command;
  bool force = false;  ///< do not ask the peer
};
/// A diskless engine gets a disk. Refused when it has one.
struct Attach {
  CommandId command;
  Restored restored;
  std::uint64_t backing_bytes;       ///< at the end of which the metadata were found; what it is now: BackingSize
  std::uint64_t metadata_bytes = 0;  ///< as Config.metadata_bytes
};
struct Detach {
  CommandId command;
  bool force = false;
};
struct Verify {
  CommandId command;
  std::uint64_t start_sector = 0;
  std::uint64_t stop_sector = ~std::uint64_t{0};
};
/// Throw away the local (or the peer's) copy and resync all of it.
struct Invalidate {
  CommandId command;
  bool remote = false;
};
struct Outdate {
  CommandId command;
};
struct NewCurrentUuid {
  CommandId command;
  bool clear_bitmap = false;  ///< of a just created, connected pair: skip the initial sync
};
/// The backing devices have grown, or the size shall change. Answered when the peer has answered; NothingToDo says in
/// words why the size stays (only this node's disk has grown, the peer is away).
struct Resize {
  CommandId command;
  std::uint64_t backing_bytes;     ///< of this node, as it is now; 0: it has no disk
  std::uint64_t size_sectors = 0;  ///< wanted; 0: as large as possible
  bool assume_clean = false;       ///< the new area needs no resync
  bool assume_peer_has_space = false;
  std::uint64_t metadata_bytes = 0;  ///< of the device with external metadata, as it is now
};
struct PauseResync {
  CommandId command;
  bool paused;
};
/// resync-after: another volume of this node goes first.
struct PauseByDependency {
  bool paused;
};
struct SuspendIo {
  CommandId command;
  bool suspended;
};
/// What Config has beside the options and may change at any time; as there.
struct Settings {
  std::uint64_t resync_rate_max = 0;
  Duration ping_interval, ping_timeout, connect_interval, request_timeout;
  bool flush_waits_for_peer = true;
  bool accept_loss = false;
};
/// New net, disk and resource options while running; the ones that need a new connection are refused while connected,
/// al-updates while there is a disk. al-extents and the size stay: the next attach, and Resize.
struct SetOptions {
  CommandId command;
  drbd_config::Options options;
  std::optional<Settings> settings{};  ///< unset: as they are
};
/// The answer to effect::RunHandler, DRBD's exit codes (model facts, section 8).
struct HandlerDone {
  std::uint64_t number;
  int exit_code;
};
}  // namespace input

using Input =
    std::variant<input::Tick, input::Write, input::Read, input::Flush, input::DiskDone, input::SocketConnected,
                 input::SocketAccepted, input::SocketClosed, input::PacketReceived, input::Promote, input::Demote,
                 input::InSyncCommitted, input::PeerLostHint, input::LeaseRead, input::FailHeldIo, input::BackingSize,
                 input::ConnectPeer, input::DisconnectPeer, input::Attach, input::Detach, input::Verify,
                 input::Invalidate, input::Outdate, input::NewCurrentUuid, input::Resize, input::PauseResync,
                 input::PauseByDependency, input::SuspendIo, input::SetOptions, input::HandlerDone>;

}  // namespace bascule::replication
