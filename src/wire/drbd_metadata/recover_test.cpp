#include "wire/drbd_metadata/recover.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "wire/drbd_metadata/activity_log.h"
#include "wire/drbd_metadata/detail/test_files.h"
#include "wire/drbd_metadata/dump.h"

namespace bascule::drbd_metadata {
namespace {

using detail::Tail;

void run(const Steps& steps, Bytes& device, std::uint64_t start) {
  for (const Step& step : steps)
    if (step.kind == Step::Kind::Write)
      std::ranges::copy(step.bytes, device.begin() + static_cast<std::ptrdiff_t>(step.offset - start));
}

class CrashedNode : public ::testing::TestWithParam<const char*> {};

/// What the real apply-al left behind: the dump after it.
TEST_P(CrashedNode, IsRecoveredAsDrbdmetaDoes) {
  const std::string name = GetParam();
  Tail tail(name);
  const Layout place = *internal_layout(64 << 20);
  const auto applied = apply_activity_log(*decode_metadata(tail.superblock()), place, tail.ring(), tail.bitmap());
  ASSERT_TRUE(applied) << applied.error().text();
  EXPECT_TRUE(applied->needed);
  run(applied->steps, tail.bytes, place.bitmap_offset);
  EXPECT_EQ(dump_text(*decode_metadata(tail.superblock()), place, tail.bitmap()),
            detail::body_of(detail::read_text(name + ".after-apply-al.dump.txt")));
}

INSTANTIATE_TEST_SUITE_P(Fixtures, CrashedNode, ::testing::Values("crashed-primary.a", "crashed-primary.b"));

TEST(ApplyActivityLog, MarksEverySlotAndOnlyTheHotExtent) {
  const MetadataShape shape{.slots = 3};
  const Layout place = *layout(Placement::internal(), 0, 64 << 20, shape);
  Metadata metadata = *create({.format = Format::V09, .shape = shape}, place);
  metadata.effective_sectors = place.usable_sectors;
  metadata.flags = flag::kPrimaryIndicator | flag::kConsistent;
  Bytes ring = initial_ring({});
  const Bytes block = encode_transaction({.number = 1, .updates = {{0, 5}}, .slots = 1, .context = {kFreeExtent}});
  std::ranges::copy(block, ring.begin());
  Bytes area(place.bitmap_bytes, 0);
  const auto applied = apply_activity_log(metadata, place, ring, area);
  ASSERT_TRUE(applied);
  EXPECT_EQ(applied->newly_set_bits, 3 * kBitsPerExtent);
  area.resize(place.superblock_offset + kBlockBytes - place.bitmap_offset);
  run(applied->steps, area, place.bitmap_offset);
  // Seen with the real tool: extent 5 of three slots starts at byte 1920.
  for (std::size_t at = 0; at < place.bitmap_bytes; ++at)
    EXPECT_EQ(area[at], at >= 1920 && at < 1920 + 384 ? 0xff : 0) << at;
}

TEST(ApplyActivityLog, WithoutPrimaryIndicatorNothingIsHot) {
  Tail tail("crashed-primary.a");
  Metadata metadata = *decode_metadata(tail.superblock());
  metadata.flags &= ~flag::kPrimaryIndicator;
  const auto applied = apply_activity_log(metadata, *internal_layout(64 << 20), tail.ring(), tail.bitmap());
  ASSERT_TRUE(applied);
  EXPECT_EQ(applied->newly_set_bits, 0U);
  EXPECT_TRUE(applied->metadata.clean());
}

TEST(ApplyActivityLog, CleanMetadataAreLeftAlone) {
  Tail tail("v08-virgin-64M");
  const auto applied =
      apply_activity_log(*decode_metadata(tail.superblock()), *internal_layout(64 << 20), tail.ring(), tail.bitmap());
  ASSERT_TRUE(applied);
  EXPECT_FALSE(applied->needed);
  EXPECT_TRUE(applied->steps.empty());
}

/// Seen with the real tool: 0 x 0 stays where the log was not looked at, and becomes 1 x 8 where it was.
TEST(ApplyActivityLog, NamesTheRingsShapeOfACleanPrimary) {
  Tail tail("v08-virgin-64M");
  Metadata metadata = *decode_metadata(tail.superblock());
  metadata.activity_log = {0, 0};
  const Layout place = *internal_layout(64 << 20);
  const auto secondary = apply_activity_log(metadata, place, tail.ring(), tail.bitmap());
  ASSERT_TRUE(secondary);
  EXPECT_TRUE(secondary->steps.empty());
  metadata.flags |= flag::kPrimaryIndicator;
  const auto primary = apply_activity_log(metadata, place, tail.ring(), tail.bitmap());
  ASSERT_TRUE(primary);
  EXPECT_FALSE(primary->needed);
  run(primary->steps, tail.bytes, place.bitmap_offset);
  const ActivityLogShape written = decode_metadata(tail.superblock())->activity_log;
  EXPECT_EQ(written.stripes, 1U);
  EXPECT_EQ(written.stripe_blocks, 8U);
}

TEST(ApplyActivityLog, ALogWithoutAValidBlockIsAnErrorOnAPrimary) {
  Tail tail("crashed-primary.a");
  const Bytes nothing(8 * kBlockBytes, 0);
  EXPECT_FALSE(
      apply_activity_log(*decode_metadata(tail.superblock()), *internal_layout(64 << 20), nothing, tail.bitmap()));
}

}  // namespace
}  // namespace bascule::drbd_metadata
