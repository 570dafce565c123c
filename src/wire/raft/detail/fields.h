#pragma once

#include "wire/raft/types.h"

namespace bascule::raft::detail {

/// One byte that is 0 or 1; false when it is anything else.
inline bool read_flag(ByteReader& in, bool& flag) {
  const auto value = in.big<std::uint8_t>();
  flag = value == 1;
  return value <= 1;
}

/// Kind, length and payload of an entry; false when one of them is outside its range.
inline bool read_kind_and_payload(ByteReader& in, Entry& entry) {
  const auto kind = in.big<std::uint8_t>();
  const auto length = in.big<std::uint32_t>();
  if (kind > static_cast<std::uint8_t>(EntryKind::Configuration) || length > payload_bytes_max) return false;
  entry.kind = static_cast<EntryKind>(kind);
  const ByteView payload = in.take(length);
  entry.payload.assign(payload.begin(), payload.end());
  return entry.kind != EntryKind::Configuration || decode_configuration(entry.payload).has_value();
}

}  // namespace bascule::raft::detail
