#include "wire/drbd/frame.h"

#include <gtest/gtest.h>

namespace bascule::drbd {
namespace {

constexpr WireOptions kAgreed{.agreed_version = 101, .feature_flags = 0xf};

/// A packet with header, as a peer would send it, from its number and fixed part.
Bytes raw_packet(std::uint16_t command, const Bytes& fixed, std::uint32_t data_bytes = 0) {
  Bytes out;
  encode_header(
      out,
      {.kind = HeaderKind::H100, .command = command, .length = static_cast<std::uint32_t>(fixed.size()) + data_bytes});
  out.insert(out.end(), fixed.begin(), fixed.end());
  return out;
}

Error error_of(const Bytes& bytes, Socket socket, const WireOptions& options = kAgreed) {
  const auto step = decode_frame(bytes, socket, options);
  if (step) {
    ADD_FAILURE() << "decoded";
    return {};
  }
  return step.error();
}

Packet decoded(const Bytes& bytes, Socket socket, const WireOptions& options = kAgreed) {
  const auto step = decode_frame(bytes, socket, options);
  if (!step || !std::holds_alternative<Frame>(*step)) {
    ADD_FAILURE() << (step ? "incomplete" : step.error().text());
    return Ping{};
  }
  return std::get<Frame>(*step).packet;
}

void append_block_acks(std::vector<Packet>& packets, BlockId id) {
  for (const auto kind : {BlockAck::Kind::ReceiveAck, BlockAck::Kind::WriteAck, BlockAck::Kind::ResyncWriteAck,
                          BlockAck::Kind::Superseded, BlockAck::Kind::NegativeAck, BlockAck::Kind::NegativeDataReply,
                          BlockAck::Kind::NegativeResyncReply, BlockAck::Kind::VerifyResult,
                          BlockAck::Kind::ResyncIsInSync, BlockAck::Kind::ResyncCancel, BlockAck::Kind::RetryWrite})
    packets.push_back(BlockAck{.kind = kind, .sector = 8, .block_id = id, .size_bytes = 4096, .sequence = 2});
}

/// One example of each packet, with every field different from its default.
std::vector<Packet> examples() {
  const BlockId id{0x1122334455667788};
  const StateChange change{.mask = 0x1f0, .value = 0x10};
  const QueueLimits limits{4096, 512, 1, 4096, 65536, 1, 1, 1, 9};
  std::vector<Packet> packets{
      Data{.sector = 8, .block_id = id, .sequence = 9, .flags = 0x102, .size_bytes = 4096, .digest = {}},
      DataReply{.sector = 8, .block_id = id, .sequence = 1, .flags = 2, .size_bytes = 512, .digest = {}},
      ResyncReply{.sector = 8, .block_id = id, .sequence = 1, .flags = 2, .size_bytes = 1 << 20, .digest = {}},
      WriteSame{.sector = 8,
                .block_id = id,
                .sequence = 1,
                .flags = 512,
                .size_bytes = 1 << 20,
                .block_size_bytes = 512,
                .digest = {}},
      Trim{.sector = 8, .block_id = id, .sequence = 1, .flags = 0x140, .size_bytes = 128 << 20},
      Zeroes{.sector = 8, .block_id = id, .sequence = 1, .flags = 0x500, .size_bytes = 65536},
      Barrier{.number = 0x01000000, .reserved = 5},
      BarrierAck{.number = 0x01000000, .set_size = 3},
      DataRequest{.sector = 1, .block_id = id, .size_bytes = 512, .reserved = 7},
      ResyncRequest{.sector = 1, .block_id = id, .size_bytes = 4096, .reserved = 7},
      ThinResyncRequest{.sector = 1, .block_id = id, .size_bytes = 65536, .reserved = 7},
      ChecksumResyncRequest{.sector = 1, .block_id = id, .size_bytes = 4096, .reserved = 7, .digest = {1, 2, 3, 4}},
      VerifyRequest{.sector = 1, .block_id = id, .size_bytes = 4096, .reserved = 7},
      VerifyReply{.sector = 1, .block_id = id, .size_bytes = 4096, .reserved = 7, .digest = Bytes(64, 3)},
      OutOfSync{.sector = 1, .size_bytes = 4096, .reserved = 7},
      ResyncDeallocated{.sector = 1, .size_bytes = 65536, .reserved = 7},
      BitmapChunk{.words = Bytes(16, 0x5a)},
      BitmapChunk{},
      CompressedBitmap{.encoding = 0xb2, .code = {0x7f, 0xc5, 0x1e, 0}},
      Protocol{.update = false,
               .protocol = ReplicationProtocol::A,
               .after_split_brain_0_primaries = AfterSplitBrain::DiscardZeroChanges,
               .after_split_brain_1_primary = AfterSplitBrain::Consensus,
               .after_split_brain_2_primaries = AfterSplitBrain::Violently,
               .connection_flags = 1,
               .two_primaries = 1,
               .integrity_algorithm = "crc32c"},
      Protocol{.update = true, .integrity_algorithm = "sha1"},
      SyncParam{.resync_rate_kib_per_s = 1,
                .verify_algorithm = "sha256",
                .checksum_algorithm = "crc32c",
                .plan_ahead_ds = 2,
                .delay_target_ds = 3,
                .fill_target_sectors = 4,
                .max_rate_kib_per_s = 5},
      Sizes{.disk_sectors = 1,
            .user_sectors = 2,
            .current_sectors = 3,
            .max_bio_bytes = 4,
            .queue_order_type = 5,
            .flags = 3,
            .queue_limits = limits},
      Uuids{.current = 1, .bitmap = 2, .history = {3, 4}, .dirty_bits = 5, .flags = 6},
      State{*decode_state(0x110a6)},
      SyncUuid{0x22dd},
      StateChangeRequest{change},
      StateChangeReply{StateChangeResult::ConcurrentStateChange},
      ConnectionStateChangeRequest{change},
      ConnectionStateChangeReply{StateChangeResult::Success},
      AuthChallenge{Bytes(64, 7)},
      AuthResponse{Bytes(20, 8)},
      DelayProbe{1, 2},
      UnplugRemote{},
      Ping{},
      PingAck{}};
  append_block_acks(packets, id);
  return packets;
}

Socket socket_for(const Packet& packet) {
  return allowed_on(command_of(packet), Socket::Data) ? Socket::Data : Socket::Meta;
}

TEST(Frame, EveryPacketSurvivesTheRoundTrip) {
  for (const Packet& packet : examples()) {
    SCOPED_TRACE(name_of(command_of(packet)));
    EXPECT_TRUE(decoded(encode(packet, 3, kAgreed), socket_for(packet)) == packet);
  }
}

TEST(Frame, OpeningPacketsSurviveTheRoundTrip) {
  const WireOptions opening{};
  const Packet features = Features{.protocol_min = 86, .feature_flags = 0xf, .protocol_max = 101};
  EXPECT_EQ(encode(features, 0, opening).size(), 80U);
  EXPECT_TRUE(decoded(encode(features, 0, opening), Socket::Data, opening) == features);
  EXPECT_TRUE(decoded(encode(InitialMeta{}, 0, opening), Socket::Data, opening) == Packet(InitialMeta{}));
  EXPECT_TRUE(decoded(encode(InitialData{}, 0, opening), Socket::Meta, opening) == Packet(InitialData{}));
}

TEST(Frame, DataFollowsTheFixedPart) {
  const WireOptions with_digest{.agreed_version = 101, .feature_flags = 0xf, .integrity_digest_bytes = 4};
  const Data data{.sector = 2048,
                  .block_id = BlockId{5},
                  .sequence = 1,
                  .flags = 0x102,
                  .size_bytes = 8192,
                  .digest = {1, 2, 3, 4}};
  const Bytes bytes = encode(data, 2, with_digest);
  EXPECT_EQ(bytes.size(), 16U + 24 + 4);
  const auto step = decode_frame(bytes, Socket::Data, with_digest);
  ASSERT_TRUE(step);
  const auto& frame = std::get<Frame>(*step);
  EXPECT_EQ(frame.volume, 2);
  EXPECT_EQ(frame.consumed_bytes, bytes.size());
  EXPECT_EQ(frame.payload_bytes, 8192U);
  EXPECT_TRUE(std::get<Data>(frame.packet) == data);
}

TEST(Frame, TrimCarriesNoDigestEvenWhenDigestsAreInUse) {
  const WireOptions with_digest{.agreed_version = 101, .feature_flags = 0xf, .integrity_digest_bytes = 4};
  const Packet trim = Trim{.sector = 0, .size_bytes = 4096};
  EXPECT_TRUE(decoded(encode(trim, 0, with_digest), Socket::Data, with_digest) == trim);
}

TEST(Frame, ArrivingByteByByteAsksForMoreUntilItIsThere) {
  for (const Packet& packet : examples()) {
    const Bytes bytes = encode(packet, 0, kAgreed);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const auto step = decode_frame(ByteView(bytes).first(size), socket_for(packet), kAgreed);
      ASSERT_TRUE(step) << step.error().text();
      const auto* more = std::get_if<NeedMore>(&*step);
      ASSERT_NE(more, nullptr) << name_of(command_of(packet)) << " at " << size;
      ASSERT_LE(size + more->bytes, bytes.size());
    }
  }
}

TEST(Frame, UnknownCommandIsAnError) {
  EXPECT_EQ(error_of(raw_packet(0x05, {}), Socket::Data).why, "0x0005 is unknown");
  EXPECT_EQ(error_of(raw_packet(0x2e, Bytes(36)), Socket::Data).why, "0x002e is unknown");
}

TEST(Frame, SocketsAreKeptApart) {
  EXPECT_EQ(error_of(encode(Ping{}, 0, kAgreed), Socket::Data).why, "not allowed on the data socket");
  EXPECT_EQ(error_of(encode(SyncUuid{1}, 0, kAgreed), Socket::Meta).why, "not allowed on the meta socket");
}

TEST(Frame, OpeningPacketsComeFirstAndOnce) {
  EXPECT_EQ(error_of(encode(InitialData{}, 0, kAgreed), Socket::Data).why, "comes a second time");
  Bytes ping;
  encode_header(ping, {.kind = HeaderKind::H80, .command = 0x13});
  EXPECT_EQ(error_of(ping, Socket::Meta, {}).why, "comes before the versions were exchanged");
}

TEST(Frame, WrongLengthsAreErrors) {
  EXPECT_EQ(error_of(raw_packet(0x03, Bytes(7)), Socket::Data).where, "P_BARRIER, length");
  EXPECT_EQ(error_of(raw_packet(0x13, Bytes(1)), Socket::Meta).where, "P_PING, length");
  EXPECT_EQ(error_of(raw_packet(0x0c, Bytes(56)), Socket::Data).where, "P_UUIDS, length");
  EXPECT_EQ(error_of(raw_packet(0x04, Bytes(12)), Socket::Data).why, "12 bytes are not whole words");
  EXPECT_EQ(error_of(raw_packet(0x04, Bytes(4088)), Socket::Data).where, "P_BITMAP, length");
  EXPECT_EQ(error_of(raw_packet(0x10, Bytes(63)), Socket::Data).where, "P_AUTH_CHALLENGE, length");
  EXPECT_EQ(error_of(raw_packet(0x00, Bytes(24), 0xfffffff), Socket::Data).where, "P_DATA, length");
}

TEST(Frame, QueueLimitsFollowTheAgreedFeature) {
  const WireOptions plain{.agreed_version = 101, .feature_flags = feature::kTrim};
  EXPECT_TRUE(decoded(encode(Sizes{}, 0, plain), Socket::Data, plain) == Packet(Sizes{}));
  EXPECT_EQ(error_of(encode(Sizes{}, 0, kAgreed), Socket::Data).where, "P_SIZES, length");
  EXPECT_EQ(error_of(encode(Sizes{.queue_limits = QueueLimits{}}, 0, plain), Socket::Data, plain).where,
            "P_SIZES, length");
}

TEST(Frame, SizesOfWritesAreLimited) {
  EXPECT_EQ(error_of(encode(Data{.size_bytes = 0}, 0, kAgreed), Socket::Data).where, "P_DATA, size");
  EXPECT_EQ(error_of(encode(Data{.size_bytes = 100}, 0, kAgreed), Socket::Data).where, "P_DATA, size");
  EXPECT_EQ(error_of(encode(Data{.size_bytes = (1 << 20) + 512}, 0, kAgreed), Socket::Data).where, "P_DATA, length");
  EXPECT_EQ(error_of(encode(ResyncRequest{.size_bytes = 2 << 20}, 0, kAgreed), Socket::Data).where,
            "P_RS_DATA_REQUEST, size");
  EXPECT_EQ(error_of(encode(Data{.sector = 1ULL << 60, .size_bytes = 512}, 0, kAgreed), Socket::Data).where,
            "P_DATA, sector");
}

TEST(Frame, DiscardLimitFollowsTheAgreedFeature) {
  const WireOptions plain{.agreed_version = 101, .feature_flags = feature::kTrim};
  const Bytes big = encode(Trim{.size_bytes = 8 << 20}, 0, kAgreed);
  EXPECT_TRUE(decode_frame(big, Socket::Data, kAgreed));
  EXPECT_EQ(error_of(big, Socket::Data, plain).where, "P_TRIM, size");
}

TEST(Frame, TextMustEnd) {
  Bytes fixed(24 + 5, 'x');
  for (std::size_t i = 0; i < 24; ++i) fixed[i] = 0;
  fixed[3] = 3;
  EXPECT_EQ(error_of(raw_packet(0x0b, fixed), Socket::Data).why, "it does not end in a zero byte");
  EXPECT_EQ(error_of(raw_packet(0x23, Bytes(148, 'x')), Socket::Data).why, "it does not end in a zero byte");
}

TEST(Frame, ProtocolMustBeALetter) {
  Bytes fixed(25, 0);
  fixed[3] = 4;
  EXPECT_EQ(error_of(raw_packet(0x0b, fixed), Socket::Data).why, "4 is not A, B or C");
}

TEST(Frame, OpaqueHandlesAreKeptByteForByte) {
  const Bytes fixed{0, 0, 0, 0, 0, 0, 0, 1, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4, 0, 0, 2, 0, 0, 0, 0, 0};
  const auto request = std::get<DataRequest>(decoded(raw_packet(0x08, fixed), Socket::Data));
  const Bytes reply = encode(DataReply{.sector = 1, .block_id = request.block_id, .size_bytes = 512}, 0, kAgreed);
  EXPECT_EQ(Bytes(reply.begin() + 24, reply.begin() + 32), Bytes(fixed.begin() + 8, fixed.begin() + 16));
}

TEST(Frame, EveryCommandHasOneNameAndASocket) {
  for (const Packet& packet : examples()) {
    ASSERT_NE(name_of(command_of(packet)), nullptr);
    EXPECT_TRUE(allowed_on(command_of(packet), Socket::Data) || allowed_on(command_of(packet), Socket::Meta));
  }
  EXPECT_EQ(name_of(static_cast<Command>(0x4242)), nullptr);
}

}  // namespace
}  // namespace bascule::drbd
