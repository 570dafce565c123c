#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "base/bytes.h"
#include "wire/drbd/state.h"

namespace bascule::drbd {

/// Packet numbers as they stand in the header. 110+ numbers are left out: we agree on 100 or 101.
enum class Command : std::uint16_t {
  Data = 0x00,
  DataReply = 0x01,
  ResyncDataReply = 0x02,
  Barrier = 0x03,
  Bitmap = 0x04,
  UnplugRemote = 0x07,
  DataRequest = 0x08,
  ResyncDataRequest = 0x09,
  Protocol = 0x0b,
  Uuids = 0x0c,
  Sizes = 0x0d,
  State = 0x0e,
  SyncUuid = 0x0f,
  AuthChallenge = 0x10,
  AuthResponse = 0x11,
  StateChangeRequest = 0x12,
  Ping = 0x13,
  PingAck = 0x14,
  ReceiveAck = 0x15,
  WriteAck = 0x16,
  ResyncWriteAck = 0x17,
  Superseded = 0x18,
  NegativeAck = 0x19,
  NegativeDataReply = 0x1a,
  NegativeResyncReply = 0x1b,
  BarrierAck = 0x1c,
  StateChangeReply = 0x1d,
  VerifyRequest = 0x1e,
  VerifyReply = 0x1f,
  VerifyResult = 0x20,
  ChecksumResyncRequest = 0x21,
  ResyncIsInSync = 0x22,
  SyncParam = 0x23,
  CompressedBitmap = 0x24,
  DelayProbe = 0x27,
  OutOfSync = 0x28,
  ResyncCancel = 0x29,
  ConnectionStateChangeRequest = 0x2a,
  ConnectionStateChangeReply = 0x2b,
  RetryWrite = 0x2c,
  ProtocolUpdate = 0x2d,
  Trim = 0x31,
  ThinResyncRequest = 0x32,
  ResyncDeallocated = 0x33,
  WriteSame = 0x34,
  Zeroes = 0x36,
  InitialMeta = 0xfff1,
  InitialData = 0xfff2,
  Features = 0xfffe,
};

/// "P_..." like name for logs; nullptr for a number that is no Command.
const char* name_of(Command command);

/// Which of the two TCP connections of a pair.
enum class Socket : std::uint8_t { Data, Meta };

/// An opaque 8-byte handle that its receiver echoes unchanged. Our decoder reads it big-endian; only equality means
/// anything for a handle made by the peer.
enum class BlockId : std::uint64_t {};
inline constexpr BlockId kSyncerBlockId{0xffffffffffffffffULL};
inline constexpr BlockId kVerifyInSync{4711};     ///< block_id of VerifyResult
inline constexpr BlockId kVerifyOutOfSync{4712};  ///< block_id of VerifyResult

inline constexpr std::uint64_t kUuidJustCreated = 4;
inline constexpr std::uint64_t kUuidNewBitmapOffset = 0x0001000000000000ULL;  ///< start of a resync adds this
inline constexpr std::uint64_t kUuidPrimaryBit = 1;                           ///< hint, masked in comparisons

inline constexpr std::uint32_t kMaxDataBytes = 1U << 20;          ///< one write or read, version >= 100
inline constexpr std::uint32_t kMaxDiscardBytes = 128U << 20;     ///< with the WriteSame feature
inline constexpr std::uint32_t kMaxDiscardBytesPlain = 4U << 20;  ///< without it
inline constexpr std::uint32_t kMaxControlPacketBytes = 4096;     ///< header included

/// Bits of Data.flags (dp_flags).
namespace data_flag {
inline constexpr std::uint32_t kSync = 2;
inline constexpr std::uint32_t kMaySetInSync = 4;
inline constexpr std::uint32_t kUnplug = 8;
inline constexpr std::uint32_t kFua = 16;
inline constexpr std::uint32_t kFlush = 32;
inline constexpr std::uint32_t kDiscard = 64;
inline constexpr std::uint32_t kSendReceiveAck = 128;
inline constexpr std::uint32_t kSendWriteAck = 256;
inline constexpr std::uint32_t kWriteSame = 512;
inline constexpr std::uint32_t kZeroes = 1024;
}  // namespace data_flag

/// Bits of Features.feature_flags; what both sides offer is agreed.
namespace feature {
inline constexpr std::uint32_t kTrim = 1;
inline constexpr std::uint32_t kThinResync = 2;
inline constexpr std::uint32_t kWriteSame = 4;  ///< also: queue limits in Sizes, 128 MiB discards, UUID rule 41
inline constexpr std::uint32_t kWriteZeroes = 8;
}  // namespace feature

/// Bits of Uuids.flags.
namespace uuid_flag {
inline constexpr std::uint64_t kDiscardMyData = 1;
inline constexpr std::uint64_t kCrashedPrimary = 2;
inline constexpr std::uint64_t kInconsistent = 4;
inline constexpr std::uint64_t kSkipInitialSync = 8;
}  // namespace uuid_flag

/// Bits of Protocol.connection_flags.
namespace connection_flag {
inline constexpr std::uint32_t kDiscardMyData = 1;
inline constexpr std::uint32_t kDryRun = 2;
}  // namespace connection_flag

/// Bits of Sizes.flags.
namespace size_flag {
inline constexpr std::uint16_t kForced = 1;
inline constexpr std::uint16_t kNoResync = 2;
}  // namespace size_flag

enum class ReplicationProtocol : std::uint32_t { A = 1, B = 2, C = 3 };

/// Writer of after-split-brain codes on the wire.
enum class AfterSplitBrain : std::uint32_t {
  Disconnect = 0,
  DiscardYoungerPrimary = 1,
  DiscardOlderPrimary = 2,
  DiscardZeroChanges = 3,
  DiscardLeastChanges = 4,
  DiscardLocal = 5,
  DiscardRemote = 6,
  Consensus = 7,
  DiscardSecondary = 8,
  CallPriLostAfterSb = 9,
  Violently = 10,
};

// ---- packets whose data follows on the wire and is not in the struct ----------------------------------------------

/// A replicated write. `size_bytes` of data follow the encoded packet. Sizes are multiples of 512.
struct Data {
  std::uint64_t sector = 0;  ///< 512-byte units
  BlockId block_id{};
  std::uint32_t sequence = 0;    ///< shared counter of the volume with acks going the same way
  std::uint32_t flags = 0;       ///< data_flag::*
  std::uint32_t size_bytes = 0;  ///< length of the data that follows
  Bytes digest{};                ///< data-integrity-alg digest of the data; empty without one
  friend bool operator==(const Data&, const Data&) = default;
};
/// Answer to DataRequest; data follows.
struct DataReply {
  std::uint64_t sector = 0;
  BlockId block_id{};
  std::uint32_t sequence = 0;  ///< unused by 8.4, kept as received
  std::uint32_t flags = 0;     ///< unused by 8.4, kept as received
  std::uint32_t size_bytes = 0;
  Bytes digest{};
  friend bool operator==(const DataReply&, const DataReply&) = default;
};
/// RS_DATA_REPLY: resync data for the target; data follows.
struct ResyncReply {
  std::uint64_t sector = 0;
  BlockId block_id = kSyncerBlockId;
  std::uint32_t sequence = 0;
  std::uint32_t flags = 0;
  std::uint32_t size_bytes = 0;
  Bytes digest{};
  friend bool operator==(const ResyncReply&, const ResyncReply&) = default;
};
/// Write `size_bytes` made of copies of one logical block, which follows (`block_size_bytes`). Never send it.
struct WriteSame {
  std::uint64_t sector = 0;
  BlockId block_id{};
  std::uint32_t sequence = 0;
  std::uint32_t flags = 0;
  std::uint32_t size_bytes = 0;
  std::uint32_t block_size_bytes = 0;  ///< length of the data that follows
  Bytes digest{};
  friend bool operator==(const WriteSame&, const WriteSame&) = default;
};

// ---- writes without data ---------------------------------------------------------------------------------------

/// Discard. Needs feature::kTrim.
struct Trim {
  std::uint64_t sector = 0;
  BlockId block_id{};
  std::uint32_t sequence = 0;
  std::uint32_t flags = 0;
  std::uint32_t size_bytes = 0;  ///< nothing follows
  friend bool operator==(const Trim&, const Trim&) = default;
};
/// Write zeroes; with data_flag::kDiscard it may unmap. Needs feature::kWriteZeroes; never with an integrity digest.
struct Zeroes {
  std::uint64_t sector = 0;
  BlockId block_id{};
  std::uint32_t sequence = 0;
  std::uint32_t flags = 0;
  std::uint32_t size_bytes = 0;  ///< nothing follows
  friend bool operator==(const Zeroes&, const Zeroes&) = default;
};

// ---- acknowledgements -------------------------------------------------------------------------------------------

/// All answers about one block that travel on the meta socket share one layout.
struct BlockAck {
  enum class Kind : std::uint16_t {
    ReceiveAck = 0x15,           ///< protocol B: received
    WriteAck = 0x16,             ///< written
    ResyncWriteAck = 0x17,       ///< written, and both sides clear the bits
    Superseded = 0x18,           ///< two primaries: completes as if written
    NegativeAck = 0x19,          ///< the peer could not write
    NegativeDataReply = 0x1a,    ///< the peer could not read for DataRequest
    NegativeResyncReply = 0x1b,  ///< the source could not read for a resync request
    VerifyResult = 0x20,         ///< block_id is kVerifyInSync or kVerifyOutOfSync
    ResyncIsInSync = 0x22,       ///< ChecksumResyncRequest: equal. block_id means nothing
    ResyncCancel = 0x29,         ///< the source is Ahead
    RetryWrite = 0x2c,           ///< two primaries: restart the write
  };
  Kind kind = Kind::WriteAck;
  std::uint64_t sector = 0;
  BlockId block_id{};
  std::uint32_t size_bytes = 0;
  std::uint32_t sequence = 0;  ///< shared counter of the volume with Data going the same way
  friend bool operator==(const BlockAck&, const BlockAck&) = default;
};

/// End of an epoch. `number` is opaque to the receiver, who echoes it.
struct Barrier {
  std::uint32_t number = 0;
  std::uint32_t reserved = 0;
  friend bool operator==(const Barrier&, const Barrier&) = default;
};
struct BarrierAck {
  std::uint32_t number = 0;    ///< echo of Barrier.number
  std::uint32_t set_size = 0;  ///< number of writes in the epoch
  friend bool operator==(const BarrierAck&, const BarrierAck&) = default;
};

// ---- requests ---------------------------------------------------------------------------------------------------

/// Read from the peer's disk; answered by DataReply or NegativeDataReply.
struct DataRequest {
  std::uint64_t sector = 0;
  BlockId block_id{};
  std::uint32_t size_bytes = 0;
  std::uint32_t reserved = 0;  ///< may hold garbage: ignore
  friend bool operator==(const DataRequest&, const DataRequest&) = default;
};
/// The sync target asks for a block (RS_DATA_REQUEST).
struct ResyncRequest {
  std::uint64_t sector = 0;
  BlockId block_id = kSyncerBlockId;
  std::uint32_t size_bytes = 0;
  std::uint32_t reserved = 0;
  friend bool operator==(const ResyncRequest&, const ResyncRequest&) = default;
};
/// As ResyncRequest, but the source may answer ResyncDeallocated. Needs feature::kThinResync.
struct ThinResyncRequest {
  std::uint64_t sector = 0;
  BlockId block_id = kSyncerBlockId;
  std::uint32_t size_bytes = 0;
  std::uint32_t reserved = 0;
  friend bool operator==(const ThinResyncRequest&, const ThinResyncRequest&) = default;
};
/// As ResyncRequest with a csums-alg digest of the target's own block.
struct ChecksumResyncRequest {
  std::uint64_t sector = 0;
  BlockId block_id = kSyncerBlockId;
  std::uint32_t size_bytes = 0;
  std::uint32_t reserved = 0;
  Bytes digest{};
  friend bool operator==(const ChecksumResyncRequest&, const ChecksumResyncRequest&) = default;
};
/// Online verify: asks for a digest.
struct VerifyRequest {
  std::uint64_t sector = 0;
  BlockId block_id = kSyncerBlockId;
  std::uint32_t size_bytes = 0;
  std::uint32_t reserved = 0;
  friend bool operator==(const VerifyRequest&, const VerifyRequest&) = default;
};
/// Online verify: the digest, by verify-alg.
struct VerifyReply {
  std::uint64_t sector = 0;
  BlockId block_id = kSyncerBlockId;
  std::uint32_t size_bytes = 0;
  std::uint32_t reserved = 0;
  Bytes digest{};
  friend bool operator==(const VerifyReply&, const VerifyReply&) = default;
};
/// Mark a range out of sync (sent by a node that is Ahead or in WFBitMapS).
struct OutOfSync {
  std::uint64_t sector = 0;
  std::uint32_t size_bytes = 0;
  std::uint32_t reserved = 0;
  friend bool operator==(const OutOfSync&, const OutOfSync&) = default;
};
/// Answer to ThinResyncRequest: the range reads as zeroes.
struct ResyncDeallocated {
  std::uint64_t sector = 0;
  std::uint32_t size_bytes = 0;
  std::uint32_t reserved = 0;
  friend bool operator==(const ResyncDeallocated&, const ResyncDeallocated&) = default;
};

// ---- bitmap -----------------------------------------------------------------------------------------------------

/// Whole 64-bit words of the bitmap, little-endian, as on the wire. See bitmap_code.h.
struct BitmapChunk {
  Bytes words{};  ///< length is a multiple of 8; may be empty
  friend bool operator==(const BitmapChunk&, const BitmapChunk&) = default;
};
/// Run-length coded bits. See bitmap_code.h.
struct CompressedBitmap {
  std::uint8_t encoding = 0;  ///< low nibble code (2), bits 4-6 pad bits, bit 7 first run is of set bits
  Bytes code{};
  friend bool operator==(const CompressedBitmap&, const CompressedBitmap&) = default;
};

// ---- connection and volume parameters ---------------------------------------------------------------------------

struct Features {
  std::uint32_t protocol_min = 100;
  std::uint32_t feature_flags = 0;
  std::uint32_t protocol_max = 101;  ///< 0 on the wire means protocol_min
  Bytes reserved = Bytes(60, 0);     ///< node ids of DRBD 9 and zeros; always 60 bytes
  friend bool operator==(const Features&, const Features&) = default;
};
/// P_PROTOCOL and (update = true) P_PROTOCOL_UPDATE.
struct Protocol {
  bool update = false;
  ReplicationProtocol protocol = ReplicationProtocol::C;
  AfterSplitBrain after_split_brain_0_primaries = AfterSplitBrain::Disconnect;
  AfterSplitBrain after_split_brain_1_primary = AfterSplitBrain::Disconnect;
  AfterSplitBrain after_split_brain_2_primaries = AfterSplitBrain::Disconnect;
  std::uint32_t connection_flags = 0;  ///< connection_flag::*
  std::uint32_t two_primaries = 0;
  std::string integrity_algorithm{};  ///< at most 63 bytes; empty: none
  friend bool operator==(const Protocol&, const Protocol&) = default;
};
/// P_SYNC_PARAM89 of version 95 and above.
struct SyncParam {
  std::uint32_t resync_rate_kib_per_s = 250;
  std::string verify_algorithm{};      ///< at most 63 bytes
  std::string checksum_algorithm{};    ///< csums-alg, at most 63 bytes
  std::uint32_t plan_ahead_ds = 20;    ///< c-plan-ahead, tenths of a second
  std::uint32_t delay_target_ds = 10;  ///< c-delay-target, tenths of a second
  std::uint32_t fill_target_sectors = 100;
  std::uint32_t max_rate_kib_per_s = 102400;
  friend bool operator==(const SyncParam&, const SyncParam&) = default;
};
struct QueueLimits {
  std::uint32_t physical_block_bytes = 512;
  std::uint32_t logical_block_bytes = 512;
  std::uint32_t alignment_offset_bytes = 0;
  std::uint32_t io_min_bytes = 512;
  std::uint32_t io_opt_bytes = 0;
  std::uint8_t discard_enabled = 0;
  std::uint8_t discard_zeroes_data = 0;
  std::uint8_t write_same_capable = 0;
  std::uint8_t reserved = 0;
  friend bool operator==(const QueueLimits&, const QueueLimits&) = default;
};
struct Sizes {
  std::uint64_t disk_sectors = 0;     ///< d_size: usable size of the backing device
  std::uint64_t user_sectors = 0;     ///< u_size: limit by the user, 0 none
  std::uint64_t current_sectors = 0;  ///< c_size: exported now
  std::uint32_t max_bio_bytes = kMaxDataBytes;
  std::uint16_t queue_order_type = 0;
  std::uint16_t flags = 0;                    ///< size_flag::*
  std::optional<QueueLimits> queue_limits{};  ///< present exactly when feature::kWriteSame is agreed
  friend bool operator==(const Sizes&, const Sizes&) = default;
};
struct Uuids {
  std::uint64_t current = 0;
  std::uint64_t bitmap = 0;
  std::array<std::uint64_t, 2> history{};
  std::uint64_t dirty_bits = 0;
  std::uint64_t flags = 0;  ///< uuid_flag::*
  friend bool operator==(const Uuids&, const Uuids&) = default;
};
struct State {
  StateWord state{};
  friend bool operator==(const State&, const State&) = default;
};
struct SyncUuid {
  std::uint64_t uuid = 0;
  friend bool operator==(const SyncUuid&, const SyncUuid&) = default;
};
/// In the sender's view; mirror() (state.h) turns it.
struct StateChangeRequest {
  StateChange change{};
  friend bool operator==(const StateChangeRequest&, const StateChangeRequest&) = default;
};
struct StateChangeReply {
  StateChangeResult result = StateChangeResult::Success;  ///< an unlisted number is kept
  friend bool operator==(const StateChangeReply&, const StateChangeReply&) = default;
};
struct ConnectionStateChangeRequest {
  StateChange change{};
  friend bool operator==(const ConnectionStateChangeRequest&, const ConnectionStateChangeRequest&) = default;
};
struct ConnectionStateChangeReply {
  StateChangeResult result = StateChangeResult::Success;
  friend bool operator==(const ConnectionStateChangeReply&, const ConnectionStateChangeReply&) = default;
};
struct AuthChallenge {
  Bytes challenge{};  ///< 64 bytes sent; 64..128 accepted
  friend bool operator==(const AuthChallenge&, const AuthChallenge&) = default;
};
struct AuthResponse {
  Bytes digest{};  ///< HMAC(secret, challenge), length of the hash
  friend bool operator==(const AuthResponse&, const AuthResponse&) = default;
};
/// To be ignored.
struct DelayProbe {
  std::uint32_t sequence = 0;
  std::uint32_t offset_us = 0;
  friend bool operator==(const DelayProbe&, const DelayProbe&) = default;
};

// ---- packets without content ------------------------------------------------------------------------------------

struct UnplugRemote {
  friend bool operator==(const UnplugRemote&, const UnplugRemote&) = default;
};
struct Ping {
  friend bool operator==(const Ping&, const Ping&) = default;
};
struct PingAck {
  friend bool operator==(const PingAck&, const PingAck&) = default;
};
/// The first packet on a new TCP connection; says which socket it is.
struct InitialData {
  friend bool operator==(const InitialData&, const InitialData&) = default;
};
struct InitialMeta {
  friend bool operator==(const InitialMeta&, const InitialMeta&) = default;
};

using Packet = std::variant<Data, DataReply, ResyncReply, WriteSame, Trim, Zeroes, BlockAck, Barrier, BarrierAck,
                            DataRequest, ResyncRequest, ThinResyncRequest, ChecksumResyncRequest, VerifyRequest,
                            VerifyReply, OutOfSync, ResyncDeallocated, BitmapChunk, CompressedBitmap, Features,
                            Protocol, SyncParam, Sizes, Uuids, State, SyncUuid, StateChangeRequest, StateChangeReply,
                            ConnectionStateChangeRequest, ConnectionStateChangeReply, AuthChallenge, AuthResponse,
                            DelayProbe, UnplugRemote, Ping, PingAck, InitialData, InitialMeta>;

/// The packet number of a packet.
Command command_of(const Packet& packet);

}  // namespace bascule::drbd
