#include "wire/nbd/nbd.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace bascule::nbd {
namespace {

Export data_export() { return {"data", "a volume", 1 << 20, false, ""}; }

Bytes client_flags(std::uint32_t flags = 3) {
  Bytes out;
  ByteWriter(out).big(flags);
  return out;
}

void add_option(Bytes& out, std::uint32_t number, ByteView data) {
  ByteWriter(out).bytes(view_of("IHAVEOPT")).big(number).big(static_cast<std::uint32_t>(data.size())).bytes(data);
}

Bytes go(std::string_view name) {
  Bytes data;
  ByteWriter(data).big(static_cast<std::uint32_t>(name.size())).bytes(view_of(name)).big(std::uint16_t{0});
  return data;
}

struct OptionReply {
  std::uint32_t option, type;
  Bytes data;
};

std::vector<OptionReply> replies_in(Bytes& output) {
  std::vector<OptionReply> replies;
  ByteReader reader(output);
  while (reader.remaining() > 0) {
    EXPECT_EQ(reader.big<std::uint64_t>(), 0x0003e889045565a9u);
    OptionReply reply{};
    reply.option = reader.big<std::uint32_t>();
    reply.type = reader.big<std::uint32_t>();
    const ByteView data = reader.take(reader.big<std::uint32_t>());
    reply.data.assign(data.begin(), data.end());
    replies.push_back(reply);
    if (!reader.ok()) break;
  }
  EXPECT_TRUE(reader.ok());
  output.clear();
  return replies;
}

TEST(NbdHandshake, GreetsAndGoes) {
  Handshake handshake(data_export());
  EXPECT_EQ(text_of(ByteView(handshake.output()).first(16)), "NBDMAGICIHAVEOPT");
  EXPECT_EQ(handshake.output().size(), 18u);
  handshake.output().clear();
  Bytes in = client_flags();
  add_option(in, 7, go("data"));
  EXPECT_EQ(handshake.feed(in), in.size());
  EXPECT_EQ(handshake.phase(), Handshake::Phase::Transmission);
  const auto replies = replies_in(handshake.output());
  ASSERT_EQ(replies.size(), 3u);
  EXPECT_EQ(get_big<std::uint64_t>(replies[0].data, 2), 1u << 20);
  EXPECT_EQ(get_big<std::uint32_t>(replies[1].data, 10), kMaxRequestBytes);
  EXPECT_EQ(replies[2].type, 1u);
}

TEST(NbdHandshake, EveryCutOfTheStreamLeadsToTheSamePlace) {
  Bytes in = client_flags();
  add_option(in, 8, {});
  add_option(in, 3, {});
  add_option(in, 99, view_of("unknown"));
  add_option(in, 1, view_of("data"));
  Handshake whole(data_export());
  ASSERT_EQ(whole.feed(in), in.size());
  Handshake slow(data_export());
  Bytes pending;
  for (const Byte byte : in) {
    pending.push_back(byte);
    pending.erase(pending.begin(), pending.begin() + static_cast<std::ptrdiff_t>(slow.feed(pending)));
  }
  EXPECT_EQ(slow.phase(), Handshake::Phase::Transmission);
  EXPECT_EQ(slow.output(), whole.output());
  EXPECT_TRUE(slow.structured_replies());
}

TEST(NbdHandshake, ARefusalIsExplained) {
  Export exported = data_export();
  exported.refusal = "this node is Secondary";
  Handshake handshake(exported);
  handshake.output().clear();
  Bytes in = client_flags();
  add_option(in, 7, go("data"));
  handshake.feed(in);
  EXPECT_EQ(handshake.phase(), Handshake::Phase::Options);
  const auto replies = replies_in(handshake.output());
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(text_of(replies[0].data), "this node is Secondary");
  Bytes old_way;
  add_option(old_way, 1, view_of("data"));
  handshake.feed(old_way);
  EXPECT_EQ(handshake.phase(), Handshake::Phase::Ended);
}

TEST(NbdHandshake, WrongNamesAndMalformedOptionsAreAnswered) {
  Handshake handshake(data_export());
  handshake.output().clear();
  Bytes in = client_flags();
  add_option(in, 7, go("other"));
  add_option(in, 7, view_of("\x00\x00\xff\xffgarbage"));
  add_option(in, 3, view_of("x"));
  handshake.feed(in);
  const auto replies = replies_in(handshake.output());
  ASSERT_EQ(replies.size(), 3u);
  for (const auto& reply : replies) EXPECT_NE(reply.type & 0x80000000, 0u);
  EXPECT_EQ(handshake.phase(), Handshake::Phase::Options);
}

TEST(NbdHandshake, GarbageAndGiantsEndIt) {
  Handshake garbage(data_export());
  garbage.feed(view_of("GET / HTTP/1.1\r\n\r\n"));
  EXPECT_EQ(garbage.phase(), Handshake::Phase::Ended);
  Handshake giant(data_export());
  Bytes in = client_flags();
  ByteWriter(in).bytes(view_of("IHAVEOPT")).big(std::uint32_t{7}).big(std::uint32_t{0xffffffff});
  giant.feed(in);
  EXPECT_EQ(giant.phase(), Handshake::Phase::Ended);
}

TEST(NbdRequest, IsReadAndChecked) {
  Bytes bytes;
  ByteWriter(bytes).big(0x25609513U).big(std::uint16_t{1}).big(std::uint16_t{1});
  ByteWriter(bytes).big(std::uint64_t{42}).big(std::uint64_t{4096}).big(std::uint32_t{512});
  const auto request = decode_request(bytes);
  ASSERT_TRUE(request.has_value());
  EXPECT_TRUE(request->fua());
  EXPECT_EQ(request->cookie, 42u);
  EXPECT_EQ(request->payload_bytes(), 512u);
  EXPECT_EQ(check(*request, 8192, false), ReplyError::None);
  EXPECT_EQ(check(*request, 8192, true), ReplyError::NotPermitted);
  EXPECT_EQ(check(*request, 4096, false), ReplyError::NoSpace);
  bytes[0] ^= 1;
  EXPECT_FALSE(decode_request(bytes).has_value());
  EXPECT_FALSE(decode_request(ByteView(bytes).first(27)).has_value());
}

TEST(NbdRequest, RefusesWhatDoesNotFitTheDevice) {
  const std::uint64_t size = 1 << 21;
  EXPECT_EQ(check({0, 0, 1, 100, 512}, size, false), ReplyError::Invalid);
  EXPECT_EQ(check({0, 0, 1, 0, 0}, size, false), ReplyError::Invalid);
  EXPECT_EQ(check({0, 0, 1, 0, kMaxRequestBytes + 512}, size, false), ReplyError::Overflow);
  EXPECT_EQ(check({0, 0, 1, ~std::uint64_t{511}, 512}, size, false), ReplyError::Invalid);
  EXPECT_EQ(check({0, 5, 1, 0, 512}, size, false), ReplyError::Invalid) << "no cache was offered";
  EXPECT_EQ(check({0, 4, 1, 0, kMaxRequestBytes * 2}, size, false), ReplyError::None) << "trim has no data";
  EXPECT_EQ(check({0, 4, 1, size - 512, 1024}, size, false), ReplyError::NoSpace);
  EXPECT_EQ(check({0, 4, 1, 0, 512}, size, true), ReplyError::NotPermitted);
  EXPECT_EQ(check({2, 6, 1, 0, 512}, size, false), ReplyError::None);
  EXPECT_EQ(check({16, 6, 1, 0, 512}, size, false), ReplyError::NotSupported) << "fast zeroes were not offered";
  EXPECT_EQ(check({0, 3, 1, 0, 0}, size, true), ReplyError::None);
}

TEST(NbdReply, AReadHeadAnnouncesItsData) {
  Bytes simple, structured;
  encode_read_head(simple, 7, 4096, 512, false);
  encode_read_head(structured, 7, 4096, 512, true);
  EXPECT_EQ(simple.size(), 16u);
  EXPECT_EQ(get_big<std::uint64_t>(simple, 8), 7u);
  EXPECT_EQ(get_big<std::uint32_t>(structured, 16), 520u);
  EXPECT_EQ(get_big<std::uint64_t>(structured, 20), 4096u);
  EXPECT_EQ(reply_error(EROFS), ReplyError::NotPermitted);
  EXPECT_EQ(reply_error(EIO), ReplyError::InputOutput);
}

}  // namespace
}  // namespace bascule::nbd
