#include "wire/sealed/keyring.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace bascule::sealed {
namespace {

const std::string one(64, '1'), two(64, '2');

Error mistake(const std::string& text) {
  const auto keyring = Keyring::parse(text, "cluster.key");
  EXPECT_FALSE(keyring) << text;
  return keyring ? Error{} : keyring.error();
}

TEST(Keyring, ReadsWhatItWrites) {
  const auto read = Keyring::parse("# a comment\n\nkey 3 " + one + "\nkey 4 " + two + "\nsend 4\n", "cluster.key");
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(read->sending().id, 4u);
  EXPECT_EQ(read->find(3)->secret[0], 0x11);
  EXPECT_EQ(read->next_id(), 5u);
  const auto again = Keyring::parse(read->text(), "cluster.key");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->text(), read->text());
  EXPECT_EQ(Keyring::parse("key 3 " + one, "cluster.key")->sending().id, 3u) << "the first one is sent with";
}

TEST(Keyring, SaysWhereAFileIsWrongAndNeverWhatIsInIt) {
  EXPECT_EQ(mistake("").why, "there is no key in it");
  EXPECT_EQ(mistake("key 1 " + one + "\nkey 1 " + two).where, "cluster.key, line 2");
  EXPECT_EQ(mistake("key 1 " + one + "\nsend 2").why, "there is no key 2");
  EXPECT_EQ(mistake("key 0 " + one).why, "\"key\" is not followed by the number of a key");
  EXPECT_EQ(mistake("key 1 " + one + " 5").why, "something stands behind the key");
  EXPECT_EQ(mistake("send 1\nsend 1\nkey 1 " + one).why, "a second \"send\"");
  EXPECT_EQ(mistake("lock 1").why, "neither \"key NUMBER SECRET\" nor \"send NUMBER\"");
  const Error cut = mistake("key 1 " + one.substr(1) + "x");
  EXPECT_EQ(cut.why, "a key is 64 digits of 0-9 and a-f");
  EXPECT_EQ(cut.text().find("1111"), std::string::npos);
  std::string many;
  for (int id = 1; id <= 17; ++id) many += "key " + std::to_string(id) + " " + one + "\n";
  EXPECT_EQ(mistake(many).why, "more than 16 keys");
}

TEST(Keyring, TheKeyInUseIsNotDropped) {
  Keyring keyring(Key{1, {}});
  EXPECT_EQ(keyring.drop(1).error().why, "it is the one in use");
  EXPECT_EQ(keyring.send_with(2).error().why, "this node does not have it");
  Key other{1, {}};
  other.secret.fill(9);
  EXPECT_EQ(keyring.accept(other).error().why, "another key has this number");
  EXPECT_TRUE(keyring.accept(Key{1, {}}));
  EXPECT_EQ(keyring.keys().size(), 1u);
}

TEST(Derived, IsTheFirstBlockOfHkdf) {
  // RFC 5869 has no vector with a 32-byte key: this one is from `openssl kdf` with the same inputs.
  Secret secret{};
  for (std::size_t i = 0; i < secret.size(); ++i) secret[i] = static_cast<Byte>(i);
  const Bytes salt{0xa0, 0xa1};
  const Secret key = derived(secret, salt, "bascule");
  std::string text;
  for (const Byte byte : key) text += fmt::format("{:02x}", byte);
  EXPECT_EQ(text, "13472f3781875046ce1be4e0548df2ca2ef4f944a316ebde53a24c017d4d3592");
  EXPECT_NE(key, derived(secret, salt, "basculf"));
}

}  // namespace
}  // namespace bascule::sealed
