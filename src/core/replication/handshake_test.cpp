#include <gtest/gtest.h>

#include "core/replication/testing/two_engines.h"

namespace bascule::replication {
namespace {

using namespace testing;  // NOLINT: the tests are made of it
using drbd_config::Net;
using drbd_config::Options;

constexpr const char* connected = "Secondary Connected UpToDate/UpToDate";
constexpr const char* stand_alone = "Secondary StandAlone UpToDate/DUnknown";

std::size_t connects(const EngineNode& node) {
  return static_cast<std::size_t>(std::count_if(node.sent.begin(), node.sent.end(), [](const drbd::Packet& packet) {
    return std::holds_alternative<drbd::Features>(packet);
  }));
}

// ---- options that must be alike
// ---------------------------------------------------------------------------------------

struct Mismatch {
  const char* option;
  std::function<void(Options&)> alices;
  std::function<void(Options&)> bobs;
  const char* alices_why;
};

TEST(Handshake, OptionsThatMustBeAlikeAndAreNot) {
  using drbd_config::AfterSplitBrain0;
  using drbd_config::AfterSplitBrain1;
  using drbd_config::AfterSplitBrain2;
  const auto none = [](Options&) {};
  const Mismatch table[] = {
      {"protocol", [](Options& o) { o.net.protocol = drbd_config::Protocol::A; }, none,
       "protocol differs: this node has A, the peer C"},
      {"after-sb-0pri", [](Options& o) { o.net.after_sb_0pri = AfterSplitBrain0::discard_zero_changes; }, none,
       "after-sb-0pri differs: this node has discard-zero-changes, the peer disconnect"},
      {"both discard their own", [](Options& o) { o.net.after_sb_0pri = AfterSplitBrain0::discard_local; },
       [](Options& o) { o.net.after_sb_0pri = AfterSplitBrain0::discard_local; },
       "after-sb-0pri differs: this node has discard-local, the peer discard-local"},
      {"after-sb-1pri", [](Options& o) { o.net.after_sb_1pri = AfterSplitBrain1::consensus; },
       [](Options& o) { o.net.after_sb_1pri = AfterSplitBrain1::discard_secondary; },
       "after-sb-1pri differs: this node has consensus, the peer discard-secondary"},
      {"after-sb-2pri", [](Options& o) { o.net.after_sb_2pri = AfterSplitBrain2::violently_as0p; }, none,
       "after-sb-2pri differs: this node has violently-as0p, the peer disconnect"},
      {"allow-two-primaries", [](Options& o) { o.net.allow_two_primaries = true; }, none,
       "allow-two-primaries differs: this node has yes, the peer no"},
      {"data-integrity-alg", [](Options& o) { o.net.data_integrity_alg = "crc32c"; },
       [](Options& o) { o.net.data_integrity_alg = "sha1"; },
       "data-integrity-alg differs: this node has crc32c, the peer sha1"},
      {"verify-alg", [](Options& o) { o.net.verify_alg = "md5"; }, none,
       "verify-alg differs: this node has md5, the peer none"},
      {"csums-alg", none, [](Options& o) { o.net.csums_alg = "sha1"; },
       "csums-alg differs: this node has none, the peer sha1"},
  };
  for (const Mismatch& row : table) {
    SCOPED_TRACE(row.option);
    TwoEngines pair;
    row.alices(pair.alice.config.options);
    row.bobs(pair.bob.config.options);
    pair.start(seconds(30));
    EXPECT_EQ(pair.alice.text(), stand_alone);
    EXPECT_EQ(pair.alice.status().why, row.alices_why);
    EXPECT_EQ(connects(pair.alice), 1U) << "tried again";
  }
}

TEST(Handshake, DiscardLocalMeetsDiscardRemote) {
  TwoEngines pair;
  pair.alice.config.options.net.after_sb_0pri = drbd_config::AfterSplitBrain0::discard_local;
  pair.bob.config.options.net.after_sb_0pri = drbd_config::AfterSplitBrain0::discard_remote;
  pair.start();
  EXPECT_EQ(pair.alice.text(), connected);
}

TEST(Handshake, UnderTheManagerARefusalIsTriedAgainAfterFiveSeconds) {
  TwoEngines pair;
  pair.both([](EngineNode& node) { node.config.authority = Authority::Cluster; });
  pair.alice.config.options.net.verify_alg = "md5";
  pair.start(seconds(12));
  EXPECT_GE(connects(pair.alice), 2U);
  EXPECT_LE(connects(pair.alice), 3U);
}

TEST(Handshake, AnUnknownIntegrityDigestIsRefused) {
  TwoEngines pair;
  pair.both([](EngineNode& node) { node.config.options.net.data_integrity_alg = "michael_mic"; });
  pair.start();
  EXPECT_EQ(pair.alice.status().why, "data-integrity-alg michael_mic is not known here");
}

TEST(Handshake, IntegrityDigestsAreInUseFromTheProtocolOn) {
  TwoEngines pair;
  pair.both([](EngineNode& node) { node.config.options.net.data_integrity_alg = "sha1"; });
  pair.start();
  EXPECT_EQ(pair.alice.text(), connected);
  for (const auto& [socket, wire] : pair.alice.wires) {
    if (wire.kind != drbd::Socket::Data) continue;
    EXPECT_EQ(wire.send_integrity, Digest::sha1);
    EXPECT_EQ(wire.receive_integrity, Digest::sha1);
    EXPECT_EQ(wire.options.integrity_digest_bytes, 20U);
  }
}

TEST(Handshake, AProtocolUpdateChangesWhatThePeerSendsAndNothingElse) {
  TwoEngines pair;
  pair.start();
  drbd::Protocol update;
  update.update = true;
  update.integrity_algorithm = "crc32c";
  pair.forge(pair.bob, update);
  pair.run(seconds(1));
  EXPECT_EQ(pair.alice.text(), connected);
  for (const auto& [socket, wire] : pair.alice.wires) {
    if (wire.kind != drbd::Socket::Data) continue;
    EXPECT_EQ(wire.receive_integrity, Digest::crc32c);
    EXPECT_EQ(wire.send_integrity, Digest::none);
  }
}

// ---- versions
// ---------------------------------------------------------------------------------------------------------

TEST(Handshake, VersionsThatDoNotOverlapStandAloneAndBothRangesAreNamed) {
  for (const auto& [lowest, highest, why] :
       {std::tuple{86U, 97U, "the peer speaks versions 86 to 97, this node 100 and 101"},
        std::tuple{86U, 0U, "the peer speaks versions 86 to 86, this node 100 and 101"},
        std::tuple{118U, 124U, "the peer speaks versions 118 to 124, this node 100 and 101"}}) {
    TwoEngines pair;
    pair.tamper = [&pair, low = lowest, high = highest](const EngineNode& from, drbd::Packet& packet) {
      auto* features = std::get_if<drbd::Features>(&packet);
      if (features == nullptr || &from != &pair.bob) return;
      features->protocol_min = low;
      features->protocol_max = high;
    };
    pair.start(seconds(30));
    EXPECT_EQ(pair.alice.text(), stand_alone);
    EXPECT_EQ(pair.alice.status().why, why);
    EXPECT_EQ(connects(pair.alice), 1U);
  }
}

TEST(Handshake, TheHighestCommonVersionIsAgreed) {
  TwoEngines pair;
  pair.tamper = [](const EngineNode&, drbd::Packet& packet) {
    if (auto* features = std::get_if<drbd::Features>(&packet)) features->protocol_max = 100;
  };
  pair.start();
  EXPECT_EQ(pair.alice.text(), connected);
  for (const auto& [socket, wire] : pair.alice.wires) EXPECT_EQ(wire.options.agreed_version, 100U);
}

// ---- authentication
// ---------------------------------------------------------------------------------------------------

TwoEngines authenticating(const char* alices_secret, const char* bobs_secret, const char* alices = "sha1",
                          const char* bobs = "sha1") {
  TwoEngines pair;
  pair.alice.config.options.net.cram_hmac_alg = alices;
  pair.alice.config.options.net.shared_secret = alices_secret;
  pair.bob.config.options.net.cram_hmac_alg = bobs;
  pair.bob.config.options.net.shared_secret = bobs_secret;
  return pair;
}

TEST(Authentication, TheRightSecretConnects) {
  for (const char* digest : {"md5", "sha1", "sha256", "sha512"}) {
    TwoEngines pair = authenticating("fox", "fox", digest, digest);
    pair.start();
    EXPECT_EQ(pair.alice.text(), connected) << digest;
  }
}

TEST(Authentication, AWrongSecretStandsAloneAndNothingIsToldBefore) {
  TwoEngines pair = authenticating("fox", "dog");
  pair.start(seconds(30));
  EXPECT_EQ(pair.alice.text(), stand_alone);
  EXPECT_EQ(pair.bob.text(), stand_alone);
  EXPECT_NE(pair.alice.status().why.find("does not know the shared secret"), std::string::npos)
      << pair.alice.status().why;
  for (const drbd::Packet& packet : pair.alice.sent) {
    EXPECT_FALSE(std::holds_alternative<drbd::Protocol>(packet));
    EXPECT_FALSE(std::holds_alternative<drbd::Uuids>(packet));
  }
}

TEST(Authentication, AReflectedChallengeIsNotAnswered) {
  TwoEngines pair = authenticating("fox", "fox");
  Bytes alices;
  pair.tamper = [&](const EngineNode& from, drbd::Packet& packet) {
    auto* challenge = std::get_if<drbd::AuthChallenge>(&packet);
    if (challenge == nullptr) return;
    if (&from == &pair.alice)
      alices = challenge->challenge;
    else
      challenge->challenge = alices;
  };
  pair.start();
  EXPECT_EQ(pair.alice.text(), stand_alone);
  EXPECT_NE(pair.alice.status().why.find("own challenge back"), std::string::npos) << pair.alice.status().why;
  for (const drbd::Packet& packet : pair.alice.sent) EXPECT_FALSE(std::holds_alternative<drbd::AuthResponse>(packet));
}

TEST(Authentication, ChallengesDiffer) {
  TwoEngines pair = authenticating("fox", "fox");
  std::vector<Bytes> seen;
  pair.tamper = [&](const EngineNode&, drbd::Packet& packet) {
    if (auto* challenge = std::get_if<drbd::AuthChallenge>(&packet)) seen.push_back(challenge->challenge);
  };
  pair.start();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_NE(seen[0], seen[1]);
  EXPECT_EQ(seen[0].size(), 64U);
}

TEST(Authentication, DifferentAlgorithmsAreAWrongAnswer) {
  TwoEngines pair = authenticating("fox", "fox", "sha1", "sha256");
  pair.start();
  EXPECT_EQ(pair.alice.text(), stand_alone);
}

TEST(Authentication, OneSideOnlyIsRefusedByBoth) {
  TwoEngines pair = authenticating("fox", "", "sha1", "");
  pair.start(seconds(30));
  EXPECT_EQ(pair.alice.status().why, "authentication failed: the peer goes on without it");
  EXPECT_EQ(pair.bob.text(), stand_alone);
  EXPECT_EQ(pair.bob.status().why, "the peer wants authentication, and no cram-hmac-alg is configured here");
}

TEST(Authentication, WithoutASecretOrADigestThatIsKnownNothingIsSaid) {
  TwoEngines without = authenticating("", "");
  without.start();
  EXPECT_NE(without.alice.status().why.find("no shared-secret"), std::string::npos);
  TwoEngines unknown = authenticating("fox", "fox", "crc32c", "crc32c");
  unknown.start();
  EXPECT_NE(unknown.alice.status().why.find("\"crc32c\" is not known here"), std::string::npos);
}

}  // namespace
}  // namespace bascule::replication
