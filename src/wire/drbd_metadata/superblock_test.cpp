#include "wire/drbd_metadata/superblock.h"

#include <gtest/gtest.h>

#include "wire/drbd_metadata/detail/test_files.h"
#include "wire/drbd_metadata/metadata.h"

namespace bascule::drbd_metadata {
namespace {

using detail::Tail;

Bytes bytes_of(ByteView view) { return {view.begin(), view.end()}; }

TEST(Superblock, RealOnesEncodeToTheSameBytes) {
  for (const char* name :
       {"v08-virgin-64M", "v08-restored", "crashed-primary.a", "crashed-primary.b", "guest-a-final", "guest-b-final"}) {
    SCOPED_TRACE(name);
    const Tail tail(name);
    const auto superblock = decode_superblock(tail.superblock());
    ASSERT_TRUE(superblock) << superblock.error().text();
    EXPECT_EQ(encode_superblock(*superblock), bytes_of(tail.superblock()));
    EXPECT_TRUE(check_internal(*superblock, 64 << 20)) << check_internal(*superblock, 64 << 20).error().text();
  }
}

// Compare crashed-primary.a.dump.txt, printed by drbdmeta.
TEST(Superblock, ACrashedPrimaryReadsAsDrbdmetaPrintsIt) {
  const Tail tail("crashed-primary.a");
  const auto superblock = decode_superblock(tail.superblock());
  ASSERT_TRUE(superblock);
  EXPECT_EQ(superblock->current_uuid, 0x843E9F5F5D025A3EU);
  EXPECT_EQ(superblock->device_uuid, 0xEAC95763659A3DF2U);
  EXPECT_EQ(superblock->effective_sectors, 130992U);
  EXPECT_EQ(superblock->activity_log_extents, 1237U);
  EXPECT_EQ(superblock->peer_max_bio_bytes, 1048576U);
  EXPECT_TRUE(superblock->unclean);
  EXPECT_FALSE(superblock->clean());
  EXPECT_EQ(superblock->flags,
            flag::kConsistent | flag::kPrimaryIndicator | flag::kConnectedIndicator | flag::kWasUpToDate);
}

TEST(Superblock, FreshOneIsClean) {
  const Tail tail("v08-virgin-64M");
  EXPECT_TRUE(decode_superblock(tail.superblock())->clean());
}

TEST(Superblock, ZeroByZeroMeansTheDefaultRing) {
  Superblock superblock = create_v08(64 << 20)->superblock;
  superblock.activity_log = {.stripes = 0, .stripe_blocks = 0};
  const auto read = decode_superblock(encode_superblock(superblock));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->shape().blocks(), 8U);
}

Error error_with(std::size_t offset, std::uint32_t value) {
  Bytes block = encode_superblock(create_v08(64 << 20)->superblock);
  put_big(std::span(block), offset, value);
  const auto read = decode_superblock(block);
  if (read) ADD_FAILURE() << "accepted";
  return read ? Error{} : read.error();
}

TEST(Superblock, ErrorsNameTheField) {
  EXPECT_EQ(error_with(60, 0x12345678).why, "0x12345678 instead of 0x8374026b");
  EXPECT_EQ(error_with(60, 0x8374026d).why, "this is metadata of DRBD 9 (v09)");
  EXPECT_EQ(error_with(60, 0x8374026a).where, "magic");
  EXPECT_EQ(error_with(64, 0).where, "md_size_sect");
  EXPECT_EQ(error_with(68, 0).where, "al_offset");
  EXPECT_EQ(error_with(76, 3).where, "bm_offset");
  EXPECT_EQ(error_with(80, 8192).where, "bm_bytes_per_bit");
  EXPECT_EQ(error_with(88, 0).where, "al_stripes, al_stripe_size_4k");
  EXPECT_EQ(error_with(88, 0xffffffff).where, "al_stripes, al_stripe_size_4k");
  EXPECT_EQ(error_with(96, 1).why, "byte 99 is not zero");
  EXPECT_EQ(decode_superblock(Bytes(512)).error().where, "size");
}

TEST(Superblock, MetadataOfDrbd9IsToldApart) {
  const Tail tail("v09-virgin-64M");
  EXPECT_EQ(decode_superblock(tail.superblock()).error().why, "this is metadata of DRBD 9 (v09)");
}

TEST(Superblock, OneFromAnotherDeviceDoesNotFit) {
  const Superblock superblock = create_v08(1 << 30)->superblock;
  const auto checked = check_internal(superblock, 64 << 20);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().why, "136, but this device needs 80");
  Superblock grown = create_v08(64 << 20)->superblock;
  grown.effective_sectors = 131072;
  EXPECT_EQ(check_internal(grown, 64 << 20).error().where, "la_size_sect");
}

}  // namespace
}  // namespace bascule::drbd_metadata
