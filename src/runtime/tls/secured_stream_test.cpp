#include "runtime/tls/secured_stream.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <numeric>

namespace bascule::tls {
namespace {

struct End : uring::Closing {
  End(uring::Ring& ring, int descriptor, std::unique_ptr<Channel> channel)
      : stream(ring, descriptor, std::move(channel)) {}
  [[nodiscard]] bool idle() const override { return stream.idle(); }
  SecuredStream stream;
};

sealed::Keyring keyring(Byte seed) {
  sealed::Key key{1, {}};
  key.secret.fill(seed);
  return sealed::Keyring(key);
}

/// Two ends over a socket pair; the parameter says whether they are secured.
struct SecuredStreamTest : ::testing::TestWithParam<bool> {
  std::unique_ptr<uring::Ring> ring = std::move(*uring::Ring::create(64));
  std::unique_ptr<End> left, right;

  std::unique_ptr<Channel> channel(Side side, Byte seed) const {
    if (!GetParam()) return nullptr;
    const bool client = side == Side::client;
    return std::move(*Channel::create(side, keyring(seed), {"c", "p", client ? "a" : "b", client ? "b" : "a"}));
  }
  void connect(Byte left_seed, Byte right_seed) {
    int pair[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    left = std::make_unique<End>(*ring, pair[0], channel(Side::client, left_seed));
    right = std::make_unique<End>(*ring, pair[1], channel(Side::server, right_seed));
  }
  void shake() {
    int done = 0;
    left->stream.handshake([&done](int result) { done += result == 0 ? 1 : 100; });
    right->stream.handshake([&done](int result) { done += result == 0 ? 1 : 100; });
    while (done < 2) ring->turn();
    ASSERT_EQ(done, 2) << left->stream.why() << right->stream.why();
  }
  void TearDown() override {
    for (auto* end : {&left, &right}) {
      if (!*end) continue;
      (*end)->stream.close();
      ring->bury(std::move(*end));
    }
    ring->timer(uring::Ring::now(), [](int) {});
    while (ring->buried() > 0) ring->turn();
  }
};

INSTANTIATE_TEST_SUITE_P(PlainAndSecured, SecuredStreamTest, ::testing::Bool());

TEST_P(SecuredStreamTest, KeepsTheOrderOfCopiedAndReferencedBytes) {
  connect(1, 1);
  shake();
  Bytes small(1000, 7), large(3'000'000), in;
  std::iota(large.begin(), large.end(), Byte{0});
  int released = 0;
  const auto say = [this](std::string_view text) {
    const auto bytes = view_of(text);
    left->stream.staging().insert(left->stream.staging().end(), bytes.begin(), bytes.end());
  };
  say("head");
  left->stream.send_referenced(small, [&released](int) { ++released; });
  say("neck");
  left->stream.send_referenced(large, [&released](int) { ++released; });
  say("tail");
  left->stream.flush();
  in.resize(small.size() + large.size() + 12);
  int received = -1;
  right->stream.receive(in, true, [&received](int result) { received = result; });
  while (received < 0 || released < 2) ring->turn();
  ASSERT_EQ(received, static_cast<int>(in.size()));
  Bytes sent;
  for (const ByteView part : {view_of("head"), ByteView(small), view_of("neck"), ByteView(large), view_of("tail")})
    sent.insert(sent.end(), part.begin(), part.end());
  EXPECT_TRUE(in == sent);
  EXPECT_EQ(left->stream.unsent(), 0u);
}

TEST_P(SecuredStreamTest, GivesBytesInPiecesOfAnySizeWithoutNesting) {
  connect(1, 1);
  shake();
  Bytes sent(100'000), in(sent.size());
  std::iota(sent.begin(), sent.end(), Byte{0});
  left->stream.send_referenced(sent, [](int) {});
  left->stream.flush();
  struct Reader {
    SecuredStream& stream;
    Bytes& in;
    std::size_t have = 0;
    int depth = 0, deepest = 0;
    void next() {
      if (have == in.size()) return;
      stream.receive(std::span(in).subspan(have, std::min<std::size_t>(3, in.size() - have)), false,
                     [this](int result) { got(result); });
    }
    void got(int result) {
      deepest = std::max(deepest, ++depth);
      have += static_cast<std::size_t>(std::max(result, 0));
      next();
      --depth;
    }
  } reader{right->stream, in};
  reader.next();
  while (reader.have < in.size()) ring->turn();
  EXPECT_EQ(in, sent);
  EXPECT_EQ(reader.deepest, 1);
}

TEST_P(SecuredStreamTest, TellsTheEnd) {
  connect(1, 1);
  shake();
  int result = 1;
  Bytes in(10);
  right->stream.receive(in, false, [&result](int got) { result = got; });
  left->stream.close();
  while (result > 0) ring->turn();
  EXPECT_EQ(result, 0);
}

struct SecuredOnly : SecuredStreamTest {};
INSTANTIATE_TEST_SUITE_P(Secured, SecuredOnly, ::testing::Values(true));

TEST_P(SecuredOnly, SaysWhyThePeerIsNotBelieved) {
  connect(1, 2);
  int left_result = 1, right_result = 1;
  left->stream.handshake([&left_result](int result) { left_result = result; });
  right->stream.handshake([&right_result](int result) { right_result = result; });
  while (left_result > 0 || right_result > 0) ring->turn();
  EXPECT_EQ(left_result, -1);
  EXPECT_EQ(right_result, -1);
  EXPECT_NE(left->stream.why().find("belongs to the cluster"), std::string::npos) << left->stream.why();
}

TEST_P(SecuredOnly, APeerThatGoesAwayWithinTheHandshakeIsNotBelieved) {
  connect(1, 1);
  int result = 1;
  left->stream.handshake([&result](int got) { result = got; });
  right->stream.close();
  while (result > 0) ring->turn();
  EXPECT_EQ(result, -1);
  EXPECT_FALSE(left->stream.why().empty());
}

}  // namespace
}  // namespace bascule::tls
