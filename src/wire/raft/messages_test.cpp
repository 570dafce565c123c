#include "wire/raft/messages.h"

#include <gtest/gtest.h>

#include "base/prng.h"

namespace bascule::raft {
namespace {

Entry command(Index index, Term term, std::size_t bytes) {
  return {index, term, EntryKind::Command, Bytes(bytes, static_cast<Byte>(index))};
}

const Configuration five_members{{1, 2, 7}, {4, 9}};

/// One message of each kind, every field different from its default.
std::vector<Message> samples() {
  AppendRequest append{7, 3, 10, 6, 9, {command(11, 6, 5), {12, 7, EntryKind::NoOp, {}}}};
  append.entries.push_back({13, 7, EntryKind::Configuration, encode(five_members)});
  return {VoteRequest{3, true, 4, 2, 9},
          VoteResponse{3, true, true},
          append,
          AppendResponse{7, 3, true, 13, 5, 4},
          SnapshotChunk{7, 3, 100, 6, five_members, 50, 10, Bytes(20, 9)},
          SnapshotResponse{7, 3, 100, 30},
          TimeoutNow{7, 12},
          ReadRequest{7, 0xdeadbeefcafe},
          ReadResponse{7, 0xdeadbeefcafe, true, 44}};
}

TEST(RaftMessages, EveryKindComesBackAsItWas) {
  ASSERT_EQ(samples().size(), std::variant_size_v<Message>);
  for (const auto& message : samples()) {
    const Bytes bytes = encode(message);
    const auto decoded = decode(bytes);
    ASSERT_TRUE(decoded) << message.index() << ": " << decoded.error().text();
    EXPECT_EQ(decoded->index(), message.index());
    EXPECT_EQ(encode(*decoded), bytes);
  }
  const auto append = decode(encode(samples()[2]));
  EXPECT_EQ(std::get<AppendRequest>(*append).entries, std::get<AppendRequest>(samples()[2]).entries);
}

TEST(RaftMessages, CutShortOrTooLongIsRefused) {
  for (const auto& message : samples()) {
    Bytes bytes = encode(message);
    for (std::size_t length = 0; length < bytes.size(); ++length)
      EXPECT_FALSE(decode(ByteView(bytes).first(length))) << message.index() << " at " << length;
    bytes.push_back(0);
    EXPECT_FALSE(decode(bytes)) << message.index();
  }
}

TEST(RaftMessages, UnknownVersionsAndKindsAreRefused) {
  Bytes bytes = encode(samples()[0]);
  bytes[0] = 2;
  EXPECT_EQ(decode(bytes).error().why, "version 2 is not known here");
  bytes[0] = 1;
  bytes[1] = 99;
  EXPECT_EQ(decode(bytes).error().why, "kind 99 is not known here");
}

TEST(RaftMessages, FieldsOutsideTheirRangeAreRefused) {
  EXPECT_FALSE(decode(encode(TimeoutNow{Term{1} << 63, 1})));
  EXPECT_FALSE(decode(encode(AppendRequest{1, 1, UINT64_MAX, 1, 1, {command(0, 1, 1)}})));
  EXPECT_FALSE(decode(encode(AppendRequest{1, 1, 0, 0, 0, {command(1, 1, payload_bytes_max + 1)}})));
  EXPECT_FALSE(decode(encode(AppendRequest{1, 1, 0, 0, 0, {{1, 1, EntryKind::Configuration, Bytes{1}}}})));
  EXPECT_FALSE(decode(encode(SnapshotChunk{1, 1, 5, 1, five_members, 10, 5, Bytes(6)})));
  EXPECT_FALSE(decode(encode(SnapshotChunk{1, 1, 5, 1, five_members, 10, 11, {}})));
}

TEST(RaftMessages, TheLargestOnesFitADatagram) {
  AppendRequest append{1, 1, 0, 0, 0, {command(1, 1, payload_bytes_max)}};
  EXPECT_LE(encode(append).size(), message_bytes_max);
  Configuration members;
  for (ServerId id = 1; id <= members_max; ++id) members.voters.push_back(id);
  EXPECT_LE(encode(SnapshotChunk{1, 1, 1, 1, members, chunk_bytes_max, 0, Bytes(chunk_bytes_max)}).size(),
            message_bytes_max);
}

TEST(RaftConfiguration, OnlyWellFormedOnesAreDecoded) {
  EXPECT_EQ(decode_configuration(encode(five_members)), five_members);
  EXPECT_TRUE(is_well_formed({}));
  EXPECT_FALSE(is_well_formed({{2, 1}, {}})) << "not sorted";
  EXPECT_FALSE(is_well_formed({{1, 1}, {}})) << "twice";
  EXPECT_FALSE(is_well_formed({{1, 2}, {2}})) << "voter and learner";
  EXPECT_FALSE(is_well_formed({{0, 2}, {}})) << "nobody";
  Configuration crowd;
  for (ServerId id = 1; id <= members_max + 1; ++id) crowd.voters.push_back(id);
  EXPECT_FALSE(is_well_formed(crowd));
}

}  // namespace
}  // namespace bascule::raft
