#include "base/crc32c.h"

#include <array>

namespace bascule {
namespace {

constexpr std::uint32_t polynomial = 0x82f63b78;

using Table = std::array<std::array<std::uint32_t, 256>, 8>;

/// Slicing-by-8: table[k][b] is the effect of byte b followed by k zero bytes.
constexpr Table make_table() {
  Table table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? polynomial : 0);
    table[0][byte] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k)
    for (std::size_t byte = 0; byte < 256; ++byte)
      table[k][byte] = (table[k - 1][byte] >> 8) ^ table[0][table[k - 1][byte] & 0xff];
  return table;
}

constexpr Table table = make_table();

}  // namespace

std::uint32_t crc32c_raw(std::uint32_t state, ByteView bytes) {
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    std::uint32_t next = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      const std::uint32_t mixed = i < 4 ? (state >> (8 * i)) & 0xff : 0;
      next ^= table[7 - i][mixed ^ bytes[at + i]];
    }
    state = next;
  }
  for (; at < bytes.size(); ++at) state = (state >> 8) ^ table[0][(state ^ bytes[at]) & 0xff];
  return state;
}

std::uint32_t crc32c(ByteView bytes) { return ~crc32c_raw(0xffffffff, bytes); }

}  // namespace bascule
