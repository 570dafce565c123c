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
/// What a run of zero bytes makes of a state: linear over its bits, so that one table for each of its bytes is enough.
class ZeroRun {
 public:
  explicit ZeroRun(std::size_t length) {
    const Bytes zeroes(length, 0);
    for (std::size_t byte = 0; byte < 4; ++byte)
      for (std::size_t bit = 0; bit < 8; ++bit) {
        const std::size_t first = std::size_t{1} << bit;
        table_[byte][first] = crc32c_by_table(std::uint32_t{1} << (8 * byte + bit), zeroes);
        for (std::size_t rest = 1; rest < first; ++rest)
          table_[byte][first + rest] = table_[byte][first] ^ table_[byte][rest];
      }
  }
  [[nodiscard]] std::uint32_t after(std::uint32_t state) const {
    return table_[0][state & 0xff] ^ table_[1][(state >> 8) & 0xff] ^ table_[2][(state >> 16) & 0xff] ^
           table_[3][state >> 24];
  }

 private:
  std::array<std::array<std::uint32_t, 256>, 4> table_{};
};

constexpr std::size_t lane_bytes = 1024;

std::uint64_t word_at(const Byte* at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, 8);
  return word;
}

/// Three neighbouring lanes at once: the instruction's answer takes three cycles, but one can begin in each.
__attribute__((target("sse4.2"))) std::uint32_t three_lanes(std::uint32_t state, const Byte* data) {
  static const ZeroRun lane(lane_bytes);
  std::uint64_t first = state, second = 0, third = 0;
  for (std::size_t at = 0; at < lane_bytes; at += 8) {
    first = _mm_crc32_u64(first, word_at(data + at));
    second = _mm_crc32_u64(second, word_at(data + lane_bytes + at));
    third = _mm_crc32_u64(third, word_at(data + 2 * lane_bytes + at));
  }
  const std::uint32_t joined = lane.after(static_cast<std::uint32_t>(first)) ^ static_cast<std::uint32_t>(second);
  return lane.after(joined) ^ static_cast<std::uint32_t>(third);
}

/// The processor's own instruction: of a verify, where each block is summed up, the table takes more than the disk.
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::uint32_t state, ByteView bytes) {
  std::size_t at = 0;
  for (; at + 3 * lane_bytes <= bytes.size(); at += 3 * lane_bytes) state = three_lanes(state, bytes.data() + at);
  std::uint64_t wide = state;
  for (; at + 8 <= bytes.size(); at += 8) wide = _mm_crc32_u64(wide, word_at(bytes.data() + at));
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
