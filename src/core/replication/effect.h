#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"
#include "core/replication/input.h"
#include "wire/drbd/frame.h"
#include "wire/drbd/packets.h"

/// What the replication engine wants done, in the order given.
namespace bascule::replication {

namespace effect {
using input::SocketId;

// -- data area: offsets in bytes from the start of the data device
struct DiskWrite {
  OperationId operation;
  std::uint64_t offset;
  std::uint32_t length;
  BufferId buffer;
  bool durable;
};
/// A write without data. A device that cannot do it gets zeroes written; `kind` is not WriteKind::data.
struct DiskZero {
  OperationId operation;
  std::uint64_t offset;
  std::uint64_t length;
  WriteKind kind;
  bool durable;
};
struct DiskRead {
  OperationId operation;
  std::uint64_t offset;
  std::uint32_t length;
  BufferId buffer;
  Digest digest = Digest::none;  ///< DiskDone shall carry it
  bool detect_zeroes = false;    ///< DiskDone shall say whether the range is all zeroes
};
struct DiskFlush {
  OperationId operation;
};
/// Metadata (superblock, activity log, bitmap): content given, always durable (FUA | PREFLUSH) when done. Offset in
/// bytes from the start of the device that holds the metadata.
struct MetadataWrite {
  OperationId operation;
  std::uint64_t offset;
  Bytes content;
  bool flush = true;  ///< false (md-flushes no): neither flush before nor wait for the platter
};

/// Internal metadata are at the end of a backing device of this size now, and nowhere else.
struct MetadataMoved {
  std::uint64_t backing_bytes;
};

// -- the peer
/// To the peer's configured address; the engine chose the id.
struct Connect {
  SocketId socket;
};
struct CloseSocket {
  SocketId socket;
  std::string reason;
};
/// How the driver frames this socket from now on: which one of the pair it is, and what was agreed. Comes before the
/// first Send on it, and again when the version is agreed; bytes received but not yet decoded fall under the new
/// options. With a `send_integrity` the driver puts the digest of the payload into Data, DataReply and ResyncReply
/// packets; with a `receive_integrity` it checks those that come (PacketReceived.digest_valid).
struct UseWire {
  SocketId socket;
  drbd::Socket kind;
  drbd::WireOptions options;  ///< integrity_digest_bytes is that of receive_integrity
  Digest send_integrity = Digest::none;
  Digest receive_integrity = Digest::none;
};
/// buffer 0: no payload.
struct Send {
  SocketId socket;
  std::uint16_t volume;
  drbd::Packet packet;
  BufferId buffer;
};

// -- buffers
/// The engine takes a buffer of `length` bytes for its own use (resync); the driver makes it known under this id.
struct TakeBuffer {
  BufferId buffer;
  std::uint32_t length;
  bool zeroed = false;  ///< its bytes must be zeroes, else they may be anything
};
/// The driver may reuse it once all effects before this are carried out.
struct ReleaseBuffer {
  BufferId buffer;
};
/// The first `length` bytes of one become those of the other (a read that the peer answered).
struct CopyBuffer {
  BufferId from;
  BufferId to;
  std::uint32_t length;
};

// -- answers and requests upwards
/// Answer the application.
struct Complete {
  RequestId request;
  int error_number;
};
/// Writes are held: ask the majority to remove the peer. Authority::Cluster only.
struct RequestShrink {
  std::uint64_t known_version;
};
/// The peer has all that this member has: ask the majority to add it. A secondary asks too; the majority grants it only
/// if the volume has no owner. Authority::Cluster only.
struct RequestGrow {
  std::uint64_t known_version;
};
/// The answer to a command of the operator: its DRBD result, and in words why it was refused or what came of it.
struct CommandDone {
  CommandId command;
  drbd::StateChangeResult result;
  std::string why;
};
/// One of DRBD's handlers is due ("fence-peer", "split-brain", "before-resync-target", ...). `number` 0: nobody waits
/// for the exit code, else input::HandlerDone is expected. Without a configured handler the driver answers at once with
/// -1.
struct RunHandler {
  std::string name;
  std::uint64_t number;
};
/// For people and tests: a stable kind, a sentence.
struct Event {
  std::string kind;
  std::string text;
};
struct StatusChanged {};
}  // namespace effect

using Effect =
    std::variant<effect::DiskWrite, effect::DiskZero, effect::DiskRead, effect::DiskFlush, effect::MetadataWrite,
                 effect::MetadataMoved, effect::Connect, effect::CloseSocket, effect::UseWire, effect::Send,
                 effect::TakeBuffer, effect::ReleaseBuffer, effect::CopyBuffer, effect::Complete, effect::RequestShrink,
                 effect::RequestGrow, effect::CommandDone, effect::RunHandler, effect::Event, effect::StatusChanged>;
using Effects = std::vector<Effect>;

}  // namespace bascule::replication
