#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace bascule {

/// The digests that peers agree on by the kernel's names ("crc32c", "sha1", ...).
enum class Digest : std::uint8_t { none, crc32c, md5, sha1, sha256, sha384, sha512 };

/// "sha1"; "" for none.
[[nodiscard]] const char* name_of(Digest digest);
/// "" is none. Unset: unknown here. "hmac(sha1)" is not a digest.
[[nodiscard]] std::optional<Digest> digest_named(std::string_view name);
/// Bytes of one digest; 0 for none.
[[nodiscard]] std::size_t digest_bytes(Digest digest);

/// The digest as the kernel writes it: crc32c is the standard CRC-32C, little-endian.
[[nodiscard]] Bytes digest_of(Digest digest, ByteView data);
/// RFC 2104, for the digests from md5 on (crc32c and none give nothing).
[[nodiscard]] Bytes hmac(Digest digest, ByteView key, ByteView message);
/// Equal, in a time that does not tell where they differ.
[[nodiscard]] bool equal_secrets(ByteView one, ByteView other);

}  // namespace bascule
