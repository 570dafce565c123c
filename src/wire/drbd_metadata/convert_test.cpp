#include "wire/drbd_metadata/convert.h"

#include <gtest/gtest.h>

#include "wire/drbd_metadata/detail/random_metadata.h"
#include "wire/drbd_metadata/detail/test_files.h"
#include "wire/drbd_metadata/generation.h"

namespace bascule::drbd_metadata {
namespace {

using detail::Tail;

const Layout kPlace = *internal_layout(64 << 20);

TEST(Convert, V08BecomesWhatDrbdmetaMadeOfIt) {
  const Tail before("v08-restored");
  const Tail after("v09-converted");
  Metadata metadata = *decode_metadata(before.superblock());
  metadata.flags |= flag::kActivityLogClean;  // apply-al came first
  const auto converted = convert(metadata, before.bitmap(), kPlace, Format::V09);
  ASSERT_TRUE(converted);
  EXPECT_EQ(encode_metadata(converted->metadata), Bytes(after.superblock().begin(), after.superblock().end()));
  EXPECT_EQ(converted->area, Bytes(after.bitmap().begin(), after.bitmap().end()));
}

TEST(Convert, ThereAndBackKeepsV08) {
  Prng prng(11);
  for (int i = 0; i < 200; ++i) {
    auto random = detail::random_metadata(prng);
    if (random.metadata.format != Format::V08 || random.placement.kind != Placement::Kind::Internal) continue;
    const auto v09 = convert(random.metadata, random.area, random.layout, Format::V09);
    ASSERT_TRUE(v09);
    const auto v08 = convert(v09->metadata, v09->area, random.layout, Format::V08);
    ASSERT_TRUE(v08) << v08.error().text();
    Metadata expected = random.metadata;
    expected.reserved = {};
    expected.peer_max_bio_bytes = 0;
    expected.activity_log = expected.shape().activity_log;
    if (!expected.clean()) expected.flags &= ~flag::kActivityLogClean, expected.unclean = true;
    EXPECT_EQ(v08->metadata, expected);
    const ByteView kept = ByteView(v08->area).first(random.area.size());
    EXPECT_EQ(Bytes(kept.begin(), kept.end()), random.area);
  }
}

struct ThreeSlots : ::testing::Test {
  ThreeSlots() {
    metadata.current_uuid = 7;
    metadata.node_id = 0;
    metadata.peers[0].flags = peer_flag::kFullSync;  // that is the node itself: invalidate marks every record
    metadata.peers[1] = {.bitmap_uuid = 0xaa, .flags = peer_flag::kNodeExists | peer_flag::kOutdated, .bitmap_slot = 2};
  }
  Result<Conversion> converted() const { return convert(metadata, area, kPlace, Format::V08); }
  MetadataShape shape{.slots = 3};
  Layout place = *layout(Placement::internal(), 0, 64 << 20, shape);
  Metadata metadata = *create({.format = Format::V09, .shape = shape}, place);
  Bytes area = Bytes(place.bitmap_bytes, 0);
};

TEST_F(ThreeSlots, TheOnePeersBitsAreKept) {
  const std::vector<std::uint64_t> bits{0xf0, 0, 3};
  put_slot_words(area, 3, 2, bits);
  const auto v08 = converted();
  ASSERT_TRUE(v08) << v08.error().text();
  EXPECT_EQ(generation_text(v08->metadata, 0),
            "0000000000000007:00000000000000AA:0000000000000000:0000000000000000:0:0:0:0:0:1:0");
  EXPECT_EQ(slot_words(v08->area, 1, 0)[0], 0xf0U);
  EXPECT_EQ(slot_words(v08->area, 1, 0)[2], 3U);
  EXPECT_TRUE(check(v08->metadata, kPlace));
}

TEST_F(ThreeSlots, TwoPeersAreRefusedWithWords) {
  metadata.peers[2] = {.bitmap_uuid = 0xbb, .flags = peer_flag::kNodeExists, .bitmap_slot = 1};
  const auto refused = converted();
  ASSERT_FALSE(refused);
  EXPECT_EQ(
      refused.error().text(),
      "the metadata cannot be converted: peers 1, 2: v08 has room for one peer (forget the others first: drbdmeta "
      "forget-peer)");
}

TEST_F(ThreeSlots, TwoSlotsWithBitsAreRefusedWithWords) {
  metadata.peers[1] = {};
  const std::vector<std::uint64_t> bits{1};
  put_slot_words(area, 3, 0, bits);
  EXPECT_TRUE(converted());
  put_slot_words(area, 3, 1, bits);
  const auto refused = converted();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().where, "slots 0, 1");
}

TEST_F(ThreeSlots, TheSameFormatIsRefused) { EXPECT_FALSE(convert(metadata, area, place, Format::V09)); }

}  // namespace
}  // namespace bascule::drbd_metadata
