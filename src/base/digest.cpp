#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

#include "base/assert.h"
#include "base/crc32c.h"

namespace bascule {
namespace {

struct Row {
  Digest digest;
  const char* name;
  std::size_t bytes;
  const EVP_MD* (*algorithm)();
};
constexpr std::array<Row, 7> rows{{
    {Digest::none, "", 0, nullptr},
    {Digest::crc32c, "crc32c", 4, nullptr},
    {Digest::md5, "md5", 16, EVP_md5},
    {Digest::sha1, "sha1", 20, EVP_sha1},
    {Digest::sha256, "sha256", 32, EVP_sha256},
    {Digest::sha384, "sha384", 48, EVP_sha384},
    {Digest::sha512, "sha512", 64, EVP_sha512},
}};

const Row& row_of(Digest digest) { return rows.at(static_cast<std::size_t>(digest)); }

}  // namespace

const char* name_of(Digest digest) { return row_of(digest).name; }

std::optional<Digest> digest_named(std::string_view name) {
  for (const Row& row : rows)
    if (name == row.name) return row.digest;
  return std::nullopt;
}

std::size_t digest_bytes(Digest digest) { return row_of(digest).bytes; }

Bytes digest_of(Digest digest, ByteView data) {
  const Row& row = row_of(digest);
  Bytes result(row.bytes);
  if (digest == Digest::crc32c) {
    const std::uint32_t sum = crc32c(data);
    for (std::size_t i = 0; i < 4; ++i) result[i] = static_cast<std::uint8_t>(sum >> (8 * i));
  } else if (row.algorithm != nullptr) {
    BASCULE_ASSERT(EVP_Digest(data.data(), data.size(), result.data(), nullptr, row.algorithm(), nullptr) == 1);
  }
  return result;
}

Bytes hmac(Digest digest, ByteView key, ByteView message) {
  const Row& row = row_of(digest);
  if (row.algorithm == nullptr) return {};
  Bytes result(row.bytes);
  BASCULE_ASSERT(HMAC(row.algorithm(), key.data(), static_cast<int>(key.size()), message.data(), message.size(),
                      result.data(), nullptr) != nullptr);
  return result;
}

bool equal_secrets(ByteView one, ByteView other) {
  return one.size() == other.size() && CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

}  // namespace bascule
