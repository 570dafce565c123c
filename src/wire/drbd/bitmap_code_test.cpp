#include "wire/drbd/bitmap_code.h"

#include <gtest/gtest.h>

#include "base/prng.h"
#include "wire/drbd/frame.h"

namespace bascule::drbd {
namespace {

constexpr std::size_t kHeaderBytes = 16;
using Chunks = std::vector<std::variant<BitmapChunk, CompressedBitmap>>;

// Values of the format's own code table, as a compiled copy of it gave them.
TEST(Vli, GoldenCodes) {
  struct Golden {
    std::uint64_t length, word;
    unsigned bits;
  };
  for (const auto& [length, word, bits] : std::initializer_list<Golden>{{1, 0x0, 2},
                                                                        {2, 0x2, 2},
                                                                        {3, 0x1, 3},
                                                                        {4, 0x5, 3},
                                                                        {5, 0x3, 5},
                                                                        {8, 0x1b, 5},
                                                                        {9, 0x7, 7},
                                                                        {16, 0x77, 7},
                                                                        {17, 0xf, 10},
                                                                        {64, 0x3df, 14},
                                                                        {304, 0x3fdf, 14},
                                                                        {305, 0x3f, 21},
                                                                        {1000, 0x2b73f, 21},
                                                                        {8496, 0x1fff3f, 21},
                                                                        {8497, 0x7f, 29},
                                                                        {32768, 0x5ecf7f, 29},
                                                                        {1048576, 0xfdecf7f, 29},
                                                                        {26214400, 0x16fdecfbf, 42}}) {
    const VliCode code = vli_encode(length);
    EXPECT_EQ(code.word, word) << length;
    EXPECT_EQ(code.bits, bits) << length;
  }
}

TEST(Vli, EveryLengthReadsBackAndIsNeverCutShort) {
  Prng prng(7);
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t length = 1 + prng.below(1ULL << (1 + prng.below(40)));
    const VliCode code = vli_encode(length);
    const auto run = vli_decode(code.word, code.bits);
    ASSERT_TRUE(run);
    ASSERT_EQ(run->length, length);
    ASSERT_EQ(run->bits, code.bits);
    ASSERT_FALSE(vli_decode(code.word, code.bits - 1)) << length;
  }
}

Bitmap bitmap_of_runs(bool first_set, const std::vector<std::size_t>& runs) {
  std::size_t size = 0;
  for (const std::size_t run : runs) size += run;
  Bitmap bitmap(size);
  std::size_t bit = 0;
  for (const std::size_t run : runs) {
    if (first_set) bitmap.set(bit, bit + run);
    first_set = !first_set;
    bit += run;
  }
  return bitmap;
}

Chunks send_all(const Bitmap& bitmap, bool compress) {
  Chunks chunks;
  BitmapSender sender(bitmap, kHeaderBytes, compress);
  while (!sender.done()) chunks.push_back(sender.next());
  return chunks;
}

Bitmap receive_all(const Chunks& chunks, std::size_t size) {
  Bitmap bitmap(size);
  BitmapReceiver receiver(bitmap, kHeaderBytes);
  for (const auto& chunk : chunks) {
    EXPECT_FALSE(receiver.done());
    const auto added = std::visit([&](const auto& one) { return receiver.add(one); }, chunk);
    EXPECT_TRUE(added) << added.error().text();
  }
  EXPECT_TRUE(receiver.done());
  EXPECT_EQ(receiver.newly_set(), bitmap.count());
  return bitmap;
}

TEST(BitmapCode, GoldenStream) {
  const Bitmap bitmap = bitmap_of_runs(false, {5, 1, 3, 1000, 2, 1});
  const Chunks chunks = send_all(bitmap, true);
  ASSERT_EQ(chunks.size(), 1U);
  const auto& chunk = std::get<CompressedBitmap>(chunks[0]);
  EXPECT_EQ(chunk.code, (Bytes{0x83, 0xfc, 0xdc, 0x0a, 0x01}));
  EXPECT_EQ(chunk.encoding, 0x52);
  EXPECT_EQ(receive_all(chunks, bitmap.size()).words(), bitmap.words());
}

// Seen between two Linux 6.1 nodes: a full sync of 16374 blocks.
TEST(BitmapCode, CapturedFullBitmap) {
  Bitmap bitmap(16374);
  bitmap.set_all();
  const Chunks chunks = send_all(bitmap, true);
  ASSERT_EQ(chunks.size(), 1U);
  EXPECT_TRUE(std::get<CompressedBitmap>(chunks[0]) ==
              (CompressedBitmap{.encoding = 0xb2, .code = {0x7f, 0xc5, 0x1e, 0x00}}));
}

TEST(BitmapCode, CapturedSparseBitmapEncodesToTheSameBytes) {
  const CompressedBitmap captured{.encoding = 0x02, .code = {0x3f, 0xb7, 0xe2, 0x0b, 0xf8, 0x5b, 0xd5, 0x00}};
  Bitmap bitmap(16374);
  BitmapReceiver receiver(bitmap, kHeaderBytes);
  ASSERT_TRUE(receiver.add(captured));
  ASSERT_TRUE(receiver.done());
  EXPECT_EQ(bitmap.count(), 0x32U);  // the dirty bits that the same session's UUIDS packet tells
  const Chunks chunks = send_all(bitmap, true);
  ASSERT_EQ(chunks.size(), 1U);
  EXPECT_TRUE(std::get<CompressedBitmap>(chunks[0]) == captured);
}

Bitmap random_bitmap(Prng& prng, std::size_t size, std::uint64_t longest_run) {
  Bitmap bitmap(size);
  bool set = prng.chance(1, 2);
  for (std::size_t bit = 0; bit < size; set = !set) {
    const std::size_t end = std::min<std::size_t>(size, bit + 1 + prng.below(longest_run));
    if (set) bitmap.set(bit, end);
    bit = end;
  }
  return bitmap;
}

TEST(BitmapCode, EveryBitmapArrives) {
  Prng prng(11);
  for (int i = 0; i < 400; ++i) {
    const std::size_t size = prng.below(200000);
    const Bitmap bitmap = random_bitmap(prng, size, 1ULL << prng.below(14));
    for (const bool compress : {true, false})
      ASSERT_EQ(receive_all(send_all(bitmap, compress), size).words(), bitmap.words());
  }
}

TEST(BitmapCode, NoPacketPasses4096Bytes) {
  Prng prng(12);
  const Bitmap bitmap = random_bitmap(prng, 1000000, 40);
  for (const bool compress : {true, false})
    for (const auto& chunk : send_all(bitmap, compress)) {
      const Packet packet = std::visit([](const auto& one) { return Packet(one); }, chunk);
      EXPECT_LE(encode(packet, 0, {.agreed_version = 101}).size(), kMaxControlPacketBytes);
    }
}

// Alternating bits cost two bits each: plain words win. A compressed chunk that was full stopped inside a word; the
// plain one after it starts on that word again.
TEST(BitmapCode, IncompressiblePartsTravelPlainFromAWordOn) {
  Bitmap bitmap(200000);
  bitmap.set(0, 100);
  for (std::size_t bit = 120; bit < 80000; bit += 20) bitmap.set(bit, bit + 1);
  for (std::size_t bit = 100000; bit < 200000; bit += 2) bitmap.set(bit, bit + 1);
  const Chunks chunks = send_all(bitmap, true);
  EXPECT_TRUE(std::holds_alternative<CompressedBitmap>(chunks.front()));
  EXPECT_TRUE(std::holds_alternative<BitmapChunk>(chunks.back()));
  EXPECT_TRUE(std::get<BitmapChunk>(chunks.back()).words.empty());
  EXPECT_EQ(receive_all(chunks, bitmap.size()).words(), bitmap.words());
}

TEST(BitmapCode, PlainChunksAreLittleEndianAndAnEmptyOneEnds) {
  Bitmap bitmap(70);
  bitmap.set(0, 1);
  bitmap.set(69, 70);
  const Chunks chunks = send_all(bitmap, false);
  ASSERT_EQ(chunks.size(), 2U);
  EXPECT_EQ(std::get<BitmapChunk>(chunks[0]).words, (Bytes{1, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_TRUE(std::get<BitmapChunk>(chunks[1]).words.empty());
}

std::string error_of(std::size_t size, const CompressedBitmap& chunk) {
  Bitmap bitmap(size);
  BitmapReceiver receiver(bitmap, kHeaderBytes);
  const auto added = receiver.add(chunk);
  return added ? "no error" : added.error().text();
}

TEST(BitmapReceiver, RefusesWhatCannotBe) {
  const auto says = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  EXPECT_TRUE(says(error_of(100, {.encoding = 0x03, .code = {0}}), "3 instead of 2"));
  EXPECT_TRUE(says(error_of(100, {.encoding = 0x02, .code = {}}), "no bits"));
  EXPECT_TRUE(says(error_of(100, {.encoding = 0x72, .code = {0x80}}), "not zero"));
  EXPECT_TRUE(says(error_of(100, {.encoding = 0x02, .code = {0xff}}), "cut short"));
  EXPECT_TRUE(says(error_of(3, {.encoding = 0x82, .code = {0x00}}), "passes the end"));
  EXPECT_TRUE(says(error_of(100, {.encoding = 0x02, .code = Bytes(8, 0xff)}), "passes the end"));
}

TEST(BitmapReceiver, PlainChunkMustHaveExactlyTheNextWords) {
  Bitmap bitmap(100);
  BitmapReceiver receiver(bitmap, kHeaderBytes);
  EXPECT_FALSE(receiver.add(BitmapChunk{.words = Bytes(8)}));
  EXPECT_FALSE(receiver.add(BitmapChunk{.words = Bytes(24)}));
  EXPECT_TRUE(receiver.add(BitmapChunk{.words = Bytes(16, 0xff)}));
  EXPECT_EQ(bitmap.count(), 100U);
  EXPECT_FALSE(receiver.done());
  EXPECT_TRUE(receiver.add(BitmapChunk{}));
  EXPECT_TRUE(receiver.done());
  EXPECT_FALSE(receiver.add(BitmapChunk{}));
}

TEST(BitmapReceiver, OrsIntoWhatIsSetAlready) {
  Bitmap bitmap(64);
  bitmap.set(0, 10);
  BitmapReceiver receiver(bitmap, kHeaderBytes);
  ASSERT_TRUE(receiver.add(BitmapChunk{.words = {0xff, 0xff, 0, 0, 0, 0, 0, 0}}));
  EXPECT_EQ(bitmap.count(), 16U);
  EXPECT_EQ(receiver.newly_set(), 6U);
}

}  // namespace
}  // namespace bascule::drbd
