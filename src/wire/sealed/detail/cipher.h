#pragma once

#include <openssl/evp.h>

#include <memory>

#include "base/bytes.h"
#include "wire/sealed/keyring.h"

namespace bascule::sealed::detail {

inline constexpr std::size_t tag_bytes = 16;

/// AES-256-GCM (NIST SP 800-38D) under one key. The caller never gives a number twice to `encrypt`.
class Cipher {
 public:
  explicit Cipher(const Secret& key);

  /// Appends the encrypted `plain` and its tag; `header` is authenticated with it.
  void encrypt(std::uint64_t number, ByteView header, ByteView plain, Bytes& out);
  /// False: this was not encrypted under this key with this number and header; `plain` is then worth nothing.
  [[nodiscard]] bool decrypt(std::uint64_t number, ByteView header, ByteView encrypted, Bytes& plain);

 private:
  struct Free {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
  };
  using Context = std::unique_ptr<EVP_CIPHER_CTX, Free>;

  Context encrypting_, decrypting_;
};

}  // namespace bascule::sealed::detail
