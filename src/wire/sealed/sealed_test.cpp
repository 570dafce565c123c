#include "wire/sealed/sealed.h"

#include <gtest/gtest.h>

#include "base/prng.h"

namespace bascule::sealed {
namespace {

Key key_of(std::uint32_t id) {
  Key key{id, {}};
  key.secret.fill(static_cast<Byte>(id));
  return key;
}
Salt salt_of(Byte value) {
  Salt salt{};
  salt.fill(value);
  return salt;
}
Bytes words(std::string_view text) { return {text.begin(), text.end()}; }

struct Pair {
  Keyring keys{key_of(1)};
  Sealer alice{"boutique", 1, salt_of(7)};
  Opener bob{"boutique"};
};

TEST(Sealed, WhatWasSealedIsOpenedOnce) {
  Pair pair;
  const Bytes datagram = pair.alice.seal(key_of(1), words("I live"));
  EXPECT_EQ(datagram.size(), 6 + overhead_bytes);
  EXPECT_EQ(text_of(datagram).find("I live"), std::string_view::npos);
  const auto first = pair.bob.open(pair.keys, datagram);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->sender, 1u);
  EXPECT_EQ(first->freshness, Freshness::Fresh);
  EXPECT_EQ(text_of(first->plain), "I live");
  const auto again = pair.bob.open(pair.keys, datagram);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->freshness, Freshness::Repeated);
  EXPECT_TRUE(again->plain.empty());
}

TEST(Sealed, NoBitMayChange) {
  Pair pair;
  const Bytes datagram = pair.alice.seal(key_of(1), words("grant"));
  for (std::size_t bit = 0; bit < 8 * datagram.size(); ++bit) {
    Bytes changed = datagram;
    changed[bit / 8] ^= static_cast<Byte>(1 << bit % 8);
    EXPECT_FALSE(pair.bob.open(pair.keys, changed)) << "bit " << bit;
  }
  for (std::size_t size = 0; size < datagram.size(); ++size)
    EXPECT_FALSE(pair.bob.open(pair.keys, ByteView(datagram).first(size)));
  EXPECT_EQ(pair.bob.sessions(), 0u) << "what proves nothing is not remembered";
  EXPECT_EQ(pair.bob.open(pair.keys, datagram)->freshness, Freshness::Fresh);
}

TEST(Sealed, AnotherClustersWordsAreNothing) {
  Pair pair;
  Opener other("librairie");
  EXPECT_EQ(other.open(pair.keys, pair.alice.seal(key_of(1), words("x"))).error(), Refusal::Forged);
  Keyring others(key_of(2));
  EXPECT_EQ(pair.bob.open(others, pair.alice.seal(key_of(1), words("x"))).error(), Refusal::UnknownKey);
}

TEST(Sealed, EachStartIsASessionOfItsOwnWithEqualNumbers) {
  Pair pair;
  Sealer restarted("boutique", 1, salt_of(8));
  const Bytes before = pair.alice.seal(key_of(1), words("same"));
  const Bytes after = restarted.seal(key_of(1), words("same"));
  EXPECT_NE(Bytes(before.begin() + 40, before.end()), Bytes(after.begin() + 40, after.end()));
  EXPECT_EQ(pair.bob.open(pair.keys, before)->freshness, Freshness::Fresh);
  EXPECT_EQ(pair.bob.open(pair.keys, after)->freshness, Freshness::Fresh);
  EXPECT_EQ(pair.bob.open(pair.keys, before)->freshness, Freshness::Repeated);
}

TEST(Sealed, TheLatestSessionsOfANodeAreRemembered) {
  Pair pair;
  for (Byte start = 1; start <= 10; ++start) {
    Sealer first("boutique", 1, salt_of(start)), second("boutique", 2, salt_of(start));
    ASSERT_TRUE(pair.bob.open(pair.keys, first.seal(key_of(1), words("x"))));
    if (start == 1) {
      ASSERT_TRUE(pair.bob.open(pair.keys, second.seal(key_of(1), words("x"))));
    }
  }
  EXPECT_EQ(pair.bob.sessions(), Opener::sessions_per_sender + 1) << "node 2 is not pushed out by node 1";
}

TEST(Sealed, AKeyIsReplacedWithoutAGap) {
  Keyring alices(key_of(1)), bobs(key_of(1));
  Sealer alice("boutique", 1, salt_of(1));
  Opener bob("boutique");
  const auto heard = [&] { return bob.open(bobs, alice.seal(alices.sending(), words("x"))).has_value(); };
  EXPECT_TRUE(heard());
  ASSERT_TRUE(bobs.accept(key_of(2)));
  ASSERT_TRUE(alices.accept(key_of(2)));
  EXPECT_TRUE(heard());
  ASSERT_TRUE(alices.send_with(2));
  EXPECT_TRUE(heard());
  ASSERT_TRUE(bobs.send_with(2));
  ASSERT_TRUE(bobs.drop(1));
  EXPECT_TRUE(heard());
  ASSERT_TRUE(alices.send_with(1));
  EXPECT_FALSE(heard()) << "the old key is worth nothing any more";
}

TEST(ReplayWindow, AgreesWithASetOfAllNumbers) {
  Prng prng(1);
  ReplayWindow window;
  std::vector<bool> seen(200'000);
  std::uint64_t newest = 0;
  for (int round = 0; round < 50'000; ++round) {
    const std::uint64_t back = prng.below(4) == 0 ? std::min(newest, prng.below(1200)) : 0;
    const std::uint64_t number = newest - back + 1 + prng.below(prng.below(200) == 0 ? 1500 : 3);
    if (number >= seen.size()) break;
    const auto expected = newest >= number + ReplayWindow::width ? Freshness::TooOld
                          : seen[number]                         ? Freshness::Repeated
                                                                 : Freshness::Fresh;
    ASSERT_EQ(window.look(number), expected) << number << " of " << newest;
    window.remember(number);
    seen[number] = true;
    newest = std::max(newest, number);
  }
  EXPECT_GT(newest, 20 * ReplayWindow::width);
}

TEST(ReplayWindow, AJumpForgetsWhatLiesBehindIt) {
  ReplayWindow window;
  window.remember(5);
  window.remember(5 + ReplayWindow::width);
  EXPECT_EQ(window.look(5), Freshness::TooOld);
  EXPECT_EQ(window.look(6), Freshness::Fresh);
  window.remember(1'000'000);
  EXPECT_EQ(window.look(999'999), Freshness::Fresh);
}

}  // namespace
}  // namespace bascule::sealed
