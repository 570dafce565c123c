#include "wire/drbd_metadata/generation.h"

#include <gtest/gtest.h>

#include "wire/drbd_metadata/detail/random_metadata.h"

namespace bascule::drbd_metadata {
namespace {

TEST(Generation, IsWrittenAsItIsRead) {
  Prng prng(5);
  for (int i = 0; i < 500; ++i) {
    const Metadata metadata = detail::random_metadata(prng).metadata;
    const auto node = metadata.format == Format::V08 ? 0 : static_cast<std::uint32_t>(prng.below(kPeerRecords));
    const std::string text = generation_text(metadata, node);
    const auto same = with_generation(metadata, node, text);
    ASSERT_TRUE(same) << text;
    EXPECT_EQ(*same, metadata);
    Metadata other;
    other.format = metadata.format;
    const auto set = with_generation(other, node, text);
    ASSERT_TRUE(set);
    EXPECT_EQ(generation_text(*set, node), text);
  }
}

TEST(Generation, EmptyFieldsStay) {
  Metadata metadata;
  metadata.current_uuid = 9;
  const auto changed = with_generation(metadata, 0, ":A::5:1");
  ASSERT_TRUE(changed);
  EXPECT_EQ(generation_text(*changed, 0),
            "0000000000000009:000000000000000A:0000000000000000:0000000000000005:1:0:0:0:0:0:0");
}

TEST(Generation, WrongFieldsAreNamed) {
  EXPECT_EQ(with_generation({}, 0, "xx").error().where, "current UUID");
  EXPECT_EQ(with_generation({}, 0, "1:2:3:4:2").error().where, "consistent");
  EXPECT_EQ(with_generation({}, 0, "1:2:3:11111111111111111").error().where, "older history");
  EXPECT_FALSE(with_generation({}, 0, "1:2:3:4:1:1:1:1:1:1:1:1"));
}

TEST(DiskState, FollowsOutdateAndInvalidate) {
  Metadata metadata;
  EXPECT_EQ(disk_state(metadata), "Inconsistent");
  metadata.flags = flag::kConsistent | flag::kWasUpToDate;
  EXPECT_EQ(disk_state(metadata), "Consistent");
  metadata.peers[0].flags = peer_flag::kOutdated;
  EXPECT_EQ(disk_state(metadata), "UpToDate");
  EXPECT_EQ(disk_state(outdated(metadata)), "Outdated");
  EXPECT_EQ(disk_state(invalidated(metadata)), "Inconsistent");
  EXPECT_NE(to_superblock(invalidated(metadata)).flags & flag::kFullSync, 0U);
}

}  // namespace
}  // namespace bascule::drbd_metadata
