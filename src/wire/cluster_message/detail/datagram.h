#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace bascule::message::detail {

inline constexpr std::uint32_t magic = 0x42534331;  // "BSC1"
inline constexpr std::uint8_t version = 1;
inline constexpr std::size_t header_bytes = 20;
inline constexpr std::size_t text_bytes_max = 1024;

enum class Kind : std::uint8_t {
  consensus = 1,
  node_report = 2,
  lease_request = 3,
  lease_grant = 4,
  forward = 5,
  forward_reply = 6,
  bundle = 7,
  notice = 8,
  notice_done = 9,
  history_request = 40,
  history_reply = 41,
};

/// A whole datagram around a body, checksum included.
[[nodiscard]] Bytes seal(std::uint8_t kind, std::uint32_t sender_id, ByteView body, const std::string& cluster);

/// A datagram whose header and checksum are right.
struct Opened {
  std::uint8_t kind = 0;
  std::uint32_t sender_id = 0;
  ByteView body;  ///< of the datagram's own bytes
};
[[nodiscard]] Result<Opened> open(ByteView datagram, const std::string& cluster);

[[nodiscard]] tl::unexpected<Error> refuse(std::string why);

}  // namespace bascule::message::detail
