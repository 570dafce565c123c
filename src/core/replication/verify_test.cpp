#include "core/replication/testing/pair.h"

namespace bascule::replication {
namespace {

using testing::Pair;
using enum drbd::ConnectionState;

Pair::Setup with_verify() {
  Pair::Setup setup;
  setup.configure = [](Config& config) { config.options.net.verify_alg = "crc32c"; };
  return setup;
}

/// The operator of alice asks; bob agrees.
void ask(Pair& pair, std::uint64_t from = 0, std::uint64_t to = ~std::uint64_t{0}) {
  pair.run_until_in_step();
  pair.run_for(milliseconds(100));
  pair.step(pair.alice(), input::Verify{1, from, to});
  pair.run_until(
      [&] { return pair.alice().status().connection == VerifyS && pair.bob().status().connection == VerifyT; });
  ASSERT_EQ(pair.alice().status().connection, VerifyS);
}

void start(Pair& pair, std::uint64_t from = 0, std::uint64_t to = ~std::uint64_t{0}) {
  ask(pair, from, to);
  pair.run_until([&] { return Pair::in_step(pair.alice()) && Pair::in_step(pair.bob()); });
}

TEST(Verify, EqualDisksAreFoundEqual) {
  Pair pair(with_verify());
  start(pair);
  for (Pair::Node* node : {&pair.alice(), &pair.bob()}) {
    EXPECT_EQ(node->status().out_of_sync_bytes, 0U);
    EXPECT_EQ(node->status().verify_found_bytes, 0U);
    EXPECT_EQ(node->status().verify_done_bytes, 8U << 20);
    EXPECT_EQ(node->status().connection, Connected);
    EXPECT_FALSE(node->events.contains("out-of-sync"));
  }
}

TEST(Verify, ExactlyThePlantedDifferencesAreMarkedOnBothSides) {
  Pair pair(with_verify());
  for (const std::uint64_t number : {3U, 4U, 700U, 2047U}) pair.change_page(pair.bob(), number);
  start(pair);
  for (Pair::Node* node : {&pair.alice(), &pair.bob()}) {
    EXPECT_EQ(node->status().out_of_sync_bytes, 4 * testing::page);
    EXPECT_EQ(node->status().verify_found_bytes, 4 * testing::page);
    for (const std::uint64_t number : {3U, 4U, 700U, 2047U})
      EXPECT_TRUE(node->parts().core.bitmap.test(number)) << number;
    EXPECT_TRUE(node->events.contains("out-of-sync"));
  }
}

TEST(Verify, StopsAndStartsWhereItWasTold) {
  Pair pair(with_verify());
  for (const std::uint64_t number : {3U, 700U, 2000U}) pair.change_page(pair.bob(), number);
  start(pair, 100 * 8, 1000 * 8);
  EXPECT_EQ(pair.alice().status().out_of_sync_bytes, testing::page);
  EXPECT_TRUE(pair.bob().parts().core.bitmap.test(700));
  EXPECT_EQ(pair.alice().status().verify_total_bytes, 900 * testing::page);
}

TEST(Verify, WhatCannotBeReadDiffers) {
  Pair pair(with_verify());
  pair.bob().unreadable = {17};
  start(pair);
  EXPECT_EQ(pair.alice().status().out_of_sync_bytes, testing::page);
  EXPECT_TRUE(pair.alice().parts().core.bitmap.test(17));
}

TEST(Verify, EverythingDifferentIsFoundToo) {
  Pair::Setup setup = with_verify();
  setup.data_bytes = 1 << 20;
  Pair pair(setup);
  for (std::uint64_t number = 0; number < 256; ++number) pair.change_page(pair.bob(), number);
  start(pair);
  EXPECT_EQ(pair.alice().status().out_of_sync_bytes, 1U << 20);
  EXPECT_EQ(pair.bob().status().out_of_sync_bytes, 1U << 20);
}

TEST(Verify, ACutEndsIt) {
  Pair pair(with_verify());
  ask(pair);
  pair.run_until([&] { return pair.alice().status().verify_done_bytes > 0; });
  pair.cut();
  pair.run_until_in_step();
  EXPECT_EQ(pair.alice().status().out_of_sync_bytes, 0U);
}

}  // namespace
}  // namespace bascule::replication
