#include "wire/drbd_metadata/activity_log.h"

#include <gtest/gtest.h>

#include <set>

#include "base/crc32c.h"
#include "wire/drbd_metadata/detail/test_files.h"
#include "wire/drbd_metadata/metadata.h"

namespace bascule::drbd_metadata {
namespace {

using detail::Tail;

Bytes block_of(ByteView ring, std::size_t index) {
  const ByteView block = ring.subspan(index * kBlockBytes, kBlockBytes);
  return {block.begin(), block.end()};
}

TEST(Transaction, BlocksOfARealRingEncodeToTheSameBytes) {
  for (const char* name : {"crashed-primary.a", "crashed-primary.b", "v08-virgin-64M", "guest-a-final"}) {
    const Tail tail(name);
    for (std::size_t index = 0; index < 8; ++index) {
      SCOPED_TRACE(std::string(name) + " block " + std::to_string(index));
      const Bytes block = block_of(tail.ring(), index);
      const auto transaction = decode_transaction(block);
      ASSERT_TRUE(transaction) << transaction.error().text();
      EXPECT_EQ(encode_transaction(*transaction), block);
    }
  }
}

TEST(Transaction, EachLiesWhereItsNumberSays) {
  const Tail tail("crashed-primary.a");
  for (std::size_t index = 0; index < 8; ++index)
    EXPECT_EQ(ring_block(decode_transaction(block_of(tail.ring(), index))->number, {}), index);
}

TEST(Transaction, FreshBlockHasTheKnownChecksum) {
  const Bytes block = encode_transaction({.type = TransactionType::Initialised});
  EXPECT_EQ(get_big<std::uint32_t>(block, 8), 0x709cc651U);
}

TEST(Transaction, FullOneSurvivesTheRoundTrip) {
  Transaction full{.number = 0xffffffff, .slots = 6433, .context_first_slot = 919};
  for (std::uint16_t i = 0; i < 64; ++i) full.updates.push_back({i, i * 1000U});
  for (std::uint32_t i = 0; i < 919; ++i) full.context.push_back(i);
  EXPECT_TRUE(decode_transaction(encode_transaction(full)) == full);
}

/// `block` with another 16-bit field and a right checksum for it.
Bytes resealed(Bytes block, std::size_t offset, std::uint16_t value) {
  put_big(std::span(block), offset, value);
  put_big(std::span(block), 8, std::uint32_t{0});
  put_big(std::span(block), 8, crc32c_raw(0, block));
  return block;
}

TEST(Transaction, ErrorsNameTheField) {
  const Bytes block = encode_transaction({.number = 1, .slots = 100});
  Bytes flipped = block;
  flipped[500] ^= 1;
  EXPECT_EQ(decode_transaction(flipped).error().where, "crc");
  flipped = block;
  flipped[0] = 0;
  EXPECT_EQ(decode_transaction(flipped).error().where, "magic");
  EXPECT_EQ(decode_transaction(Bytes(100)).error().where, "size");
  EXPECT_EQ(decode_transaction(resealed(block, 12, 5)).error().where, "type");
  EXPECT_EQ(decode_transaction(resealed(block, 14, 65)).error().where, "n_updates");
  EXPECT_EQ(decode_transaction(resealed(block, 18, 101)).error().where, "context_start_slot_nr");
}

TEST(Ring, StripesTakeTurns) {
  const ActivityLogShape shape{.stripes = 4, .stripe_blocks = 16};
  EXPECT_EQ(ring_block(0, shape), 0U);
  EXPECT_EQ(ring_block(1, shape), 16U);
  EXPECT_EQ(ring_block(4, shape), 1U);
  EXPECT_EQ(ring_block(63, shape), 63U);
  EXPECT_EQ(ring_block(64, shape), 0U);
  std::set<std::uint64_t> used;
  for (std::uint32_t number = 0; number < 64; ++number) used.insert(ring_block(number, shape));
  EXPECT_EQ(used.size(), 64U);
}

TEST(Ring, SlotsThatFit) {
  EXPECT_EQ(max_slots({}), 6433U);
  EXPECT_EQ(max_slots({.stripes = 1, .stripe_blocks = 1000}), 65534U);
}

// drbdmeta apply-al marked 40 MB in this image: ten extents.
TEST(Replay, CrashedPrimaryHasTheExtentsThatApplyAlMarks) {
  const Tail tail("crashed-primary.a");
  const auto log = replay(tail.ring(), {});
  ASSERT_TRUE(log);
  EXPECT_EQ(log->next_number, 15U);
  EXPECT_EQ(log->dropped_blocks, 0U);
  // drbdmeta marks whole extents, also past the end of the data; whoever loads the bitmap ignores those bits.
  Bitmap bitmap(16 * kBitsPerExtent);
  EXPECT_EQ(mark_out_of_sync(bitmap, log->extents), 10240U);
}

TEST(Replay, FreshRingIsValidAndEmpty) {
  const auto log = replay(Tail("v08-virgin-64M").ring(), {});
  ASSERT_TRUE(log);
  EXPECT_TRUE(log->extents.empty());
  EXPECT_EQ(log->valid_updates, 0U);
}

/// A log of `slots` slots written as a node would: one update per transaction, the window moving on.
Bytes written_ring(const std::vector<std::uint32_t>& extents, std::uint32_t first_number, std::uint16_t slots) {
  Bytes ring(8 * kBlockBytes, 0);
  std::vector<std::uint32_t> held(slots, kFreeExtent);
  std::size_t window = 0;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    Transaction transaction{.number = first_number + static_cast<std::uint32_t>(i), .slots = slots};
    transaction.context_first_slot = static_cast<std::uint16_t>(window);
    const std::size_t end = std::min<std::size_t>(slots, window + kContextPerTransaction);
    transaction.context.assign(held.begin() + static_cast<std::ptrdiff_t>(window),
                               held.begin() + static_cast<std::ptrdiff_t>(end));
    const auto slot = static_cast<std::uint16_t>(i % slots);
    transaction.updates = {{slot, extents[i]}};
    held[slot] = extents[i];
    window = end == slots ? 0 : end;
    const Bytes block = encode_transaction(transaction);
    std::copy(block.begin(), block.end(),
              ring.begin() + static_cast<std::ptrdiff_t>(ring_block(transaction.number, {}) * kBlockBytes));
  }
  return ring;
}

TEST(Replay, RingThatWentRoundManyTimesGivesTheLastOfEachSlot) {
  std::vector<std::uint32_t> extents;
  for (std::uint32_t i = 0; i < 1000; ++i) extents.push_back(i);
  const auto log = replay(written_ring(extents, 5, 67), {});
  ASSERT_TRUE(log);
  EXPECT_EQ(log->extents, std::vector<std::uint32_t>(extents.end() - 67, extents.end()));
  EXPECT_EQ(log->next_number, 1005U);
}

TEST(Replay, NumbersMayWrap) {
  std::vector<std::uint32_t> extents;
  for (std::uint32_t i = 0; i < 20; ++i) extents.push_back(i);
  const auto log = replay(written_ring(extents, 0xfffffff5, 4), {});
  ASSERT_TRUE(log);
  EXPECT_EQ(log->extents, (std::vector<std::uint32_t>{16, 17, 18, 19}));
}

TEST(Replay, ATornBlockCostsOnlyItself) {
  Bytes ring = written_ring({10, 20, 30, 40, 50, 60, 70, 80, 90}, 0, 67);
  // Transaction 8 (extent 90) lies over block 0 and is torn.
  ring[100] ^= 0xff;
  const auto log = replay(ring, {});
  ASSERT_TRUE(log);
  EXPECT_EQ(log->dropped_blocks, 1U);
  EXPECT_EQ(log->extents, (std::vector<std::uint32_t>{10, 20, 30, 40, 50, 60, 70, 80}));
}

TEST(Replay, WithoutOneValidBlockItIsAnError) {
  EXPECT_FALSE(replay(Bytes(8 * kBlockBytes), {}));
  EXPECT_FALSE(replay(Bytes(kBlockBytes), {}));
}

TEST(MarkOutOfSync, StaysInsideTheBitmap) {
  Bitmap bitmap(1500);
  const std::vector<std::uint32_t> extents{1, 2, 0xfffffffe};
  EXPECT_EQ(mark_out_of_sync(bitmap, extents), 476U);
}

}  // namespace
}  // namespace bascule::drbd_metadata
