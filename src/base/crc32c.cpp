#include "base/crc32c.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

#include <array>
#include <cstring>

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

#if defined(__x86_64__)
/// The processor's own instruction: of a verify, where each block is summed up, the table takes more than the disk.
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::uint32_t state, ByteView bytes) {
  std::uint64_t wide = state;
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, 8);
    wide = _mm_crc32_u64(wide, word);
  }
  state = static_cast<std::uint32_t>(wide);
  for (; at < bytes.size(); ++at) state = _mm_crc32_u8(state, bytes[at]);
  return state;
}

bool has_instruction() {
  static const bool has = __builtin_cpu_supports("sse4.2") != 0;
  return has;
}
#else
std::uint32_t by_instruction(std::uint32_t state, ByteView) { return state; }
constexpr bool has_instruction() { return false; }
#endif

}  // namespace

std::uint32_t crc32c_raw(std::uint32_t state, ByteView bytes) {
  return has_instruction() ? by_instruction(state, bytes) : crc32c_by_table(state, bytes);
}

std::uint32_t crc32c_by_table(std::uint32_t state, ByteView bytes) {
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
