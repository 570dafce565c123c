#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/drbd/frame.h"
#include "wire/drbd/packets.h"

namespace bascule::drbd::detail {

/// A fixed part whose length the table has already accepted.
struct FixedPart {
  ByteView bytes;
  Command command;
  std::uint32_t length;  ///< payload length of the header: fixed part, digest and data
  const WireOptions& options;
};

using Parser = Result<Packet> (*)(const FixedPart&);

/// Bits of CommandInfo.where.
inline constexpr std::uint8_t kOnData = 1;
inline constexpr std::uint8_t kOnMeta = 2;

struct CommandInfo {
  Command command;
  const char* name;
  std::uint8_t where;
  std::uint32_t min_bytes;  ///< payload length of the header, from..to
  std::uint32_t max_bytes;
  bool bulk;  ///< data follows; min_bytes is then the part before digest and data
  Parser parse;
};

/// Every command we know, ascending.
std::span<const CommandInfo> command_table();
const CommandInfo* find_command(std::uint16_t number);

}  // namespace bascule::drbd::detail
