#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "wire/drbd/frame.h"
#include "wire/drbd/packets.h"
#include "wire/drbd_metadata/superblock.h"

/// The replication engine of one volume with one peer: a pure state machine (README.md has the drawing and promises).
/// Payload never enters it: it sees buffers by id. The driver (runtime/block_host) or the simulator owns the bytes.
namespace bascule::replication {

/// A payload buffer that the driver owns; 0: none. Ids that the engine chooses (TakeBuffer) have kEngineBufferBit set,
/// ids that the driver chooses have not. The engine keeps a Write's buffer and a packet's buffer until ReleaseBuffer
/// (also after Complete); a Read's buffer is the driver's again at Complete.
using BufferId = std::uint32_t;
inline constexpr BufferId kEngineBufferBit = 0x80000000U;
using OperationId = std::uint64_t;  ///< chosen by the engine for what it starts, echoed when it is done
using RequestId = std::uint64_t;    ///< chosen by the driver for what the application asked

/// One of the two TCP sockets of a peer connection.
enum class Channel : std::uint8_t { data, meta };

struct Config {
  std::string volume;
  std::string self;
  std::string peer;
  std::uint64_t backing_bytes = 0;     ///< of the backing file or device, metadata included
  std::uint64_t size_limit_bytes = 0;  ///< the configured size; 0: none
  std::uint32_t al_extents = 1237;
  std::uint64_t resync_rate_max = 0;           ///< bytes per second; 0: unlimited
  Duration ping_interval = milliseconds(250);  ///< idle time on the meta socket before a PING
  Duration ping_timeout = milliseconds(500);   ///< PING_ACK must come within this time
  Duration connect_interval = milliseconds(300);
  Duration request_timeout = seconds(10);  ///< a write that the peer has not answered for so long drops the connection
  std::uint64_t seed = 1;                  ///< for UUIDs and jitter; the driver takes it from getrandom()
  std::uint32_t canaries = 0;              ///< tests only: deliberate faults that checkers must find (canary.h)
};

/// What the driver read from disk before the engine was made.
struct Restored {
  drbd_metadata::Superblock superblock;
  Bytes bitmap;        ///< the bitmap area as on disk
  Bytes activity_log;  ///< the whole ring as on disk
};

// ---- inputs -------------------------------------------------------------------------------------------------

namespace input {
struct Tick {};  ///< next_deadline() has come

// The application (FUSE, NBD). Offsets and lengths are multiples of 512 inside the device, at most 1 MiB.
struct Write {
  RequestId request;
  std::uint64_t offset;
  std::uint32_t length;
  BufferId buffer;
  bool fua;
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

struct DiskDone {
  OperationId operation;
  int error_number;
};  ///< 0: done and, where asked, durable

// Sockets: the driver listens, connects and frames; the engine decides (DRBD's two-socket dance included).
/// Ids of accepted sockets are the driver's choice and have kAcceptedSocketBit set; ids of outgoing ones are the
/// engine's and have not. An id is never used twice. After CloseSocket or SocketClosed it is forgotten by both.
using SocketId = std::uint32_t;
inline constexpr SocketId kAcceptedSocketBit = 0x80000000U;
struct SocketConnected {
  SocketId socket;
};  ///< an outgoing Connect succeeded
/// An incoming connection from the peer's address. Frame its first packet as H80 (agreed_version 0) on either kind of
/// socket: InitialData or InitialMeta. When it is anything else, or cannot be decoded, report SocketClosed.
struct SocketAccepted {
  SocketId socket;
};
struct SocketClosed {
  SocketId socket;
  std::string reason;
};                       ///< failed, reset, or ended by the peer
struct PacketReceived {  ///< one whole packet, payload already in `buffer`
  SocketId socket;
  std::uint16_t volume;
  drbd::Packet packet;
  BufferId buffer;  ///< 0 when the packet has no payload; the engine now owns it
};

// The manager.
struct Promote {
  std::uint64_t epoch;
  bool initial;
};  ///< initial: first primary of a new volume (both just created)
struct Demote {
  bool force;
};  ///< force: held I/O fails, nothing is waited for
struct InSyncCommitted {
  std::uint64_t version;
  bool self_member;
  bool peer_member;
};
struct PeerLostHint {
  std::string reason;
};  ///< membership says the peer is dead: drop the connection now
struct LeaseRead {
  std::uint64_t epoch;
  Instant end;
};                     ///< what the lease page says; given before other inputs of a turn
struct FailHeldIo {};  ///< the grace is over: held writes fail with EIO from now on
}  // namespace input

using Input =
    std::variant<input::Tick, input::Write, input::Read, input::Flush, input::DiskDone, input::SocketConnected,
                 input::SocketAccepted, input::SocketClosed, input::PacketReceived, input::Promote, input::Demote,
                 input::InSyncCommitted, input::PeerLostHint, input::LeaseRead, input::FailHeldIo>;

// ---- effects: carried out in the order given ------------------------------------------------------------------

namespace effect {
using input::SocketId;
/// Data area, offsets in bytes from the start of the backing store.
struct DiskWrite {
  OperationId operation;
  std::uint64_t offset;
  std::uint32_t length;
  BufferId buffer;
  bool durable;
};
struct DiskRead {
  OperationId operation;
  std::uint64_t offset;
  std::uint32_t length;
  BufferId buffer;
};
struct DiskFlush {
  OperationId operation;
};
/// Metadata (superblock, activity log, bitmap): content given, always durable (FUA | PREFLUSH) when done.
struct MetadataWrite {
  OperationId operation;
  std::uint64_t offset;
  Bytes content;
};

struct Connect {
  SocketId socket;
};  ///< to the peer's configured address; the engine chose the id
struct CloseSocket {
  SocketId socket;
  std::string reason;
};
/// How the driver frames this socket from now on: which one of the pair it is, and what was agreed. Comes before the
/// first Send on it, and again when the version is agreed; bytes received but not yet decoded fall under the new
/// options.
struct UseWire {
  SocketId socket;
  drbd::Socket kind;
  drbd::WireOptions options;
};
struct Send {
  SocketId socket;
  std::uint16_t volume;
  drbd::Packet packet;
  BufferId buffer;
};  ///< buffer 0: no payload
/// The engine takes a buffer of `length` bytes for its own use (resync); the driver makes it known under this id.
struct TakeBuffer {
  BufferId buffer;
  std::uint32_t length;
};
struct ReleaseBuffer {
  BufferId buffer;
};  ///< the driver may reuse it once all effects before this are carried out

struct Complete {
  RequestId request;
  int error_number;
};  ///< answer the application
struct RequestShrink {
  std::uint64_t known_version;
};  ///< writes are held: ask the majority to remove the peer
struct RequestGrow {
  std::uint64_t known_version;
};  ///< resync complete: ask the majority to add the peer
/// For people and tests: a stable kind, a sentence. The answers to commands are events too: Promote ends in
/// "volume-promoted" or "takeover-refused", Demote in "volume-demoted" or "demote-refused" (text: why).
struct Event {
  std::string kind;
  std::string text;
};
struct StatusChanged {};
}  // namespace effect

using Effect =
    std::variant<effect::DiskWrite, effect::DiskRead, effect::DiskFlush, effect::MetadataWrite, effect::Connect,
                 effect::CloseSocket, effect::UseWire, effect::Send, effect::TakeBuffer, effect::ReleaseBuffer,
                 effect::Complete, effect::RequestShrink, effect::RequestGrow, effect::Event, effect::StatusChanged>;
using Effects = std::vector<Effect>;

/// What an operator sees.
struct Status {
  drbd::Role role{};
  drbd::ConnectionState connection{};
  drbd::DiskState disk{};
  drbd::Role peer_role{};
  drbd::DiskState peer_disk{};
  std::uint64_t epoch = 0;       ///< of the current promotion
  std::uint64_t size_bytes = 0;  ///< of the device; 0 until it is known
  std::uint64_t out_of_sync_bytes = 0;
  std::uint64_t resync_total_bytes = 0;  ///< of the running or the last resync, as it began
  std::uint64_t resync_done_bytes = 0;
  std::uint64_t writes_acknowledged = 0;
  std::uint32_t writes_held = 0;  ///< completed everywhere they can be, but not yet acknowledged
  bool lease_valid = false;
  bool just_created = false;  ///< this replica never held data (current UUID 4)
  bool wants_shrink = false;
  bool wants_grow = false;
  std::uint64_t current_uuid = 0, bitmap_uuid = 0, history_uuid_0 = 0, history_uuid_1 = 0;
  std::string why;  ///< the reason of the last refusal or hold, in words
};

class Engine {
 public:
  Engine(const Config& config, Restored restored, Instant now);
  ~Engine();
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;

  /// Total: every input in every state. Appends to `effects`.
  void step(const Input& input, Instant now, Effects& effects);
  /// When a Tick is due; `never` if nothing is.
  [[nodiscard]] Instant next_deadline() const;
  [[nodiscard]] Status status() const;

 private:
  struct State;
  State* state_;  // owned; the implementation lies in detail/
};

}  // namespace bascule::replication
