#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace bascule::drbd_metadata {

/// One thing to do to the device with the metadata. Writes between two flushes may reach the disk in any order, in part
/// or not at all; behind a flush all earlier ones are there.
struct Step {
  enum class Kind : std::uint8_t { Write, Zero, Flush };
  Kind kind = Kind::Flush;
  std::uint64_t offset = 0;
  Bytes bytes{};             ///< Write
  std::uint64_t length = 0;  ///< Zero: how many bytes
};
using Steps = std::vector<Step>;

inline Step write_step(std::uint64_t offset, Bytes bytes) { return {Step::Kind::Write, offset, std::move(bytes), 0}; }
inline Step zero_step(std::uint64_t offset, std::uint64_t length) { return {Step::Kind::Zero, offset, {}, length}; }
inline Step flush_step() { return {}; }

}  // namespace bascule::drbd_metadata
