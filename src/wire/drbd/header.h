#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"

namespace bascule::drbd {

/// The three header layouts, named by the version that brought them.
enum class HeaderKind : std::uint8_t { H80, H95, H100 };

inline constexpr std::uint32_t kMagicH80 = 0x83740267;
inline constexpr std::uint16_t kMagicH95 = 0x835a;
inline constexpr std::uint32_t kMagicH100 = 0x8620ec20;

/// A packet header. `length` never counts the header itself.
struct Header {
  HeaderKind kind = HeaderKind::H80;
  std::uint16_t volume = 0;   ///< H100 only
  std::uint16_t command = 0;  ///< raw number
  std::uint32_t length = 0;
};

constexpr std::size_t header_bytes(HeaderKind kind) { return kind == HeaderKind::H100 ? 16 : 8; }

/// The header a sender uses. agreed_version 0 means "Features not exchanged yet".
HeaderKind header_kind(std::uint32_t agreed_version, std::uint32_t length);

/// Reads a header of one of the kinds allowed for `agreed_version`. nullopt: fewer bytes than that header has.
/// Errors: wrong magic (said as soon as 4 bytes are there), header of another version, H100 pad not zero.
Result<std::optional<Header>> decode_header(ByteView bytes, std::uint32_t agreed_version);

void encode_header(Bytes& out, const Header& header);

}  // namespace bascule::drbd
