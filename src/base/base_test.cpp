#include <gtest/gtest.h>

#include <set>

#include "base/bitmap.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/digest.h"
#include "base/prng.h"
#include "base/recent_maximum.h"
#include "base/result.h"

namespace bascule {
namespace {

TEST(Crc32c, MatchesTheVectorsOfRfc3720) {
  EXPECT_EQ(crc32c(Bytes(32, 0x00)), 0x8a9136aau);
  EXPECT_EQ(crc32c(Bytes(32, 0xff)), 0x62a8ab43u);
  EXPECT_EQ(crc32c(view_of("123456789")), 0xe3069283u);
}

TEST(Crc32c, TheProcessorsInstructionAndTheTableAgree) {
  Prng prng(7);
  Bytes bytes(300);
  for (Byte& byte : bytes) byte = static_cast<Byte>(prng.next());
  for (std::size_t first = 0; first < 9; ++first)
    for (std::size_t length = 0; length + first <= bytes.size(); ++length) {
      const ByteView part = ByteView(bytes).subspan(first, length);
      ASSERT_EQ(crc32c_raw(0x12345678, part), crc32c_by_table(0x12345678, part)) << first << " " << length;
    }
}

TEST(Crc32c, LongRunsInThreeLanesAgreeWithTheTable) {
  Prng prng(8);
  Bytes bytes(3 * 3 * 1024 + 20);
  for (Byte& byte : bytes) byte = static_cast<Byte>(prng.next());
  for (std::size_t lanes = 1; lanes <= 3; ++lanes)
    for (std::size_t rest = 0; rest < 20; ++rest) {
      const ByteView part = ByteView(bytes).subspan(rest % 9, lanes * 3 * 1024 + rest - rest % 9);
      ASSERT_EQ(crc32c_raw(0x12345678, part), crc32c_by_table(0x12345678, part)) << lanes << " " << rest;
    }
}

TEST(Digest, MatchesKnownVectors) {
  EXPECT_EQ(digest_of(Digest::crc32c, Bytes(4096, 0)), (Bytes{0x89, 0x41, 0xf9, 0x98}));  // as the kernel writes it
  EXPECT_EQ(digest_of(Digest::sha1, view_of("abc")).size(), digest_bytes(Digest::sha1));
  EXPECT_EQ(hmac(Digest::md5, view_of("Jefe"), view_of("what do ya want for nothing?")),  // RFC 2202, test case 2
            (Bytes{0x75, 0x0c, 0x78, 0x3e, 0x6a, 0xb0, 0xb5, 0x03, 0xea, 0xa8, 0x6e, 0x31, 0x0a, 0x5d, 0xb7, 0x38}));
  EXPECT_EQ(digest_named("sha1"), Digest::sha1);
  EXPECT_FALSE(digest_named("rot13"));
}

TEST(Bitmap, BehavesAsASetOfNumbers) {
  Prng prng(7);
  for (int round = 0; round < 50; ++round) {
    const std::size_t bits = 1 + prng.below(300);
    Bitmap bitmap(bits);
    std::set<std::size_t> naive;
    for (int step = 0; step < 60; ++step) {
      const std::size_t first = prng.below(bits + 1);
      const std::size_t last = first + prng.below(bits + 1 - first);
      const bool set = prng.chance(1, 2);
      set ? bitmap.set(first, last) : bitmap.clear(first, last);
      for (std::size_t bit = first; bit < last; ++bit) set ? (void)naive.insert(bit) : (void)naive.erase(bit);
      ASSERT_EQ(bitmap.count(), naive.size());
      const std::size_t from = prng.below(bits);
      const auto expected = naive.lower_bound(from);
      ASSERT_EQ(bitmap.find_set(from), expected == naive.end() ? std::nullopt : std::optional(*expected));
      std::size_t gap = from;
      while (gap < bits && naive.count(gap) != 0) ++gap;
      ASSERT_EQ(bitmap.find_clear(from), gap == bits ? std::nullopt : std::optional(gap));
    }
  }
}

TEST(Bitmap, OrWordIgnoresBitsPastTheEnd) {
  Bitmap bitmap(70);
  EXPECT_EQ(bitmap.or_word(1, ~0ull), 6u);
  EXPECT_EQ(bitmap.count(), 6u);
}

TEST(ByteReader, ReportsWhatIsMissingOnce) {
  const Bytes bytes{1, 2, 3};
  ByteReader reader(bytes);
  EXPECT_EQ(reader.big<std::uint16_t>(), 0x0102);
  EXPECT_EQ(reader.big<std::uint32_t>(), 0u);
  EXPECT_FALSE(reader.ok());
}

TEST(ByteWriter, RoundTripsBothOrders) {
  Bytes bytes;
  ByteWriter(bytes).big<std::uint32_t>(0x83740267).little<std::uint64_t>(42);
  ByteReader reader(bytes);
  EXPECT_EQ(reader.big<std::uint32_t>(), 0x83740267u);
  EXPECT_EQ(reader.little<std::uint64_t>(), 42u);
  EXPECT_TRUE(reader.ok_and_done());
}

TEST(Error, ReadsAsOneLine) {
  EXPECT_EQ((Error{"cluster.toml cannot be used", "line 3", "no such key", "remove it"}).text(),
            "cluster.toml cannot be used: line 3: no such key (remove it)");
}

TEST(RecentMaximum, AgreesWithAListOfAllValues) {
  Prng prng(5);
  RecentMaximum maximum(seconds(10));
  std::vector<std::pair<Instant, Duration>> all;
  Instant now = instant_from_ns(7'000'000'000);
  for (int i = 0; i < 5000; ++i) {
    now += milliseconds(prng.between(0, prng.chance(1, 50) ? 12'000 : 100));
    const Duration value = milliseconds(prng.between(0, prng.chance(1, 30) ? 400 : 60));
    maximum.add(value, now);
    all.emplace_back(now, value);
    Duration surely{0}, perhaps{0};
    for (const auto& [at, each] : all) {
      if (now - at <= seconds(9)) surely = std::max(surely, each);
      if (now - at <= seconds(10)) perhaps = std::max(perhaps, each);
    }
    ASSERT_GE(maximum.at(now), surely);
    ASSERT_LE(maximum.at(now), perhaps);
  }
  EXPECT_EQ(maximum.at(now + seconds(11)), Duration{0});
}

}  // namespace
}  // namespace bascule
