#include "wire/drbd_metadata/metadata.h"

#include <gtest/gtest.h>

#include "base/prng.h"
#include "wire/drbd_metadata/activity_log.h"
#include "wire/drbd_metadata/detail/test_files.h"

namespace bascule::drbd_metadata {
namespace {

using detail::Tail;

TEST(CreateV08, WritesWhatDrbdmetaWrote) {
  const Tail tail("v08-virgin-64M");
  const auto initial = create_v08(64 << 20);
  ASSERT_TRUE(initial);
  EXPECT_EQ(initial->image, Bytes(tail.bytes.begin() + 4096, tail.bytes.end()));
  EXPECT_EQ(initial->layout.bitmap_bytes, 4096U);
}

TEST(CreateV08, ATooSmallDeviceIsAnError) { EXPECT_FALSE(create_v08(4096)); }

TEST(Bitmap, SurvivesTheDisk) {
  Prng prng(3);
  for (int i = 0; i < 50; ++i) {
    Bitmap bitmap(1 + prng.below(100000));
    for (int run = 0; run < 20; ++run) {
      const std::size_t first = prng.below(bitmap.size());
      bitmap.set(first, first + 1 + prng.below(bitmap.size() - first));
      bitmap.clear(first, first + 1);
    }
    const Bytes bytes = encode_bitmap(bitmap);
    EXPECT_EQ(bytes.size(), bitmap_bytes_for(bitmap.size() * kSectorsPerBlock));
    Bitmap read(bitmap.size());
    ASSERT_TRUE(decode_bitmap(bytes, read));
    EXPECT_EQ(read.words(), bitmap.words());
  }
}

TEST(Bitmap, MayBeReadPieceByPiece) {
  Bitmap bitmap(70000);
  bitmap.set(32768, 70000);
  const Bytes bytes = encode_bitmap(bitmap);
  Bitmap read(70000);
  for (std::size_t at = 0; at < bytes.size(); at += kBlockBytes)
    ASSERT_TRUE(decode_bitmap(ByteView(bytes).subspan(at, kBlockBytes), read, at * 8));
  EXPECT_EQ(read.words(), bitmap.words());
  EXPECT_FALSE(decode_bitmap(bytes, read, 7));
  EXPECT_FALSE(decode_bitmap(ByteView(bytes).first(7), read));
}

}  // namespace
}  // namespace bascule::drbd_metadata
