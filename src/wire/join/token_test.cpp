#include "wire/join/token.h"

#include <gtest/gtest.h>

namespace bascule::join {
namespace {

const sealed::Salt salt{1, 2, 3};

Token token_for_dave() {
  Token token{"boutique", "dave", 7788, {"10.0.0.1", "fd00::2"}, {}};
  for (std::size_t i = 0; i < token.secret.size(); ++i) token.secret[i] = static_cast<Byte>(i * 7);
  return token;
}

TEST(JoinToken, IsReadAsItWasWritten) {
  const Token token = token_for_dave();
  const auto read = parse_token(text_of(token));
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(read->cluster, token.cluster);
  EXPECT_EQ(read->node, token.node);
  EXPECT_EQ(read->port, token.port);
  EXPECT_EQ(read->addresses, token.addresses);
  EXPECT_EQ(read->secret, token.secret);
}

TEST(JoinToken, WhatIsCutOffIsNoToken) {
  const auto text = text_of(token_for_dave());
  for (std::size_t length = 0; length < text.size(); ++length)
    EXPECT_FALSE(parse_token(std::string_view(text).substr(0, length))) << length;
  EXPECT_FALSE(parse_token("bascule1.!!"));
  EXPECT_FALSE(parse_token(std::string(10'000, 'x')));
}

TEST(JoinToken, TheSecretsReachOnlyWhoeverHasTheToken) {
  const Token token = token_for_dave();
  const auto hash = hash_of(token.secret);
  const auto asked = request(token, salt);
  const auto secret = open_request("boutique", hash, asked);
  ASSERT_TRUE(secret);
  EXPECT_EQ(*secret, token.secret);
  const auto answered = reply("boutique", *secret, Secrets{"keys", "config"}, salt);
  const auto got = open_reply(token, answered);
  ASSERT_TRUE(got) << got.error().text();
  EXPECT_EQ(got->keys, "keys");
  EXPECT_EQ(got->config, "config");
  Token other = token;
  other.secret[0] ^= 1;
  EXPECT_FALSE(open_reply(other, answered));
  EXPECT_FALSE(open_request("boutique", hash_of(other.secret), asked));
  EXPECT_FALSE(open_request("another", hash, asked));
  EXPECT_EQ(std::string(answered.begin(), answered.end()).find("config"), std::string::npos);
}

/// The log has the hash: it is not enough to join with.
TEST(JoinToken, TheHashIsNoToken) {
  Token thief = token_for_dave();
  const auto hash = hash_of(thief.secret);
  for (std::size_t i = 0; i < thief.secret.size(); ++i)
    thief.secret[i] = static_cast<Byte>(std::stoul(hash.substr(2 * i, 2), nullptr, 16));
  EXPECT_FALSE(open_request("boutique", hash, request(thief, salt)));
}

TEST(JoinToken, WhatWasChangedOnTheWayIsRefused) {
  const Token token = token_for_dave();
  const auto asked = request(token, salt);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    auto changed = asked;
    changed[i] ^= 0x20;
    EXPECT_FALSE(open_request("boutique", hash_of(token.secret), changed)) << i;
  }
  EXPECT_FALSE(open_request("boutique", "no hash", asked));
}

TEST(JoinToken, AClockThatIsFarBehindLetsNobodyIn) {
  constexpr std::uint64_t given_ms = 2'000'000'000'000;
  EXPECT_FALSE(is_of_the_future(given_ms + 3'600'000, given_ms));
  EXPECT_FALSE(is_of_the_future(given_ms + valid_s_max * 1000, given_ms)) << "the longest there is";
  EXPECT_TRUE(is_of_the_future(given_ms + valid_s_max * 1000, given_ms - 1));
  EXPECT_TRUE(is_of_the_future(given_ms + 3'600'000, 0)) << "in 1970";
  EXPECT_FALSE(is_of_the_future(given_ms, given_ms + 1)) << "expired is another matter";
}

TEST(JoinToken, ARefusalIsToldInWords) {
  const Token token = token_for_dave();
  const Result<Secrets> refused = fail("refused", "", "the token was used before");
  const auto got = open_reply(token, reply("boutique", token.secret, refused, salt));
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().text().find("used before"), std::string::npos);
}

}  // namespace
}  // namespace bascule::join
