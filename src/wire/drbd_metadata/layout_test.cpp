#include "wire/drbd_metadata/layout.h"

#include <gtest/gtest.h>

#include <fstream>
#include <regex>

namespace bascule::drbd_metadata {
namespace {

std::uint64_t bytes_of(const std::string& number, const std::string& unit) {
  const int shift = unit == "M" ? 20 : unit == "G" ? 30 : 40;
  return std::stoull(number) << shift;
}

// What the real drbdmeta printed for internal v08 metadata on devices of many sizes.
TEST(Layout, AgreesWithDrbdmetaOnEverySize) {
  std::ifstream file(std::string(BASCULE_DRBD_METADATA_TESTDATA) + "/host-layout.txt");
  const std::regex golden(
      "v08 internal (\\d+)([MGT]): md_size_sect=(\\d+) md_offset=(\\d+) al_offset=(\\d+) bm_offset=(\\d+) *");
  int compared = 0;
  for (std::string line; std::getline(file, line);) {
    std::smatch match;
    if (!std::regex_match(line, match, golden)) continue;
    SCOPED_TRACE(line);
    const auto layout = internal_layout(bytes_of(match[1], match[2]));
    ASSERT_TRUE(layout);
    EXPECT_EQ(layout->metadata_sectors, std::stoull(match[3]));
    EXPECT_EQ(layout->superblock_offset, std::stoull(match[4]));
    EXPECT_EQ(layout->activity_log_offset, std::stoull(match[5]));
    EXPECT_EQ(layout->bitmap_offset, std::stoull(match[6]));
    ++compared;
  }
  EXPECT_GE(compared, 9);
}

// The size two real nodes agreed on for a 64 MiB device (la-size-sect of their metadata).
TEST(Layout, UsableSizeIsWhatRealNodesExport) { EXPECT_EQ(internal_layout(64 << 20)->usable_sectors, 130992U); }

TEST(Layout, AnUnalignedEndIsLeftUnused) {
  const auto layout = internal_layout((64 << 20) + 4095);
  EXPECT_EQ(layout->superblock_offset, (64U << 20) - 4096);
}

TEST(Layout, OffsetsAreRelativeToTheSuperblock) {
  const auto layout = internal_layout(1 << 30, {.stripes = 4, .stripe_blocks = 16});
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->superblock_offset + static_cast<std::int64_t>(layout->activity_log_offset_sectors) * 512,
            layout->activity_log_offset);
  EXPECT_EQ(layout->superblock_offset + static_cast<std::int64_t>(layout->bitmap_offset_sectors) * 512,
            layout->bitmap_offset);
  EXPECT_EQ(layout->superblock_offset - layout->activity_log_offset, 64U * 4096);
}

TEST(Layout, RefusesWhatDoesNotFit) {
  EXPECT_FALSE(internal_layout(0));
  EXPECT_FALSE(internal_layout(40 << 10));
  EXPECT_TRUE(internal_layout(44 << 10));
  EXPECT_TRUE(internal_layout(1ULL << 50));
  EXPECT_FALSE(internal_layout((1ULL << 50) + 1));
  EXPECT_FALSE(internal_layout(1 << 30, {.stripes = 1, .stripe_blocks = 7}));
  EXPECT_FALSE(internal_layout(1 << 30, {.stripes = 0xffffffff, .stripe_blocks = 0xffffffff}));
}

struct External {
  Placement placement;
  std::uint64_t device_bytes;
  std::uint32_t sectors;
  std::uint64_t superblock, bitmap;
};

class ExternalLayout : public ::testing::TestWithParam<External> {};

/// Places the real drbdmeta printed.
TEST_P(ExternalLayout, IsWhereDrbdmetaPutIt) {
  const External& one = GetParam();
  const auto found = layout(one.placement, kUnknownBytes, one.device_bytes);
  ASSERT_TRUE(found) << found.error().text();
  EXPECT_EQ(found->metadata_sectors, one.sectors);
  EXPECT_EQ(found->superblock_offset, one.superblock);
  EXPECT_EQ(found->activity_log_offset, one.superblock + 4096);
  EXPECT_EQ(found->bitmap_offset, one.bitmap);
}

INSTANTIATE_TEST_SUITE_P(Seen, ExternalLayout,
                         ::testing::Values(External{Placement::flexible(), 1 << 20, 2048, 0, 36864},
                                           External{Placement::flexible(), 256 << 20, 524288, 0, 36864},
                                           External{Placement::indexed(0), 1 << 20, 262144, 0, 36864},
                                           External{Placement::indexed(1), 256 << 20, 262144, 134217728, 134254592}));

TEST(Layout, SlotsOfV09TakeTheRoomDrbdmetaGivesThem) {
  constexpr std::uint64_t kGib = 1 << 30;
  for (const auto& [slots, sectors] : {std::pair{1U, 136U}, {3U, 264U}, {7U, 520U}, {31U, 2056U}}) {
    const auto found = layout(Placement::internal(), kGib, kGib, {.slots = slots});
    ASSERT_TRUE(found);
    EXPECT_EQ(found->metadata_sectors, sectors);
  }
}

TEST(Layout, WhatDoesNotFitIsRefused) {
  EXPECT_FALSE(layout(Placement::indexed(1), kUnknownBytes, 128 << 20));
  EXPECT_FALSE(layout(Placement::indexed(256), kUnknownBytes, 1ULL << 40));
  EXPECT_FALSE(layout(Placement::flexible(), kUnknownBytes, 36 << 10));
  EXPECT_FALSE(layout(Placement::internal(), 0, 1 << 30, {.slots = 0}));
  EXPECT_FALSE(layout(Placement::internal(), 0, 1 << 30, {.slots = 32}));
  EXPECT_FALSE(Placement::parse("256"));
  EXPECT_FALSE(Placement::parse("-1"));
  EXPECT_EQ(Placement::parse("7")->text(), "7");
  EXPECT_EQ(*Placement::parse("flex-external"), Placement::flexible());
}

TEST(Layout, TheDataDeviceLimitsAnExternalVolume) {
  EXPECT_EQ(layout(Placement::flexible(), 1 << 20, 1 << 20)->usable_sectors, 2048U);
}

}  // namespace
}  // namespace bascule::drbd_metadata
