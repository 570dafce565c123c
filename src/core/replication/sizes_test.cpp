#include "core/replication/detail/session/sizes.h"

#include <gtest/gtest.h>

#include "core/replication/testing/two_engines.h"

namespace bascule::replication {
namespace {

using namespace testing;  // NOLINT: the tests are made of it
using detail::device_size;
using detail::SizeFacts;

constexpr std::uint64_t mib = 2048;  ///< in sectors

TEST(DeviceSize, FollowsFromBothDisksAndTheLimit) {
  struct Row {
    const char* what;
    SizeFacts facts;
    std::uint64_t size;
  };
  const Row table[] = {
      {"the smaller disk", {16 * mib, 12 * mib, 0, 0}, 12 * mib},
      {"cut to the limit", {16 * mib, 12 * mib, 8 * mib, 0}, 8 * mib},
      {"a limit that is too large", {16 * mib, 12 * mib, 20 * mib, 0}, 12 * mib},
      {"the peer is not known: what was agreed", {16 * mib, 0, 0, 10 * mib}, 10 * mib},
      {"and never agreed: all there is", {16 * mib, 0, 0, 0}, 16 * mib},
      {"what was agreed does not fit any more", {8 * mib, 0, 0, 10 * mib}, 8 * mib},
      {"no own disk", {0, 12 * mib, 0, 10 * mib}, 10 * mib},
      {"both have grown", {32 * mib, 32 * mib, 0, 16 * mib}, 32 * mib},
  };
  for (const Row& row : table) EXPECT_EQ(device_size(row.facts), row.size) << row.what;
}

void no_limit(EngineNode& node) { node.config.size_limit_bytes = 0; }

void shrink_backing(EngineNode& node, std::uint64_t bytes) {
  node.config.backing_bytes = bytes;
  const auto created = drbd_metadata::create_v08(bytes).value();
  const auto before = node.restored.superblock;
  node.restored.superblock = created.superblock;
  node.restored.superblock.current_uuid = before.current_uuid;
  node.restored.superblock.flags = before.flags;
  node.restored.bitmap.assign(created.layout.bitmap_bytes, 0);
}

TEST(Sizes, TwoNewReplicasAgreeOnTheSmallerOne) {
  TwoEngines pair;
  pair.create_anew();
  pair.both(no_limit);
  shrink_backing(pair.bob, 8ULL << 20);
  pair.bob.restored.superblock.current_uuid = drbd::kUuidJustCreated;
  pair.start();
  EXPECT_EQ(pair.alice.text(), "Secondary Connected Inconsistent/Inconsistent");
  EXPECT_EQ(pair.alice.status().size_bytes, pair.bob.status().size_bytes);
  EXPECT_LT(pair.alice.status().size_bytes, 8ULL << 20);
  EXPECT_GT(pair.alice.status().size_bytes, 7ULL << 20);
}

TEST(Sizes, APeerThatIsTooSmallForConsistentDataIsRefused) {
  TwoEngines pair;
  pair.both(no_limit);
  shrink_backing(pair.bob, 8ULL << 20);
  pair.start();
  EXPECT_EQ(pair.alice.status().connection, drbd::ConnectionState::StandAlone);
  EXPECT_NE(pair.alice.status().why.find("the peer's disk is too small"), std::string::npos) << pair.alice.status().why;
  EXPECT_EQ(pair.alice.status().size_bytes, TwoEngines::data_sectors * 512);
}

TEST(Sizes, TheSmallerLimitCounts) {
  TwoEngines pair;
  pair.create_anew();
  pair.bob.config.size_limit_bytes = 4ULL << 20;
  pair.start();
  EXPECT_EQ(pair.alice.status().size_bytes, 4ULL << 20);
  EXPECT_EQ(pair.bob.status().size_bytes, 4ULL << 20);
}

TEST(Sizes, ADisklessNodeTakesThePeersSize) {
  TwoEngines pair;
  pair.bob.has_disk = false;
  pair.start();
  EXPECT_EQ(pair.bob.text(), "Secondary Connected Diskless/UpToDate");
  EXPECT_EQ(pair.bob.status().size_bytes, TwoEngines::data_sectors * 512);
}

// ---- while connected
// --------------------------------------------------------------------------------------------------

constexpr std::uint64_t before_bytes = 8ULL << 20;
constexpr std::uint64_t after_bytes = 12ULL << 20;

/// Two replicas of 8 MiB with room for more.
TwoEngines small_device() {
  TwoEngines pair;
  pair.both([](EngineNode& node) {
    node.config.size_limit_bytes = before_bytes;
    node.restored.superblock.effective_sectors = before_bytes / 512;
  });
  return pair;
}

/// What Bob says when his operator has allowed 12 MiB.
drbd::Sizes resized(std::uint16_t flags = 0) {
  drbd::Sizes sizes;
  sizes.disk_sectors = TwoEngines::data_sectors;
  sizes.user_sectors = after_bytes / 512;
  sizes.flags = flags;
  return sizes;
}

TEST(Sizes, BothGrowAndTheNewAreaIsResynced) {
  TwoEngines pair = small_device();
  pair.start();
  pair.forge(pair.bob, resized());
  pair.run(seconds(5));
  for (const EngineNode* node : {&pair.alice, &pair.bob}) {
    EXPECT_EQ(node->text(), "Secondary Connected UpToDate/UpToDate");
    EXPECT_EQ(node->status().size_bytes, after_bytes);
    EXPECT_EQ(node->status().resync_total_bytes, after_bytes - before_bytes);
    EXPECT_EQ(node->status().out_of_sync_bytes, 0U);
  }
  EXPECT_EQ(pair.alice.status().current_uuid, pair.bob.status().current_uuid);
}

TEST(Sizes, WhatIsTakenToBeCleanIsNotResynced) {
  TwoEngines pair = small_device();
  pair.start();
  pair.forge(pair.bob, resized(drbd::size_flag::kNoResync));
  pair.run(seconds(5));
  EXPECT_EQ(pair.alice.text(), "Secondary Connected UpToDate/UpToDate");
  EXPECT_EQ(pair.alice.status().size_bytes, after_bytes);
  EXPECT_EQ(pair.bob.status().size_bytes, after_bytes);
  EXPECT_EQ(pair.alice.status().resync_total_bytes, 0U);
  EXPECT_EQ(pair.alice.status().out_of_sync_bytes, 0U);
}

TEST(Sizes, ASmallerDiskIsRefusedAndASmallerLimitIsTaken) {
  TwoEngines refused = small_device();
  refused.start();
  drbd::Sizes smaller = resized();
  smaller.disk_sectors = before_bytes / 1024;
  smaller.user_sectors = before_bytes / 512;
  refused.forge(refused.bob, smaller);
  EXPECT_TRUE(refused.alice.has_event("the peer's disk is too small"));
  EXPECT_EQ(refused.alice.status().size_bytes, before_bytes);

  TwoEngines taken = small_device();
  taken.start();
  smaller = resized();
  smaller.user_sectors = before_bytes / 1024;
  taken.forge(taken.bob, smaller);
  taken.run(seconds(1));
  EXPECT_EQ(taken.alice.status().size_bytes, before_bytes / 2);
  EXPECT_EQ(taken.bob.status().size_bytes, before_bytes / 2);
  EXPECT_EQ(taken.alice.text(), "Secondary Connected UpToDate/UpToDate");
}

TEST(Sizes, TheSizeOnDiskGrowsAfterTheBitsOfTheNewArea) {
  TwoEngines pair = small_device();
  pair.start();
  pair.alice.metadata_writes.clear();
  pair.forge(pair.bob, resized());
  pair.run(seconds(1));
  const auto layout = drbd_metadata::internal_layout(TwoEngines::backing_bytes).value();
  bool bits_written = false;
  bool grown = false;
  for (const effect::MetadataWrite& write : pair.alice.metadata_writes) {
    if (write.offset == layout.bitmap_offset) {
      bits_written |= write.content[before_bytes / 4096 / 8] == 0xff;
    } else if (write.offset == layout.superblock_offset) {
      const auto superblock = drbd_metadata::decode_superblock(write.content).value();
      grown = superblock.effective_sectors == after_bytes / 512;
      EXPECT_TRUE(bits_written || !grown) << "the superblock was first";
    }
  }
  EXPECT_TRUE(grown);
}

}  // namespace
}  // namespace bascule::replication
