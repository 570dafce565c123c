#include <numeric>

#include "core/replication/detail/resync/resync_source.h"
#include "core/replication/testing/data_path_node.h"
#include "core/replication/testing/pair.h"

namespace bascule::replication {
namespace {

using testing::Pair;
using enum drbd::ConnectionState;

/// Pages that differ, in runs and alone, also the last one.
std::vector<std::uint64_t> scattered(std::uint64_t pages) {
  std::vector<std::uint64_t> numbers{0, 1, 2, 17, pages - 1};
  for (std::uint64_t number = 100; number < 300; ++number) numbers.push_back(number);
  for (std::uint64_t number = 401; number < pages - 5; number += 7) numbers.push_back(number);
  return numbers;
}

TEST(Resync, AFullSyncMakesTheDisksEqual) {
  Pair::Setup setup;
  setup.other_is_empty = true;
  setup.newer_pages.resize(setup.data_bytes / testing::page);
  std::iota(setup.newer_pages.begin(), setup.newer_pages.end(), 0);
  Pair pair(setup);
  pair.run_until_in_step();
  EXPECT_TRUE(pair.disks_equal());
  EXPECT_EQ(pair.bob().status().out_of_sync_bytes, 0U);
  EXPECT_EQ(pair.alice().status().out_of_sync_bytes, 0U);
  EXPECT_GT(pair.bob().largest_request, testing::page);
}

TEST(Resync, OnlyMarkedBlocksTravelInEitherDirection) {
  for (const bool alice_is_newer : {true, false}) {
    Pair::Setup setup;
    setup.alice_is_newer = alice_is_newer;
    setup.newer_pages = scattered(setup.data_bytes / testing::page);
    Pair pair(setup);
    Pair::Node& source = alice_is_newer ? pair.alice() : pair.bob();
    pair.run_until_in_step();
    EXPECT_TRUE(pair.disks_equal());
    EXPECT_EQ(source.read_bytes, setup.newer_pages.size() * testing::page);
    EXPECT_EQ(source.status().bitmap_uuid, 0U);
    EXPECT_EQ(pair.alice().status().current_uuid, pair.bob().status().current_uuid);
  }
}

/// The peer's disk has gone, an application writes alone, and only then older data of the same block are acknowledged.
TEST(Resync, ALateAcknowledgementDoesNotClearTheMarkOfANewerWrite) {
  testing::DataPathNode node;
  detail::ResyncSource source(node.core, node.metadata, node.writes);
  node.core.connection = SyncSource;
  node.core.peer.disk = drbd::DiskState::Failed;
  node.write(1, 4096, 4096);
  node.advance();
  ASSERT_EQ(node.core.bitmap.count(), 1U);
  drbd::BlockAck ack;
  ack.kind = drbd::BlockAck::Kind::ResyncWriteAck;
  ack.sector = 8;
  ack.size_bytes = 4096;
  EXPECT_TRUE(source.acknowledged(ack));
  EXPECT_EQ(node.core.bitmap.count(), 1U);
  node.core.peer.disk = drbd::DiskState::Inconsistent;
  EXPECT_TRUE(source.acknowledged(ack));
  EXPECT_EQ(node.core.bitmap.count(), 0U) << "while the peer gets every write, the newest one was sent";
}

TEST(Resync, APlainBitmapIsUnderstoodToo) {
  Pair::Setup setup;
  setup.newer_pages = scattered(setup.data_bytes / testing::page);
  setup.configure = [](Config& config) { config.options.net.use_rle = config.self == "bob"; };
  Pair pair(setup);
  pair.run_until_in_step();
  EXPECT_TRUE(pair.disks_equal());
  EXPECT_EQ(pair.alice().sent["P_COMPRESSED_BITMAP"], 0U);
  EXPECT_GT(pair.alice().sent["P_BITMAP"], 0U);
  EXPECT_GT(pair.bob().sent["P_COMPRESSED_BITMAP"], 0U);
}

TEST(Resync, ThePartialLastBlockIsBrought) {
  Pair::Setup setup;
  setup.data_bytes = (4 << 20) + 1536;
  setup.newer_pages = {5, setup.data_bytes / testing::page};
  Pair pair(setup);
  pair.run_until_in_step();
  EXPECT_TRUE(pair.disks_equal());
}

TEST(Resync, NoRequestIsLargerThanThePeersLargestBio) {
  Pair::Setup setup;
  for (std::uint64_t number = 0; number < 500; ++number) setup.newer_pages.push_back(number);
  Pair pair(setup);
  pair.run_until([&] { return pair.bob().status().connection == WFBitMapT; });
  pair.bob().parts().core.peer.max_bio_bytes = 24 * 1024;
  pair.run_until_in_step();
  EXPECT_TRUE(pair.disks_equal());
  EXPECT_EQ(pair.bob().largest_request, 16U * 1024);
}

TEST(Resync, BlocksThatCannotBeReadStayMarkedAndAreTriedAgain) {
  Pair::Setup setup;
  setup.newer_pages = scattered(setup.data_bytes / testing::page);
  Pair pair(setup);
  pair.alice().unreadable = {150};
  pair.run_until([&] { return pair.alice().events.contains("resync-failed"); });
  EXPECT_EQ(pair.bob().status().connection, Connected);
  EXPECT_EQ(pair.alice().status().connection, Connected);
  EXPECT_EQ(pair.bob().status().disk, drbd::DiskState::Inconsistent);
  EXPECT_EQ(pair.bob().status().out_of_sync_bytes, testing::page);
  EXPECT_EQ(pair.bob().status().resync_failed_bytes, pair.bob().status().out_of_sync_bytes);
  EXPECT_EQ(pair.bob().status().out_of_sync_bytes, pair.alice().status().out_of_sync_bytes);
  pair.run_for(seconds(5));
  EXPECT_EQ(pair.bob().status().disk, drbd::DiskState::Inconsistent);
  pair.alice().unreadable.clear();
  pair.run_until_in_step();
  EXPECT_TRUE(pair.disks_equal());
}

TEST(Resync, WhatIsPausedAsksForNothingAndGoesOn) {
  Pair::Setup setup;
  for (std::uint64_t number = 0; number < 2000; ++number) setup.newer_pages.push_back(number);
  Pair pair(setup);
  pair.run_until([&] { return pair.bob().status().resync_done_bytes > 0; });
  pair.poke(pair.alice(), [](detail::Parts& parts) { parts.core.resync_paused_user = true; });
  pair.run_until([&] { return pair.bob().status().connection == PausedSyncT; });
  EXPECT_EQ(pair.alice().status().connection, PausedSyncS);
  EXPECT_TRUE(pair.bob().status().resync_paused_peer);
  pair.run_for(seconds(1));
  const std::uint64_t left = pair.bob().status().out_of_sync_bytes;
  EXPECT_NE(left, 0U);
  pair.run_for(seconds(5));
  EXPECT_EQ(pair.bob().status().out_of_sync_bytes, left);
  pair.poke(pair.alice(), [](detail::Parts& parts) { parts.core.resync_paused_user = false; });
  pair.run_until_in_step();
  EXPECT_TRUE(pair.disks_equal());
}

/// At every moment: the connection is lost, and the next one ends what is left.
TEST(Resync, ACutAtAnyMomentIsMended) {
  for (std::uint64_t cut_us = 300; cut_us < 12'000; cut_us += 450) {
    Pair::Setup setup;
    setup.seed = cut_us;
    setup.data_bytes = 4 << 20;
    setup.newer_pages = scattered(setup.data_bytes / testing::page);
    Pair pair(setup);
    pair.run_until([&] { return pair.alice().status().connection == WFReportParams; });
    pair.run_for(microseconds(cut_us));
    pair.cut();
    pair.run_until_in_step();
    ASSERT_TRUE(pair.disks_equal()) << "cut after " << cut_us << " us";
    ASSERT_EQ(pair.alice().status().out_of_sync_bytes, 0U);
  }
}

TEST(Resync, ZeroesTravelAsADescriptionWhenBothCan) {
  Pair::Setup setup;
  setup.configure = [](Config& config) { config.options.disk.rs_discard_granularity_bytes = 64 * 1024; };
  for (std::uint64_t number = 0; number < 600; ++number) setup.newer_pages.push_back(number);
  Pair pair(setup);
  std::fill_n(pair.alice().disk.begin() + 256 * 1024, 1024 * 1024, 0);
  pair.run_until([&] { return pair.bob().status().connection == WFBitMapT; });
  for (Pair::Node* node : {&pair.alice(), &pair.bob()})
    node->parts().core.session.feature_flags |= drbd::feature::kThinResync;
  pair.run_until_in_step();
  EXPECT_TRUE(pair.disks_equal());
  EXPECT_EQ(pair.bob().zeroed_bytes, 1024U * 1024);
  EXPECT_GT(pair.alice().sent["P_RS_DATA_REPLY"], 0U);
}

TEST(Resync, DrbdsControllerBringsEverythingToo) {
  Pair::Setup setup;
  setup.newer_pages = scattered(setup.data_bytes / testing::page);
  setup.configure = [](Config& config) { config.options.disk.c_max_rate_kib_per_s = 50'000; };
  Pair pair(setup);
  pair.run_until_in_step();
  EXPECT_TRUE(pair.disks_equal());
}

}  // namespace
}  // namespace bascule::replication
