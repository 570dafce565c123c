#include "wire/drbd_metadata/creation.h"

#include <gtest/gtest.h>

namespace bascule::drbd_metadata {
namespace {

using Kind = Step::Kind;

/// Old metadata whose bits are cleared already would say that two replicas are alike.
TEST(Creation, WhatWasThereGoesBeforeAnyOfItsPartsIsTouched) {
  const Layout place = internal_layout(64 << 20).value();
  const Metadata metadata = create({}, place).value();
  const Steps steps = creation_steps(metadata, place, place.bitmap_bytes);
  ASSERT_GE(steps.size(), 4U);
  EXPECT_EQ(steps[0].kind, Kind::Zero);
  EXPECT_EQ(steps[0].offset, place.superblock_offset);
  EXPECT_EQ(steps[1].kind, Kind::Flush);
}

TEST(Creation, TheSuperblockComesWhenAllOthersAreDurable) {
  const Layout place = internal_layout(64 << 20).value();
  const Metadata metadata = create({}, place).value();
  const Steps steps = creation_steps(metadata, place, 0, Bytes(place.bitmap_bytes, 0xff));
  ASSERT_GE(steps.size(), 3U);
  const std::size_t last = steps.size() - 2;
  EXPECT_EQ(steps[last - 1].kind, Kind::Flush);
  EXPECT_EQ(steps[last].bytes, encode_metadata(metadata));
  EXPECT_EQ(steps[last].offset, place.superblock_offset);
  EXPECT_EQ(steps[last + 1].kind, Kind::Flush);
}

}  // namespace
}  // namespace bascule::drbd_metadata
