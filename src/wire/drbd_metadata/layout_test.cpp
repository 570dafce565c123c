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

}  // namespace
}  // namespace bascule::drbd_metadata
