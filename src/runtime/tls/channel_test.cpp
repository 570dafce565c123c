#include "runtime/tls/channel.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <numeric>

namespace bascule::tls {
namespace {

sealed::Key key_number(std::uint32_t id) {
  sealed::Key key{id, {}};
  key.secret.fill(static_cast<Byte>(id));
  return key;
}

sealed::Keyring keys_of(std::uint32_t id) { return sealed::Keyring(key_number(id)); }

const Names alice_to_bob{"boutique", "replication of data", "alice", "bob"};
const Names bob_to_alice{"boutique", "replication of data", "bob", "alice"};

std::unique_ptr<Channel> channel(Side side, const sealed::Keyring& keys, const Names& names) {
  return std::move(*Channel::create(side, keys, names));
}

/// Two ends and the wires between them.
struct Pair {
  std::unique_ptr<Channel> client, server;
  std::string client_error, server_error;
  bool client_done = false, server_done = false;
  Bytes to_server, to_client;

  Pair(const sealed::Keyring& clients_keys, const sealed::Keyring& servers_keys, const Names& clients = alice_to_bob,
       const Names& servers = bob_to_alice)
      : client(channel(Side::client, clients_keys, clients)), server(channel(Side::server, servers_keys, servers)) {}

  static void step(Channel& end, Bytes& out, bool& done, std::string& error) {
    if (done || !error.empty()) return;
    const auto shaken = end.handshake(out);
    if (!shaken) error = shaken.error().text();
    done = shaken && *shaken;
  }
  void carry() {
    server->received(std::exchange(to_server, {}));
    client->received(std::exchange(to_client, {}));
  }
  bool shake() {
    for (int round = 0; round < 4; ++round) {
      step(*client, to_server, client_done, client_error);
      carry();
      step(*server, to_client, server_done, server_error);
      carry();
    }
    return client_done && server_done;
  }
  /// What arrives of `bytes` on the other side.
  Bytes through(Channel& from, Channel& to, ByteView bytes) {
    Bytes wire, back, in(bytes.size() + 1);
    EXPECT_TRUE(from.seal(bytes, wire));
    to.received(wire);
    std::size_t have = 0;
    for (;;) {
      const auto opened = to.open(std::span(in).subspan(have), back);
      EXPECT_TRUE(opened) << opened.error().text();
      if (!opened || *opened == 0) break;
      have += *opened;
    }
    in.resize(have);
    return in;
  }
};

TEST(Channel, CarriesBytesBothWaysAndHidesThem) {
  Pair pair(keys_of(1), keys_of(1));
  ASSERT_TRUE(pair.shake()) << pair.client_error << pair.server_error;
  Bytes large(1'000'000);
  std::iota(large.begin(), large.end(), Byte{0});
  EXPECT_EQ(pair.through(*pair.client, *pair.server, large), large);
  EXPECT_EQ(text_of(pair.through(*pair.server, *pair.client, view_of("an answer"))), "an answer");
  Bytes wire;
  ASSERT_TRUE(pair.client->seal(view_of("a secret of the shop"), wire));
  EXPECT_EQ(text_of(wire).find("secret"), std::string_view::npos);
}

TEST(Channel, RefusesAnotherKey) {
  auto other = key_number(1);
  other.secret[31] ^= 1;
  Pair pair(keys_of(1), sealed::Keyring(other));
  EXPECT_FALSE(pair.shake());
  EXPECT_NE(pair.client_error.find("does not prove that it belongs to the cluster"), std::string::npos);
  EXPECT_FALSE(pair.server_error.empty());
  Pair unknown(keys_of(2), keys_of(1));
  EXPECT_FALSE(unknown.shake());
  EXPECT_FALSE(unknown.client_done || unknown.server_done);
}

TEST(Channel, RefusesAnotherPurposeClusterOrName) {
  const auto refused = [](const Names& servers) {
    Pair pair(keys_of(1), keys_of(1), alice_to_bob, servers);
    return !pair.shake() && !pair.server_done && !pair.client_done;
  };
  EXPECT_TRUE(refused({"boutique", "replication of more", "bob", "alice"}));
  EXPECT_TRUE(refused({"bakery", "replication of data", "bob", "alice"}));
  EXPECT_TRUE(refused({"boutique", "replication of data", "bob", "mallory"}));
  EXPECT_TRUE(refused({"boutique", "replication of data", "carol", "alice"}));
}

TEST(Channel, KeysAreReplacedOneEndAfterTheOther) {
  sealed::Keyring both = keys_of(1);
  ASSERT_TRUE(both.accept(key_number(2)));
  sealed::Keyring second = both;
  ASSERT_TRUE(second.send_with(2));
  EXPECT_TRUE(Pair(keys_of(1), both).shake());
  EXPECT_TRUE(Pair(second, both).shake());
  EXPECT_TRUE(Pair(both, second).shake());
  EXPECT_TRUE(Pair(second, keys_of(2)).shake());
}

TEST(Channel, RefusesAFlippedBit) {
  Pair pair(keys_of(1), keys_of(1));
  ASSERT_TRUE(pair.shake());
  Bytes wire, back, in(100);
  ASSERT_TRUE(pair.client->seal(view_of("pay 100 to bob"), wire));
  wire[wire.size() / 2] ^= 1;
  pair.server->received(wire);
  EXPECT_FALSE(pair.server->open(in, back));
  EXPECT_FALSE(back.empty()) << "an alert tells the peer";
}

TEST(Channel, RefusesBytesThatAreNoTls) {
  auto server = channel(Side::server, keys_of(1), bob_to_alice);
  Bytes out;
  server->received(view_of("\x83\x74\x02\x67 a packet of DRBD, not of TLS, and long enough for a header"));
  EXPECT_FALSE(server->handshake(out));
}

TEST(Channel, ChangesItsKeysAndGoesOn) {
  Pair pair(keys_of(1), keys_of(1));
  ASSERT_TRUE(pair.shake());
  pair.client->change_keys_after(4);
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(text_of(pair.through(*pair.client, *pair.server, view_of("one more"))), "one more");
  EXPECT_EQ(pair.client->key_changes(), 5u);
  EXPECT_EQ(text_of(pair.through(*pair.server, *pair.client, view_of("back"))), "back");
}

/// A server of OpenSSL with a certificate that it signed itself, and no key of ours.
struct Stranger {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  SSL* ssl = nullptr;

  Stranger() {
    EVP_PKEY* const key = EVP_EC_gen("P-256");
    X509* const certificate = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    SSL_CTX_use_certificate(context, certificate);
    SSL_CTX_use_PrivateKey(context, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
    ssl = SSL_new(context);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(ssl);
  }
  ~Stranger() { SSL_free(ssl), SSL_CTX_free(context); }

  Bytes answer(ByteView bytes) {
    BIO_write(SSL_get_rbio(ssl), bytes.data(), static_cast<int>(bytes.size()));
    SSL_do_handshake(ssl);
    Bytes out(BIO_ctrl_pending(SSL_get_wbio(ssl)));
    if (!out.empty()) BIO_read(SSL_get_wbio(ssl), out.data(), static_cast<int>(out.size()));
    return out;
  }
};

TEST(Channel, BelievesNoCertificate) {
  auto client = channel(Side::client, keys_of(1), alice_to_bob);
  Stranger stranger;
  Bytes out;
  ASSERT_TRUE(client->handshake(out));
  const Bytes answer = stranger.answer(out);
  ASSERT_GT(answer.size(), 100u) << "the stranger shows its certificate";
  client->received(answer);
  EXPECT_FALSE(client->handshake(out));
}

TEST(Channel, SpeaksNothingOlder) {
  SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
  SSL* const ssl = SSL_new(context);
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(ssl);
  SSL_do_handshake(ssl);
  Bytes hello(BIO_ctrl_pending(SSL_get_wbio(ssl))), out;
  BIO_read(SSL_get_wbio(ssl), hello.data(), static_cast<int>(hello.size()));
  auto server = channel(Side::server, keys_of(1), bob_to_alice);
  server->received(hello);
  const auto shaken = server->handshake(out);
  EXPECT_FALSE(shaken);
  SSL_free(ssl), SSL_CTX_free(context);
}

}  // namespace
}  // namespace bascule::tls
