#include "base/bitmap.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace bascule {

namespace {

/// The bits [first, last) of one word, 0 <= first < last <= 64.
std::uint64_t mask_of(std::size_t first, std::size_t last) {
  const std::uint64_t upto_last = last == 64 ? ~0ull : (1ull << last) - 1;
  return upto_last & ~((1ull << first) - 1);
}

}  // namespace

Bitmap::Bitmap(std::size_t bits) : bits_(bits), words_((bits + 63) / 64, 0) {}

bool Bitmap::test(std::size_t bit) const {
  BASCULE_ASSERT(bit < bits_);
  return ((words_[bit / 64] >> (bit % 64)) & 1) != 0;
}

std::size_t Bitmap::change(std::size_t first, std::size_t last, bool value) {
  BASCULE_ASSERT(first <= last && last <= bits_);
  std::size_t changed = 0;
  while (first < last) {
    const std::size_t word = first / 64;
    const std::size_t end = std::min(last, (word + 1) * 64);
    const std::uint64_t mask = mask_of(first % 64, end - word * 64);
    const std::uint64_t flipped = mask & (value ? ~words_[word] : words_[word]);
    words_[word] ^= flipped;
    changed += static_cast<std::size_t>(std::popcount(flipped));
    first = end;
  }
  set_count_ = value ? set_count_ + changed : set_count_ - changed;
  return changed;
}

std::optional<std::size_t> Bitmap::find_set(std::size_t from) const {
  for (std::size_t word = from / 64; word < words_.size(); ++word) {
    std::uint64_t value = words_[word];
    if (word == from / 64) value &= ~0ull << (from % 64);
    if (value != 0) return word * 64 + static_cast<std::size_t>(std::countr_zero(value));
  }
  return std::nullopt;
}

std::optional<std::size_t> Bitmap::find_clear(std::size_t from) const {
  for (std::size_t word = from / 64; word < words_.size(); ++word) {
    std::uint64_t value = ~words_[word];
    if (word == from / 64) value &= ~0ull << (from % 64);
    if (value == 0) continue;
    const std::size_t bit = word * 64 + static_cast<std::size_t>(std::countr_zero(value));
    if (bit < bits_) return bit;
    return std::nullopt;
  }
  return std::nullopt;
}

std::size_t Bitmap::or_word(std::size_t index, std::uint64_t value) {
  BASCULE_ASSERT(index < words_.size());
  if (index + 1 == words_.size() && bits_ % 64 != 0) value &= (1ull << (bits_ % 64)) - 1;
  const auto added = static_cast<std::size_t>(std::popcount(value & ~words_[index]));
  words_[index] |= value;
  set_count_ += added;
  return added;
}

}  // namespace bascule
