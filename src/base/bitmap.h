#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"

namespace bascule {

/// A fixed number of bits with a running count of the set ones. Memory is taken in the constructor only.
class Bitmap {
 public:
  explicit Bitmap(std::size_t bits = 0);

  [[nodiscard]] std::size_t size() const { return bits_; }
  [[nodiscard]] std::size_t count() const { return set_count_; }  ///< number of set bits, O(1)
  [[nodiscard]] bool test(std::size_t bit) const;
  /// Sets or clears [first, last); returns how many bits changed.
  std::size_t set(std::size_t first, std::size_t last) { return change(first, last, true); }
  std::size_t clear(std::size_t first, std::size_t last) { return change(first, last, false); }
  void set_all() { set(0, bits_); }
  void clear_all() { clear(0, bits_); }
  /// The first set (clear) bit at or after `from`. O(words).
  [[nodiscard]] std::optional<std::size_t> find_set(std::size_t from) const;
  [[nodiscard]] std::optional<std::size_t> find_clear(std::size_t from) const;

  /// 64-bit words; bit n is bit n % 64 of word n / 64. Bits past size() are zero.
  [[nodiscard]] const std::vector<std::uint64_t>& words() const { return words_; }
  /// ORs `value` into word `index`; bits past size() are ignored. Returns how many bits became set.
  std::size_t or_word(std::size_t index, std::uint64_t value);

 private:
  std::size_t change(std::size_t first, std::size_t last, bool value);
  std::size_t bits_;
  std::size_t set_count_ = 0;
  std::vector<std::uint64_t> words_;
};

}  // namespace bascule
