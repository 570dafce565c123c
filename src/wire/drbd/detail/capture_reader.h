#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/bytes.h"

namespace bascule::drbd::detail {

/// One direction of one TCP connection of a capture: addresses and ports, then the bytes in order.
using Direction = std::tuple<std::uint32_t, std::uint16_t, std::uint32_t, std::uint16_t>;
using Streams = std::map<Direction, Bytes>;

/// For tests: reads a gzipped pcap of Ethernet frames and puts TCP streams together. Throws std::runtime_error.
Streams read_capture(const std::string& path);

}  // namespace bascule::drbd::detail
