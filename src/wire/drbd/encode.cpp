#include "base/assert.h"
#include "wire/drbd/frame.h"

namespace bascule::drbd {
namespace {

constexpr std::size_t kStringBytes = 64;
constexpr std::size_t kFeaturesReservedBytes = 60;

/// Writes a string into a 64-byte field.
void put_text_field(ByteWriter& out, const std::string& text) {
  BASCULE_ASSERT(text.size() < kStringBytes);
  out.bytes(view_of(text)).zeros(kStringBytes - text.size());
}

template <typename Write>
void put_write(ByteWriter& out, const Write& write) {
  out.big(write.sector).big(static_cast<std::uint64_t>(write.block_id)).big(write.sequence).big(write.flags);
}

template <typename Request>
void put_request(ByteWriter& out, const Request& request) {
  out.big(request.sector).big(static_cast<std::uint64_t>(request.block_id)).big(request.size_bytes);
  out.big(request.reserved);
  if constexpr (requires { request.digest; }) out.bytes(request.digest);
}

template <typename Write>
void put_data(ByteWriter& out, const Write& write) {
  put_write(out, write);
  out.bytes(write.digest);
}

template <typename Write>
void put_discard(ByteWriter& out, const Write& write) {
  put_write(out, write);
  out.big(write.size_bytes);
}

template <typename Descriptor>
void put_descriptor(ByteWriter& out, const Descriptor& descriptor) {
  out.big(descriptor.sector).big(descriptor.size_bytes).big(descriptor.reserved);
}

/// One overload per packet: its fixed part.
struct FixedPartWriter {
  ByteWriter out;

  void operator()(const Data& packet) { put_data(out, packet); }
  void operator()(const DataReply& packet) { put_data(out, packet); }
  void operator()(const ResyncReply& packet) { put_data(out, packet); }
  void operator()(const WriteSame& packet) {
    put_discard(out, packet);
    out.bytes(packet.digest);
  }
  void operator()(const Trim& packet) { put_discard(out, packet); }
  void operator()(const Zeroes& packet) { put_discard(out, packet); }
  void operator()(const BlockAck& packet) {
    out.big(packet.sector).big(static_cast<std::uint64_t>(packet.block_id));
    out.big(packet.size_bytes).big(packet.sequence);
  }
  void operator()(const Barrier& packet) { out.big(packet.number).big(packet.reserved); }
  void operator()(const BarrierAck& packet) { out.big(packet.number).big(packet.set_size); }
  void operator()(const DataRequest& packet) { put_request(out, packet); }
  void operator()(const ResyncRequest& packet) { put_request(out, packet); }
  void operator()(const ThinResyncRequest& packet) { put_request(out, packet); }
  void operator()(const ChecksumResyncRequest& packet) { put_request(out, packet); }
  void operator()(const VerifyRequest& packet) { put_request(out, packet); }
  void operator()(const VerifyReply& packet) { put_request(out, packet); }
  void operator()(const OutOfSync& packet) { put_descriptor(out, packet); }
  void operator()(const ResyncDeallocated& packet) { put_descriptor(out, packet); }
  void operator()(const BitmapChunk& packet) { out.bytes(packet.words); }
  void operator()(const CompressedBitmap& packet) { out.big(packet.encoding).bytes(packet.code); }
  void operator()(const Features& packet) {
    BASCULE_ASSERT(packet.reserved.size() == kFeaturesReservedBytes);
    out.big(packet.protocol_min).big(packet.feature_flags).big(packet.protocol_max).bytes(packet.reserved);
  }
  void operator()(const Protocol& packet) {
    BASCULE_ASSERT(packet.integrity_algorithm.size() < kStringBytes);
    out.big(static_cast<std::uint32_t>(packet.protocol));
    out.big(static_cast<std::uint32_t>(packet.after_split_brain_0_primaries));
    out.big(static_cast<std::uint32_t>(packet.after_split_brain_1_primary));
    out.big(static_cast<std::uint32_t>(packet.after_split_brain_2_primaries));
    out.big(packet.connection_flags).big(packet.two_primaries);
    out.bytes(view_of(packet.integrity_algorithm)).zeros(1);
  }
  void operator()(const SyncParam& packet) {
    out.big(packet.resync_rate_kib_per_s);
    put_text_field(out, packet.verify_algorithm);
    put_text_field(out, packet.checksum_algorithm);
    out.big(packet.plan_ahead_ds).big(packet.delay_target_ds);
    out.big(packet.fill_target_sectors).big(packet.max_rate_kib_per_s);
  }
  void operator()(const QueueLimits& limits) {
    out.big(limits.physical_block_bytes).big(limits.logical_block_bytes).big(limits.alignment_offset_bytes);
    out.big(limits.io_min_bytes).big(limits.io_opt_bytes);
    out.big(limits.discard_enabled).big(limits.discard_zeroes_data).big(limits.write_same_capable).big(limits.reserved);
  }
  void operator()(const Sizes& packet) {
    out.big(packet.disk_sectors).big(packet.user_sectors).big(packet.current_sectors);
    out.big(packet.max_bio_bytes).big(packet.queue_order_type).big(packet.flags);
    if (packet.queue_limits) (*this)(*packet.queue_limits);
  }
  void operator()(const Uuids& packet) {
    out.big(packet.current).big(packet.bitmap).big(packet.history[0]).big(packet.history[1]);
    out.big(packet.dirty_bits).big(packet.flags);
  }
  void operator()(const State& packet) { out.big(encode_state(packet.state)); }
  void operator()(const SyncUuid& packet) { out.big(packet.uuid); }
  void operator()(const StateChange& change) { out.big(change.mask).big(change.value); }
  void operator()(const StateChangeRequest& packet) { (*this)(packet.change); }
  void operator()(const StateChangeReply& packet) { out.big(static_cast<std::int32_t>(packet.result)); }
  void operator()(const ConnectionStateChangeRequest& packet) { (*this)(packet.change); }
  void operator()(const ConnectionStateChangeReply& packet) { out.big(static_cast<std::int32_t>(packet.result)); }
  void operator()(const AuthChallenge& packet) { out.bytes(packet.challenge); }
  void operator()(const AuthResponse& packet) { out.bytes(packet.digest); }
  void operator()(const DelayProbe& packet) { out.big(packet.sequence).big(packet.offset_us); }
  void operator()(const UnplugRemote&) {}
  void operator()(const Ping&) {}
  void operator()(const PingAck&) {}
  void operator()(const InitialData&) {}
  void operator()(const InitialMeta&) {}
};

struct CommandOf {
  Command operator()(const Data&) const { return Command::Data; }
  Command operator()(const DataReply&) const { return Command::DataReply; }
  Command operator()(const ResyncReply&) const { return Command::ResyncDataReply; }
  Command operator()(const WriteSame&) const { return Command::WriteSame; }
  Command operator()(const Trim&) const { return Command::Trim; }
  Command operator()(const Zeroes&) const { return Command::Zeroes; }
  Command operator()(const BlockAck& ack) const { return static_cast<Command>(ack.kind); }
  Command operator()(const Barrier&) const { return Command::Barrier; }
  Command operator()(const BarrierAck&) const { return Command::BarrierAck; }
  Command operator()(const DataRequest&) const { return Command::DataRequest; }
  Command operator()(const ResyncRequest&) const { return Command::ResyncDataRequest; }
  Command operator()(const ThinResyncRequest&) const { return Command::ThinResyncRequest; }
  Command operator()(const ChecksumResyncRequest&) const { return Command::ChecksumResyncRequest; }
  Command operator()(const VerifyRequest&) const { return Command::VerifyRequest; }
  Command operator()(const VerifyReply&) const { return Command::VerifyReply; }
  Command operator()(const OutOfSync&) const { return Command::OutOfSync; }
  Command operator()(const ResyncDeallocated&) const { return Command::ResyncDeallocated; }
  Command operator()(const BitmapChunk&) const { return Command::Bitmap; }
  Command operator()(const drbd::CompressedBitmap&) const { return Command::CompressedBitmap; }
  Command operator()(const drbd::Features&) const { return Command::Features; }
  Command operator()(const drbd::Protocol& protocol) const {
    return protocol.update ? Command::ProtocolUpdate : Command::Protocol;
  }
  Command operator()(const SyncParam&) const { return Command::SyncParam; }
  Command operator()(const Sizes&) const { return Command::Sizes; }
  Command operator()(const Uuids&) const { return Command::Uuids; }
  Command operator()(const State&) const { return Command::State; }
  Command operator()(const SyncUuid&) const { return Command::SyncUuid; }
  Command operator()(const StateChangeRequest&) const { return Command::StateChangeRequest; }
  Command operator()(const StateChangeReply&) const { return Command::StateChangeReply; }
  Command operator()(const ConnectionStateChangeRequest&) const { return Command::ConnectionStateChangeRequest; }
  Command operator()(const ConnectionStateChangeReply&) const { return Command::ConnectionStateChangeReply; }
  Command operator()(const AuthChallenge&) const { return Command::AuthChallenge; }
  Command operator()(const AuthResponse&) const { return Command::AuthResponse; }
  Command operator()(const DelayProbe&) const { return Command::DelayProbe; }
  Command operator()(const UnplugRemote&) const { return Command::UnplugRemote; }
  Command operator()(const Ping&) const { return Command::Ping; }
  Command operator()(const PingAck&) const { return Command::PingAck; }
  Command operator()(const InitialData&) const { return Command::InitialData; }
  Command operator()(const InitialMeta&) const { return Command::InitialMeta; }
};

struct PayloadOf {
  std::uint32_t operator()(const Data& packet) const { return packet.size_bytes; }
  std::uint32_t operator()(const DataReply& packet) const { return packet.size_bytes; }
  std::uint32_t operator()(const ResyncReply& packet) const { return packet.size_bytes; }
  std::uint32_t operator()(const WriteSame& packet) const { return packet.block_size_bytes; }
  template <typename Other>
  std::uint32_t operator()(const Other&) const {
    return 0;
  }
};

}  // namespace

Command command_of(const Packet& packet) { return std::visit(CommandOf{}, packet); }

std::uint32_t payload_bytes_of(const Packet& packet) { return std::visit(PayloadOf{}, packet); }

void encode_to(Bytes& out, const Packet& packet, std::uint16_t volume, const WireOptions& options) {
  Bytes fixed;
  std::visit(FixedPartWriter{ByteWriter(fixed)}, packet);
  const auto length = static_cast<std::uint32_t>(fixed.size()) + payload_bytes_of(packet);
  encode_header(out, {.kind = header_kind(options.agreed_version, length),
                      .volume = volume,
                      .command = static_cast<std::uint16_t>(command_of(packet)),
                      .length = length});
  out.insert(out.end(), fixed.begin(), fixed.end());
}

Bytes encode(const Packet& packet, std::uint16_t volume, const WireOptions& options) {
  Bytes out;
  encode_to(out, packet, volume, options);
  return out;
}

}  // namespace bascule::drbd
