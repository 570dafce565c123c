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

/// Writes in the middle of a verify are no differences, whichever of the two reads first, and whoever writes.
void expect_equal_under_writes(bool source_writes, std::uint64_t seed) {
  Pair::Setup setup;
  setup.seed = seed;
  setup.configure = [](Config& config) {
    config.options.net.verify_alg = "crc32c";
    config.options.net.max_buffers = 256;  // a window of 1 MiB
    config.authority = Authority::Operator;
  };
  Pair pair(setup);
  Pair::Node& writer = source_writes ? pair.alice() : pair.bob();
  pair.run_until_in_step();
  pair.step(writer, input::Promote{1, false});
  pair.run_until([&] { return writer.status().role == drbd::Role::Primary; });
  ask(pair);
  Prng where(seed);
  std::size_t writes = 0;
  for (; pair.alice().status().connection == VerifyS && writes < 2500; ++writes) {
    // Where the verify is, and where it will be in a moment.
    const std::uint64_t done = pair.alice().status().verify_done_bytes / testing::page;
    pair.write(writer, std::min<std::uint64_t>(done + where.between(0, 512), 2047));
    pair.run_for(microseconds(1));
  }
  pair.run_until([&] { return Pair::in_step(pair.alice()) && Pair::in_step(pair.bob()); });
  EXPECT_GT(writes, 300U);
  EXPECT_EQ(pair.alice().status().verify_found_bytes, 0U) << "seed " << seed;
  EXPECT_EQ(pair.alice().disk, pair.bob().disk);
}

TEST(Verify, TheSourcesWritesAreNoDifferences) {
  for (std::uint64_t seed = 1; seed <= 2; ++seed) expect_equal_under_writes(true, seed);
}

TEST(Verify, ThePeersWritesAreNoDifferences) {
  for (std::uint64_t seed = 1; seed <= 2; ++seed) expect_equal_under_writes(false, seed);
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
