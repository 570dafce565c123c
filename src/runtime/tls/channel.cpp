// TLS 1.3 by OpenSSL, with the cluster's keys as external pre-shared keys and memory in place of sockets.
#include "runtime/tls/channel.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

#include "base/assert.h"

namespace bascule::tls {
namespace {

constexpr std::size_t record_bytes = 16 * 1024;
constexpr const char* suite = "TLS_AES_256_GCM_SHA384";
constexpr std::array<unsigned char, 2> suite_number{0x13, 0x02};
constexpr std::size_t input_kept_bytes = 64 * 1024;  ///< read bytes are dropped when so many lie in front

/// The name under which a key is offered: which key, for what, and who speaks to whom.
std::string identity_of(std::uint32_t key, const std::string& purpose, const std::string& from, const std::string& to) {
  return "bascule/1 " + std::to_string(key) + " " + purpose + " " + from + " " + to;
}

std::optional<std::uint32_t> key_number_of(std::string_view identity) {
  constexpr std::string_view begin = "bascule/1 ";
  if (!identity.starts_with(begin)) return std::nullopt;
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(identity.data() + begin.size(), identity.data() + identity.size(), number);
  if (error != std::errc()) return std::nullopt;
  return number;
}

std::string reason_of_library() {
  const unsigned long code = ERR_peek_error();
  const char* const text = code == 0 ? nullptr : ERR_reason_error_string(code);
  return text == nullptr ? "the peer sent what is not TLS" : text;
}

}  // namespace

struct Channel::Library {
  template <auto free_it>
  struct FreeWith {
    template <typename T>
    void operator()(T* thing) const {
      free_it(thing);
    }
  };

  sealed::Keyring keys;
  Names names;
  std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>> context;
  std::unique_ptr<SSL, FreeWith<SSL_free>> ssl;
  Bytes input;
  std::size_t input_read = 0;
  Bytes* output = nullptr;  ///< of the call under way
  std::string identity;     ///< of the client, as long as OpenSSL looks at it

  Library(const sealed::Keyring& keys_in, const Names& names_in) : keys(keys_in), names(names_in) {}

  [[nodiscard]] SSL_SESSION* session_under(const sealed::Key& key) const {
    const auto secret = sealed::derived(key.secret, view_of(names.cluster), "tls " + names.purpose);
    SSL_SESSION* const session = SSL_SESSION_new();
    BASCULE_ASSERT(session != nullptr);
    BASCULE_ASSERT(SSL_SESSION_set1_master_key(session, secret.data(), secret.size()) == 1);
    BASCULE_ASSERT(SSL_SESSION_set_cipher(session, SSL_CIPHER_find(ssl.get(), suite_number.data())) == 1);
    BASCULE_ASSERT(SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1);
    return session;
  }

  static Library& of(SSL* ssl) { return *static_cast<Library*>(SSL_get_app_data(ssl)); }

  // ---- what OpenSSL asks --------------------------------------------------------------------------------------------

  static int offer_key(SSL* ssl, const EVP_MD* digest, const unsigned char** identity, std::size_t* identity_bytes,
                       SSL_SESSION** session) {
    if (digest != nullptr && digest != EVP_sha384() && EVP_MD_get_type(digest) != EVP_MD_get_type(EVP_sha384()))
      return *session = nullptr, 1;
    Library& self = of(ssl);
    const sealed::Key& key = self.keys.sending();
    self.identity = identity_of(key.id, self.names.purpose, self.names.self, self.names.peer);
    *identity = reinterpret_cast<const unsigned char*>(self.identity.data());
    *identity_bytes = self.identity.size();
    *session = self.session_under(key);
    return 1;
  }

  /// Without a session the handshake fails: there are no certificates.
  static int find_key(SSL* ssl, const unsigned char* identity, std::size_t identity_bytes, SSL_SESSION** session) {
    const Library& self = of(ssl);
    const std::string_view offered(reinterpret_cast<const char*>(identity), identity_bytes);
    const auto number = key_number_of(offered);
    const sealed::Key* const key = number ? self.keys.find(*number) : nullptr;
    const bool meant =
        key != nullptr && offered == identity_of(key->id, self.names.purpose, self.names.peer, self.names.self);
    *session = meant ? self.session_under(*key) : nullptr;
    return 1;
  }

  static int take_output(BIO* bio, const char* bytes, int size) {
    auto& out = *static_cast<Library*>(BIO_get_data(bio))->output;
    out.insert(out.end(), bytes, bytes + size);
    return size;
  }

  static int give_input(BIO* bio, char* into, int size) {
    auto& self = *static_cast<Library*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    const std::size_t here = std::min(self.input.size() - self.input_read, static_cast<std::size_t>(size));
    if (here == 0) return BIO_set_retry_read(bio), -1;
    std::memcpy(into, self.input.data() + self.input_read, here);
    self.input_read += here;
    return static_cast<int>(here);
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static BIO_METHOD* memory() {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "bascule bytes");
      BASCULE_ASSERT(made != nullptr);
      BIO_meth_set_write(made, take_output);
      BIO_meth_set_read(made, give_input);
      BIO_meth_set_ctrl(made, control);
      return made;
    }();
    return method;
  }

  // ---- setting up ---------------------------------------------------------------------------------------------------

  [[nodiscard]] bool make_context() {
    context.reset(SSL_CTX_new(TLS_method()));
    if (!context) return false;
    SSL_CTX* const raw = context.get();
    SSL_CTX_set_options(raw, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_psk_use_session_callback(raw, offer_key);
    SSL_CTX_set_psk_find_session_callback(raw, find_key);
    return SSL_CTX_set_min_proto_version(raw, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(raw, TLS1_3_VERSION) == 1 && SSL_CTX_set_ciphersuites(raw, suite) == 1 &&
           SSL_CTX_set_num_tickets(raw, 0) == 1;
  }

  [[nodiscard]] bool make_connection(Side side) {
    ssl.reset(SSL_new(context.get()));
    BIO* const bio = ssl ? BIO_new(memory()) : nullptr;
    if (bio == nullptr) return false;
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl.get(), bio, bio);
    SSL_set_app_data(ssl.get(), this);
    // No certificate is ever believed: only the key is a proof.
    if (side == Side::client) SSL_set_verify(ssl.get(), SSL_VERIFY_PEER, nullptr);
    side == Side::client ? SSL_set_connect_state(ssl.get()) : SSL_set_accept_state(ssl.get());
    return true;
  }

  /// The kind of what OpenSSL returned, with its queue of errors empty before the call.
  [[nodiscard]] Result<bool> judge(int returned, const char* what) {
    if (returned > 0) return true;
    const int error = SSL_get_error(ssl.get(), returned);
    if (error == SSL_ERROR_WANT_READ) return false;
    if (error == SSL_ERROR_ZERO_RETURN) return fail(what, names.peer, "the peer closed it");
    return fail(what, names.peer, reason_of_library(),
                "both nodes need the same key file and the same `encryption` of the volume");
  }
};

Channel::Channel() = default;
Channel::~Channel() = default;

Result<std::unique_ptr<Channel>> Channel::create(Side side, const sealed::Keyring& keys, const Names& names) {
  std::unique_ptr<Channel> channel(new Channel);
  channel->library_ = std::make_unique<Library>(keys, names);
  ERR_clear_error();
  if (!channel->library_->make_context() || !channel->library_->make_connection(side))
    return fail("no encrypted connection can be made", "OpenSSL", reason_of_library());
  return channel;
}

void Channel::received(ByteView bytes) {
  Library& library = *library_;
  if (library.input_read == library.input.size() || library.input_read >= input_kept_bytes) {
    library.input.erase(library.input.begin(), library.input.begin() + static_cast<std::ptrdiff_t>(library.input_read));
    library.input_read = 0;
  }
  library.input.insert(library.input.end(), bytes.begin(), bytes.end());
}

Result<bool> Channel::handshake(Bytes& out) {
  constexpr const char* what = "the peer does not prove that it belongs to the cluster";
  library_->output = &out;
  ERR_clear_error();
  auto done = library_->judge(SSL_do_handshake(library_->ssl.get()), what);
  if (done && *done && SSL_session_reused(library_->ssl.get()) != 1)
    return fail(what, library_->names.peer, "it has shown something else than the cluster's key");
  return done;
}

Result<void> Channel::change_keys_when_due(std::size_t bytes) {
  records_ += (bytes + record_bytes - 1) / record_bytes;
  if (records_ < records_per_key_) return {};
  records_ = 0;
  ++key_changes_;
  if (SSL_key_update(library_->ssl.get(), SSL_KEY_UPDATE_NOT_REQUESTED) == 1) return {};
  return fail("the keys of a connection cannot be changed", library_->names.peer, reason_of_library());
}

Result<void> Channel::seal(ByteView plain, Bytes& out) {
  library_->output = &out;
  ERR_clear_error();
  if (plain.empty()) return {};
  if (auto changed = change_keys_when_due(plain.size()); !changed) return changed;
  std::size_t written = 0;
  const auto sealed = library_->judge(SSL_write_ex(library_->ssl.get(), plain.data(), plain.size(), &written),
                                      "what goes to the peer cannot be encrypted");
  if (!sealed) return tl::unexpected(sealed.error());
  BASCULE_ASSERT(*sealed && written == plain.size());  // memory takes everything
  return {};
}

Result<std::size_t> Channel::open(std::span<Byte> into, Bytes& out) {
  library_->output = &out;
  ERR_clear_error();
  std::size_t read = 0;
  const auto opened = library_->judge(SSL_read_ex(library_->ssl.get(), into.data(), into.size(), &read),
                                      "what came from the peer cannot be believed");
  if (!opened) return tl::unexpected(opened.error());
  return read;
}

}  // namespace bascule::tls
