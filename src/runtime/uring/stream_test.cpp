#include "runtime/uring/stream.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <numeric>

namespace bascule::uring {
namespace {

struct Owner : Closing {
  Owner(Ring& ring, int descriptor) : stream(ring, descriptor) {}
  [[nodiscard]] bool idle() const override { return stream.idle(); }
  Stream stream;
};

struct StreamTest : ::testing::Test {
  void SetUp() override {
    ring = std::move(*Ring::create(64));
    int pair[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    left = std::make_unique<Owner>(*ring, pair[0]);
    right = std::make_unique<Owner>(*ring, pair[1]);
  }
  std::unique_ptr<Ring> ring;
  std::unique_ptr<Owner> left, right;
};

TEST_F(StreamTest, KeepsTheOrderOfCopiedAndReferencedBytesThroughPartialSends) {
  Bytes large(3'000'000);
  std::iota(large.begin(), large.end(), Byte{0});
  int released = 0;
  left->stream.send(view_of("head"));
  left->stream.send_referenced(large, [&](int) { ++released; });
  left->stream.send(view_of("tail"));
  left->stream.flush();
  Bytes in(large.size() + 8);
  int received = -1;
  right->stream.receive(in, true, [&](int result) { received = result; });
  while (received < 0 || released == 0) ring->turn();
  ASSERT_EQ(received, static_cast<int>(in.size()));
  EXPECT_EQ(text_of(ByteView(in).first(4)), "head");
  EXPECT_TRUE(std::equal(large.begin(), large.end(), in.begin() + 4));
  EXPECT_EQ(text_of(ByteView(in).last(4)), "tail");
  EXPECT_EQ(left->stream.unsent(), 0u);
}

TEST_F(StreamTest, ABuriedOwnerLivesUntilItsOperationsAreDoneAndHearsNothing) {
  Bytes in(16);
  bool called = false;
  left->stream.receive(in, false, [&](int) { called = true; });
  ring->timer(Ring::now(), [](int) {});
  ring->turn();
  left->stream.close();
  EXPECT_FALSE(left->idle());
  ring->bury(std::move(left));
  while (ring->buried() > 0) ring->turn();
  EXPECT_FALSE(called);
}

TEST_F(StreamTest, ReleasesReferencedMemoryOfAClosedStream) {
  Bytes large(3'000'000);
  int released = 0;
  left->stream.send_referenced(large, [&](int) { ++released; });
  left->stream.send_referenced(large, [&](int) { ++released; });
  left->stream.flush();
  ring->timer(Ring::now(), [](int) {});
  ring->turn();
  left->stream.close();
  ring->bury(std::move(left));
  while (ring->buried() > 0) ring->turn();
  EXPECT_EQ(released, 2);
}

TEST_F(StreamTest, WhatWasSaidInTheTurnOfTheCloseIsStillSent) {
  left->stream.send(view_of("because"));
  left->stream.close();
  Bytes in(16);
  int result = -1;
  right->stream.receive(in, false, [&](int value) { result = value; });
  while (result < 0) ring->turn();
  ASSERT_EQ(result, 7);
  EXPECT_EQ(text_of(ByteView(in).first(7)), "because");
}

TEST_F(StreamTest, TheEndOfTheStreamIsZero) {
  Bytes in(16);
  int result = -1;
  left->stream.receive(in, false, [&](int value) { result = value; });
  right->stream.close();
  while (result < 0) ring->turn();
  EXPECT_EQ(result, 0);
}

}  // namespace
}  // namespace bascule::uring
