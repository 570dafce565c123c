#include <fmt/format.h>

#include <algorithm>

#include "wire/drbd/detail/commands.h"

namespace bascule::drbd {
namespace detail {
namespace {

constexpr std::uint32_t kMaxDigestBytes = 64;
constexpr std::uint32_t kMaxStringBytes = 64;
constexpr std::uint32_t kMaxBulkBytes = 28 + kMaxDigestBytes + kMaxDataBytes;
constexpr std::uint32_t kMaxCodeBytes = kMaxControlPacketBytes - 16;
/// Byte positions of such sectors fit a signed 64-bit number with room to spare.
constexpr std::uint64_t kSectorLimit = 1ULL << 53;

tl::unexpected<Error> wrong_field(Command command, const char* field, std::string why) {
  return fail("DRBD packet is wrong", fmt::format("{}, {}", name_of(command), field), std::move(why));
}

std::optional<Error> range_error(Command command, std::uint64_t sector, std::uint32_t size_bytes,
                                 std::uint32_t limit_bytes) {
  if (sector >= kSectorLimit) return wrong_field(command, "sector", fmt::format("{} is on no device", sector)).value();
  if (size_bytes == 0 || size_bytes % 512 != 0)
    return wrong_field(command, "size", fmt::format("{} bytes is no multiple of 512", size_bytes)).value();
  if (size_bytes > limit_bytes)
    return wrong_field(command, "size", fmt::format("{} bytes is over {}", size_bytes, limit_bytes)).value();
  return std::nullopt;
}

std::uint32_t discard_limit(const WireOptions& options) {
  return (options.feature_flags & feature::kWriteSame) != 0 ? kMaxDiscardBytes : kMaxDiscardBytesPlain;
}

Bytes bytes_of(ByteView view) { return {view.begin(), view.end()}; }

/// A string that must end in a NUL inside `field`.
Result<std::string> text_field(Command command, const char* name, ByteView field) {
  const auto end = std::find(field.begin(), field.end(), Byte{0});
  if (end == field.end()) return wrong_field(command, name, "it does not end in a zero byte");
  return std::string(field.begin(), end);
}

template <typename Write>
Write write_fields(ByteReader& reader) {
  Write write;
  write.sector = reader.big<std::uint64_t>();
  write.block_id = static_cast<BlockId>(reader.big<std::uint64_t>());
  write.sequence = reader.big<std::uint32_t>();
  write.flags = reader.big<std::uint32_t>();
  return write;
}

template <typename Write>
Result<Packet> parse_data(const FixedPart& part) {
  ByteReader reader(part.bytes);
  Write write = write_fields<Write>(reader);
  write.digest = bytes_of(reader.rest());
  write.size_bytes = part.length - static_cast<std::uint32_t>(part.bytes.size());
  if (auto error = range_error(part.command, write.sector, write.size_bytes, kMaxDataBytes))
    return tl::unexpected(*error);
  return write;
}

Result<Packet> parse_write_same(const FixedPart& part) {
  ByteReader reader(part.bytes);
  auto write = write_fields<WriteSame>(reader);
  write.size_bytes = reader.big<std::uint32_t>();
  write.digest = bytes_of(reader.rest());
  write.block_size_bytes = part.length - static_cast<std::uint32_t>(part.bytes.size());
  if (auto error = range_error(part.command, write.sector, write.size_bytes, discard_limit(part.options)))
    return tl::unexpected(*error);
  if (auto error = range_error(part.command, write.sector, write.block_size_bytes, 4096)) return tl::unexpected(*error);
  return write;
}

template <typename Write>
Result<Packet> parse_discard(const FixedPart& part) {
  ByteReader reader(part.bytes);
  Write write = write_fields<Write>(reader);
  write.size_bytes = reader.big<std::uint32_t>();
  if (auto error = range_error(part.command, write.sector, write.size_bytes, discard_limit(part.options)))
    return tl::unexpected(*error);
  return write;
}

/// The size is not judged: the engine finds what is acknowledged by sector and block id.
Result<Packet> parse_ack(const FixedPart& part) {
  ByteReader reader(part.bytes);
  BlockAck ack{.kind = static_cast<BlockAck::Kind>(part.command)};
  ack.sector = reader.big<std::uint64_t>();
  ack.block_id = static_cast<BlockId>(reader.big<std::uint64_t>());
  ack.size_bytes = reader.big<std::uint32_t>();
  ack.sequence = reader.big<std::uint32_t>();
  if (ack.sector >= kSectorLimit)
    return wrong_field(part.command, "sector", fmt::format("{} is on no device", ack.sector));
  return ack;
}

template <typename Request>
Result<Packet> parse_request(const FixedPart& part) {
  ByteReader reader(part.bytes);
  Request request;
  request.sector = reader.big<std::uint64_t>();
  request.block_id = static_cast<BlockId>(reader.big<std::uint64_t>());
  request.size_bytes = reader.big<std::uint32_t>();
  request.reserved = reader.big<std::uint32_t>();
  if constexpr (requires { request.digest; }) request.digest = bytes_of(reader.rest());
  if (auto error = range_error(part.command, request.sector, request.size_bytes, kMaxDataBytes))
    return tl::unexpected(*error);
  return request;
}

template <typename Descriptor>
Result<Packet> parse_descriptor(const FixedPart& part) {
  ByteReader reader(part.bytes);
  Descriptor descriptor;
  descriptor.sector = reader.big<std::uint64_t>();
  descriptor.size_bytes = reader.big<std::uint32_t>();
  descriptor.reserved = reader.big<std::uint32_t>();
  if (auto error = range_error(part.command, descriptor.sector, descriptor.size_bytes, kMaxDiscardBytes))
    return tl::unexpected(*error);
  return descriptor;
}

template <typename Nothing>
Result<Packet> parse_empty(const FixedPart&) {
  return Nothing{};
}

Result<Packet> parse_barrier(const FixedPart& part) {
  ByteReader reader(part.bytes);
  const auto number = reader.big<std::uint32_t>();
  return Barrier{.number = number, .reserved = reader.big<std::uint32_t>()};
}

Result<Packet> parse_barrier_ack(const FixedPart& part) {
  ByteReader reader(part.bytes);
  const auto number = reader.big<std::uint32_t>();
  return BarrierAck{.number = number, .set_size = reader.big<std::uint32_t>()};
}

Result<Packet> parse_bitmap(const FixedPart& part) {
  if (part.bytes.size() % 8 != 0)
    return wrong_field(part.command, "length", fmt::format("{} bytes are not whole words", part.bytes.size()));
  return BitmapChunk{.words = bytes_of(part.bytes)};
}

Result<Packet> parse_compressed(const FixedPart& part) {
  return CompressedBitmap{.encoding = part.bytes[0], .code = bytes_of(part.bytes.subspan(1))};
}

Result<Packet> parse_features(const FixedPart& part) {
  ByteReader reader(part.bytes);
  Features features;
  features.protocol_min = reader.big<std::uint32_t>();
  features.feature_flags = reader.big<std::uint32_t>();
  features.protocol_max = reader.big<std::uint32_t>();
  features.reserved = bytes_of(reader.rest());
  return features;
}

Result<Packet> parse_protocol(const FixedPart& part) {
  ByteReader reader(part.bytes);
  Protocol protocol{.update = part.command == Command::ProtocolUpdate};
  protocol.protocol = static_cast<ReplicationProtocol>(reader.big<std::uint32_t>());
  protocol.after_split_brain_0_primaries = static_cast<AfterSplitBrain>(reader.big<std::uint32_t>());
  protocol.after_split_brain_1_primary = static_cast<AfterSplitBrain>(reader.big<std::uint32_t>());
  protocol.after_split_brain_2_primaries = static_cast<AfterSplitBrain>(reader.big<std::uint32_t>());
  protocol.connection_flags = reader.big<std::uint32_t>();
  protocol.two_primaries = reader.big<std::uint32_t>();
  auto algorithm = text_field(part.command, "integrity algorithm", reader.rest());
  if (!algorithm) return tl::unexpected(algorithm.error());
  protocol.integrity_algorithm = std::move(*algorithm);
  const auto letter = static_cast<std::uint32_t>(protocol.protocol);
  if (letter < 1 || letter > 3)
    return wrong_field(part.command, "protocol", fmt::format("{} is not A, B or C", letter));
  return protocol;
}

Result<Packet> parse_sync_param(const FixedPart& part) {
  ByteReader reader(part.bytes);
  SyncParam param;
  param.resync_rate_kib_per_s = reader.big<std::uint32_t>();
  auto verify = text_field(part.command, "verify algorithm", reader.take(kMaxStringBytes));
  if (!verify) return tl::unexpected(verify.error());
  auto checksum = text_field(part.command, "checksum algorithm", reader.take(kMaxStringBytes));
  if (!checksum) return tl::unexpected(checksum.error());
  param.verify_algorithm = std::move(*verify);
  param.checksum_algorithm = std::move(*checksum);
  param.plan_ahead_ds = reader.big<std::uint32_t>();
  param.delay_target_ds = reader.big<std::uint32_t>();
  param.fill_target_sectors = reader.big<std::uint32_t>();
  param.max_rate_kib_per_s = reader.big<std::uint32_t>();
  return param;
}

QueueLimits queue_limits(ByteReader& reader) {
  QueueLimits limits;
  limits.physical_block_bytes = reader.big<std::uint32_t>();
  limits.logical_block_bytes = reader.big<std::uint32_t>();
  limits.alignment_offset_bytes = reader.big<std::uint32_t>();
  limits.io_min_bytes = reader.big<std::uint32_t>();
  limits.io_opt_bytes = reader.big<std::uint32_t>();
  limits.discard_enabled = reader.big<std::uint8_t>();
  limits.discard_zeroes_data = reader.big<std::uint8_t>();
  limits.write_same_capable = reader.big<std::uint8_t>();
  limits.reserved = reader.big<std::uint8_t>();
  return limits;
}

Result<Packet> parse_sizes(const FixedPart& part) {
  const bool with_limits = (part.options.feature_flags & feature::kWriteSame) != 0;
  if (part.bytes.size() != (with_limits ? 56U : 32U))
    return wrong_field(part.command, "length",
                       fmt::format("{} bytes, but the agreed features ask for {}", part.bytes.size(),
                                   with_limits ? "queue limits (56)" : "no queue limits (32)"));
  ByteReader reader(part.bytes);
  Sizes sizes;
  sizes.disk_sectors = reader.big<std::uint64_t>();
  sizes.user_sectors = reader.big<std::uint64_t>();
  sizes.current_sectors = reader.big<std::uint64_t>();
  sizes.max_bio_bytes = reader.big<std::uint32_t>();
  sizes.queue_order_type = reader.big<std::uint16_t>();
  sizes.flags = reader.big<std::uint16_t>();
  if (with_limits) sizes.queue_limits = queue_limits(reader);
  return sizes;
}

Result<Packet> parse_uuids(const FixedPart& part) {
  ByteReader reader(part.bytes);
  Uuids uuids;
  uuids.current = reader.big<std::uint64_t>();
  uuids.bitmap = reader.big<std::uint64_t>();
  for (std::uint64_t& history : uuids.history) history = reader.big<std::uint64_t>();
  uuids.dirty_bits = reader.big<std::uint64_t>();
  uuids.flags = reader.big<std::uint64_t>();
  return uuids;
}

Result<Packet> parse_state(const FixedPart& part) {
  auto state = decode_state(get_big<std::uint32_t>(part.bytes, 0));
  if (!state) return tl::unexpected(state.error());
  return State{*state};
}

Result<Packet> parse_sync_uuid(const FixedPart& part) { return SyncUuid{get_big<std::uint64_t>(part.bytes, 0)}; }

template <typename Request>
Result<Packet> parse_change(const FixedPart& part) {
  return Request{{.mask = get_big<std::uint32_t>(part.bytes, 0), .value = get_big<std::uint32_t>(part.bytes, 4)}};
}

template <typename Reply>
Result<Packet> parse_change_reply(const FixedPart& part) {
  return Reply{static_cast<StateChangeResult>(get_big<std::int32_t>(part.bytes, 0))};
}

Result<Packet> parse_challenge(const FixedPart& part) { return AuthChallenge{bytes_of(part.bytes)}; }

Result<Packet> parse_response(const FixedPart& part) { return AuthResponse{bytes_of(part.bytes)}; }

Result<Packet> parse_delay_probe(const FixedPart& part) {
  return DelayProbe{get_big<std::uint32_t>(part.bytes, 0), get_big<std::uint32_t>(part.bytes, 4)};
}

constexpr std::uint8_t kEither = kOnData | kOnMeta;
constexpr CommandInfo kTable[] = {
    {Command::Data, "P_DATA", kOnData, 24, kMaxBulkBytes, true, parse_data<Data>},
    {Command::DataReply, "P_DATA_REPLY", kOnData, 24, kMaxBulkBytes, true, parse_data<DataReply>},
    {Command::ResyncDataReply, "P_RS_DATA_REPLY", kOnData, 24, kMaxBulkBytes, true, parse_data<ResyncReply>},
    {Command::Barrier, "P_BARRIER", kOnData, 8, 8, false, parse_barrier},
    {Command::Bitmap, "P_BITMAP", kOnData, 0, kMaxCodeBytes, false, parse_bitmap},
    {Command::UnplugRemote, "P_UNPLUG_REMOTE", kOnData, 0, 0, false, parse_empty<UnplugRemote>},
    {Command::DataRequest, "P_DATA_REQUEST", kOnData, 24, 24, false, parse_request<DataRequest>},
    {Command::ResyncDataRequest, "P_RS_DATA_REQUEST", kOnData, 24, 24, false, parse_request<ResyncRequest>},
    {Command::Protocol, "P_PROTOCOL", kOnData, 25, 24 + kMaxStringBytes, false, parse_protocol},
    {Command::Uuids, "P_UUIDS", kOnData, 48, 48, false, parse_uuids},
    {Command::Sizes, "P_SIZES", kOnData, 32, 56, false, parse_sizes},
    {Command::State, "P_STATE", kOnData, 4, 4, false, parse_state},
    {Command::SyncUuid, "P_SYNC_UUID", kOnData, 8, 8, false, parse_sync_uuid},
    {Command::AuthChallenge, "P_AUTH_CHALLENGE", kOnData, 64, 128, false, parse_challenge},
    {Command::AuthResponse, "P_AUTH_RESPONSE", kOnData, 1, kMaxDigestBytes, false, parse_response},
    {Command::StateChangeRequest, "P_STATE_CHG_REQ", kOnData, 8, 8, false, parse_change<StateChangeRequest>},
    {Command::Ping, "P_PING", kOnMeta, 0, 0, false, parse_empty<Ping>},
    {Command::PingAck, "P_PING_ACK", kOnMeta, 0, 0, false, parse_empty<PingAck>},
    {Command::ReceiveAck, "P_RECV_ACK", kOnMeta, 24, 24, false, parse_ack},
    {Command::WriteAck, "P_WRITE_ACK", kOnMeta, 24, 24, false, parse_ack},
    {Command::ResyncWriteAck, "P_RS_WRITE_ACK", kOnMeta, 24, 24, false, parse_ack},
    {Command::Superseded, "P_SUPERSEDED", kOnMeta, 24, 24, false, parse_ack},
    {Command::NegativeAck, "P_NEG_ACK", kOnMeta, 24, 24, false, parse_ack},
    {Command::NegativeDataReply, "P_NEG_DREPLY", kOnMeta, 24, 24, false, parse_ack},
    {Command::NegativeResyncReply, "P_NEG_RS_DREPLY", kOnMeta, 24, 24, false, parse_ack},
    {Command::BarrierAck, "P_BARRIER_ACK", kOnMeta, 8, 8, false, parse_barrier_ack},
    {Command::StateChangeReply, "P_STATE_CHG_REPLY", kOnMeta, 4, 4, false, parse_change_reply<StateChangeReply>},
    {Command::VerifyRequest, "P_OV_REQUEST", kOnData, 24, 24, false, parse_request<VerifyRequest>},
    {Command::VerifyReply, "P_OV_REPLY", kOnData, 25, 24 + kMaxDigestBytes, false, parse_request<VerifyReply>},
    {Command::VerifyResult, "P_OV_RESULT", kOnMeta, 24, 24, false, parse_ack},
    {Command::ChecksumResyncRequest, "P_CSUM_RS_REQUEST", kOnData, 25, 24 + kMaxDigestBytes, false,
     parse_request<ChecksumResyncRequest>},
    {Command::ResyncIsInSync, "P_RS_IS_IN_SYNC", kOnMeta, 24, 24, false, parse_ack},
    {Command::SyncParam, "P_SYNC_PARAM89", kOnData, 148, 148, false, parse_sync_param},
    {Command::CompressedBitmap, "P_COMPRESSED_BITMAP", kOnData, 2, kMaxCodeBytes, false, parse_compressed},
    {Command::DelayProbe, "P_DELAY_PROBE", kEither, 8, 8, false, parse_delay_probe},
    {Command::OutOfSync, "P_OUT_OF_SYNC", kOnData, 16, 16, false, parse_descriptor<OutOfSync>},
    {Command::ResyncCancel, "P_RS_CANCEL", kOnMeta, 24, 24, false, parse_ack},
    {Command::ConnectionStateChangeRequest, "P_CONN_ST_CHG_REQ", kOnData, 8, 8, false,
     parse_change<ConnectionStateChangeRequest>},
    {Command::ConnectionStateChangeReply, "P_CONN_ST_CHG_REPLY", kOnMeta, 4, 4, false,
     parse_change_reply<ConnectionStateChangeReply>},
    {Command::RetryWrite, "P_RETRY_WRITE", kOnMeta, 24, 24, false, parse_ack},
    {Command::ProtocolUpdate, "P_PROTOCOL_UPDATE", kOnData, 25, 24 + kMaxStringBytes, false, parse_protocol},
    {Command::Trim, "P_TRIM", kOnData, 28, 28, false, parse_discard<Trim>},
    {Command::ThinResyncRequest, "P_RS_THIN_REQ", kOnData, 24, 24, false, parse_request<ThinResyncRequest>},
    {Command::ResyncDeallocated, "P_RS_DEALLOCATED", kOnData, 16, 16, false, parse_descriptor<ResyncDeallocated>},
    {Command::WriteSame, "P_WSAME", kOnData, 28, kMaxBulkBytes, true, parse_write_same},
    {Command::Zeroes, "P_ZEROES", kOnData, 28, 28, false, parse_discard<Zeroes>},
    {Command::InitialMeta, "P_INITIAL_META", kEither, 0, 0, false, parse_empty<InitialMeta>},
    {Command::InitialData, "P_INITIAL_DATA", kEither, 0, 0, false, parse_empty<InitialData>},
    {Command::Features, "P_CONNECTION_FEATURES", kOnData, 72, 72, false, parse_features},
};

}  // namespace

std::span<const CommandInfo> command_table() { return kTable; }

const CommandInfo* find_command(std::uint16_t number) {
  const auto at = std::ranges::lower_bound(kTable, static_cast<Command>(number), {}, &CommandInfo::command);
  return at != std::end(kTable) && at->command == static_cast<Command>(number) ? at : nullptr;
}

}  // namespace detail

namespace {

using detail::CommandInfo;

/// The packets that travel before the version is agreed, and only then.
bool opens_connection(Command command) {
  return command == Command::InitialData || command == Command::InitialMeta || command == Command::Features;
}

std::optional<Error> refusal(const Header& header, Socket socket, const WireOptions& options) {
  const CommandInfo* info = detail::find_command(header.command);
  if (info == nullptr)
    return fail("DRBD packet is wrong", "command", fmt::format("0x{:04x} is unknown", header.command)).value();
  if (!allowed_on(info->command, socket))
    return fail("DRBD packet is wrong", info->name,
                fmt::format("not allowed on the {} socket", socket == Socket::Data ? "data" : "meta"))
        .value();
  if (opens_connection(info->command) != (options.agreed_version == 0))
    return fail("DRBD packet is wrong", info->name,
                options.agreed_version == 0 ? "comes before the versions were exchanged" : "comes a second time")
        .value();
  const std::uint32_t digest_bytes = info->bulk ? options.integrity_digest_bytes : 0;
  if (header.length < info->min_bytes + digest_bytes || header.length > info->max_bytes)
    return fail("DRBD packet is wrong", fmt::format("{}, length", info->name),
                fmt::format("{} is not within {}..{}", header.length, info->min_bytes + digest_bytes, info->max_bytes))
        .value();
  return std::nullopt;
}

}  // namespace

const char* name_of(Command command) {
  const CommandInfo* info = detail::find_command(static_cast<std::uint16_t>(command));
  return info == nullptr ? nullptr : info->name;
}

bool allowed_on(Command command, Socket socket) {
  const CommandInfo* info = detail::find_command(static_cast<std::uint16_t>(command));
  return info != nullptr && (info->where & (socket == Socket::Data ? detail::kOnData : detail::kOnMeta)) != 0;
}

Result<DecodeStep> decode_frame(ByteView received, Socket socket, const WireOptions& options) {
  auto header = decode_header(received, options.agreed_version);
  if (!header) return tl::unexpected(header.error());
  if (!*header) {
    const std::size_t wanted = received.size() < 4 ? 4 : header_bytes(header_kind(options.agreed_version, 0));
    return NeedMore{wanted - received.size()};
  }
  if (auto error = refusal(**header, socket, options)) return tl::unexpected(*error);
  const CommandInfo& info = *detail::find_command((*header)->command);
  const std::size_t fixed_bytes = info.bulk ? info.min_bytes + options.integrity_digest_bytes : (*header)->length;
  const std::size_t at = header_bytes((*header)->kind);
  if (received.size() < at + fixed_bytes) return NeedMore{at + fixed_bytes - received.size()};
  auto packet = info.parse({received.subspan(at, fixed_bytes), info.command, (*header)->length, options});
  if (!packet) return tl::unexpected(packet.error());
  return Frame{.packet = std::move(*packet),
               .volume = (*header)->volume,
               .consumed_bytes = at + fixed_bytes,
               .payload_bytes = (*header)->length - static_cast<std::uint32_t>(fixed_bytes)};
}

}  // namespace bascule::drbd
