#include "wire/cluster_message/message.h"

#include <gtest/gtest.h>

#include "wire/cluster_message/detail/datagram.h"
#include "wire/cluster_message/test_samples.h"

namespace bascule::message {
namespace {

const std::string cluster = "boutique";

TEST(Datagram, EveryMessageSurvivesTheRoundTrip) {
  Prng prng(1);
  for (int round = 0; round < 3000; ++round) {
    const Envelope envelope{static_cast<std::uint32_t>(prng.next()),
                            samples::message(prng, round % samples::message_kinds)};
    const Bytes bytes = encode(envelope, cluster);
    const auto decoded = decode(bytes, cluster);
    ASSERT_TRUE(decoded) << decoded.error().text();
    EXPECT_EQ(decoded->sender_id, envelope.sender_id);
    EXPECT_EQ(decoded->message.index(), envelope.message.index());
    EXPECT_EQ(encode(*decoded, cluster), bytes);
  }
}

TEST(Datagram, FieldsArriveWhereTheyBelong) {
  NodeReport report{"alice", 5, -7, 90, {{"shop", 3, "Started", "", {{"apache", "Started", 80, -1}}}}, {}};
  VolumeReport& volume = report.volumes.emplace_back();
  volume.name = "data", volume.attached = true, volume.disk = "UpToDate", volume.writes_held = 2;
  const auto decoded = decode(encode({3, report}, cluster), cluster);
  ASSERT_TRUE(decoded);
  const auto& got = std::get<NodeReport>(decoded->message);
  EXPECT_EQ(got.node, "alice");
  EXPECT_EQ(got.sent_at_ns, -7);
  EXPECT_EQ(got.applied_index, 90u);
  EXPECT_EQ(got.services.at(0).steps.at(0).start_ms, 80);
  EXPECT_EQ(got.services.at(0).steps.at(0).stop_ms, -1);
  EXPECT_TRUE(got.volumes.at(0).attached);
  EXPECT_EQ(got.volumes.at(0).disk, "UpToDate");
  EXPECT_EQ(got.volumes.at(0).writes_held, 2u);
}

TEST(Datagram, AnyFlippedBitIsNoticed) {
  Prng prng(3);
  const Bytes whole = encode({1, samples::node_report(prng)}, cluster);
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    Bytes damaged = whole;
    damaged[bit / 8] = static_cast<Byte>(damaged[bit / 8] ^ (1u << (bit % 8)));
    EXPECT_FALSE(decode(damaged, cluster)) << "bit " << bit;
  }
}

TEST(Datagram, EveryTruncationIsNoticed) {
  Prng prng(4);
  for (int kind = 0; kind < samples::message_kinds; ++kind) {
    Bytes bytes = encode({1, samples::message(prng, kind)}, cluster);
    while (!bytes.empty()) {
      bytes.pop_back();
      EXPECT_FALSE(decode(bytes, cluster));
    }
  }
}

TEST(Datagram, TruncatedBodiesWithAGoodChecksumAreRefused) {
  Prng prng(5);
  const Bytes bytes = encode({1, samples::lease_grant(prng)}, cluster);
  const ByteView body = ByteView(bytes).subspan(detail::header_bytes);
  for (std::size_t length = 0; length < body.size(); ++length)
    EXPECT_FALSE(decode(detail::seal(4, 1, body.first(length), cluster), cluster));
  Bytes longer(body.begin(), body.end());
  longer.push_back(0);
  EXPECT_FALSE(decode(detail::seal(4, 1, longer, cluster), cluster));
  EXPECT_TRUE(decode(detail::seal(4, 1, body, cluster), cluster));
}

TEST(Datagram, AnotherClusterVersionOrKindIsRefusedInWords) {
  Bytes bytes = encode({1, LeaseRequest{"alice", 1, 2}}, cluster);
  EXPECT_EQ(decode(bytes, "another").error().why, "it is from another cluster");
  bytes[4] = 9;
  EXPECT_EQ(decode(bytes, cluster).error().why, "it is of protocol version 9");
  EXPECT_EQ(decode(detail::seal(7, 1, {}, cluster), cluster).error().why, "its kind is unknown");
  EXPECT_EQ(decode(detail::seal(0, 1, {}, cluster), cluster).error().why, "its kind is unknown");
  EXPECT_EQ(decode(Bytes(datagram_bytes_max + 1), cluster).error().why, "it is too long");
}

TEST(Datagram, LongTextsAreCutBetweenCharacters) {
  std::string long_text(detail::text_bytes_max - 1, 'x');
  long_text += "é and more";
  const auto decoded = decode(encode({1, ForwardReply{1, false, long_text}}, cluster), cluster);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(std::get<ForwardReply>(decoded->message).why, std::string(detail::text_bytes_max - 1, 'x'));
}

TEST(Datagram, AReportOfAnOrdinaryClusterIsSmall) {
  NodeReport report{"alice", 1, 1, 1, {{"shop", 1, "Started", "", {}}}, {VolumeReport{}}};
  for (const char* step : {"Filesystem", "IPaddr2", "mysql", "apache"})
    report.services[0].steps.push_back({step, "Started", 100, 100});
  EXPECT_LT(encode({1, report}, cluster).size(), 400u);
}

}  // namespace
}  // namespace bascule::message
