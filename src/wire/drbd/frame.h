#pragma once

#include <cstdint>
#include <variant>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/drbd/header.h"
#include "wire/drbd/packets.h"

namespace bascule::drbd {

/// What both ends agreed on; it decides how packets are framed.
struct WireOptions {
  std::uint32_t agreed_version = 0;          ///< 0 before Features are exchanged (H80), else 100 or 101
  std::uint32_t feature_flags = 0;           ///< agreed features; decides about Sizes.queue_limits and discard limits
  std::uint32_t integrity_digest_bytes = 0;  ///< length of data-integrity-alg digests coming in; 0 none
};

/// A decoded packet at the front of the bytes.
struct Frame {
  Packet packet;
  std::uint16_t volume = 0;         ///< connection-wide packets: 0 (8.4) or 0xffff (DRBD 9)
  std::size_t consumed_bytes = 0;   ///< header and fixed part: drop that many bytes
  std::uint32_t payload_bytes = 0;  ///< data that follows them: receive it straight into a buffer
};
/// Not decidable yet: `bytes` more are needed at least (never 0).
struct NeedMore {
  std::size_t bytes = 0;
};
using DecodeStep = std::variant<NeedMore, Frame>;

/// Decodes the packet that begins at the front of `received`. Pure: the caller keeps the bytes, drops consumed_bytes
/// (and the payload) and calls again. Never asks for more than kMaxControlPacketBytes in total.
/// Errors (the connection must be dropped): wrong magic, pad not zero, unknown command, command not allowed on this
/// socket, wrong length, data over 1 MiB or no multiple of 512, unknown state numbers, unterminated strings.
Result<DecodeStep> decode_frame(ByteView received, Socket socket, const WireOptions& options);

/// Header and fixed part. The caller sends payload_bytes_of(packet) bytes of data right after them.
/// Uses H80 when agreed_version is 0 (InitialData, InitialMeta, Features), else H100. Asserts that the packet's own
/// fields fit the format (strings up to 63 bytes, digests as configured).
Bytes encode(const Packet& packet, std::uint16_t volume, const WireOptions& options);
/// The same, appended to `out`.
void encode_to(Bytes& out, const Packet& packet, std::uint16_t volume, const WireOptions& options);

/// Length of the data that follows the fixed part of this packet; 0 for most.
std::uint32_t payload_bytes_of(const Packet& packet);

/// Is this command one that a peer may send us on that socket?
bool allowed_on(Command command, Socket socket);

}  // namespace bascule::drbd
