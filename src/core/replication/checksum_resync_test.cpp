#include "core/replication/testing/pair.h"

namespace bascule::replication {
namespace {

using testing::Pair;

/// 512 marked pages, of which every eighth really differs.
Pair::Setup marked_more_than_differs() {
  Pair::Setup setup;
  for (std::uint64_t number = 0; number < 512; ++number) setup.newer_pages.push_back(number);
  setup.configure = [](Config& config) {
    config.options.net.csums_alg = "crc32c";
    config.resync_rate_max = 0;
  };
  return setup;
}

TEST(ChecksumResync, OnlyWhatDiffersIsSent) {
  Pair pair(marked_more_than_differs());
  // Most of it is the same, although it is marked.
  std::copy_n(pair.alice().disk.begin(), 512 * testing::page, pair.bob().disk.begin());
  for (std::uint64_t number = 0; number < 512; number += 256) pair.change_page(pair.bob(), number);
  pair.run_until_in_step();
  EXPECT_TRUE(pair.disks_equal());
  EXPECT_GT(pair.bob().sent["P_CSUM_RS_REQUEST"], 0U);
  EXPECT_EQ(pair.bob().sent["P_RS_DATA_REQUEST"], 0U);
  EXPECT_EQ(pair.alice().sent["P_RS_DATA_REPLY"], 2U);
  EXPECT_GT(pair.alice().sent["P_RS_IS_IN_SYNC"], 0U);
  EXPECT_EQ(pair.alice().status().out_of_sync_bytes, 0U);
  for (Pair::Node* node : {&pair.alice(), &pair.bob()}) {
    const std::uint64_t equal = node->status().resync_equal_bytes;
    EXPECT_EQ(equal, pair.bob().status().resync_total_bytes - pair.bob().status().statistics.received_bytes);
    const std::string wanted = std::to_string(equal * 100 / (512 * testing::page)) +
                               " % had equal checksums: " + std::to_string(equal) + " bytes were not sent";
    EXPECT_NE(node->told["resync-finished"].find(wanted), std::string::npos) << node->told["resync-finished"];
    EXPECT_GT(equal, 0U);
  }
}

TEST(ChecksumResync, WhatTheTargetCannotReadIsReplaced) {
  Pair pair(marked_more_than_differs());
  pair.bob().unreadable = {3};
  pair.run_until_in_step();
  EXPECT_TRUE(pair.disks_equal());
  EXPECT_EQ(pair.bob().sent["P_RS_DATA_REQUEST"], 1U);
}

TEST(ChecksumResync, OnlyAfterACrashWhenSoConfigured) {
  Pair::Setup setup = marked_more_than_differs();
  setup.configure = [](Config& config) {
    config.options.net.csums_alg = "crc32c";
    config.options.net.csums_after_crash_only = true;
  };
  Pair pair(setup);
  pair.run_until_in_step();
  EXPECT_TRUE(pair.disks_equal());
  EXPECT_EQ(pair.bob().sent["P_CSUM_RS_REQUEST"], 0U);
}

}  // namespace
}  // namespace bascule::replication
