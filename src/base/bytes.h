#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"

namespace bascule {

using Byte = std::uint8_t;
using ByteView = std::span<const Byte>;
using Bytes = std::vector<Byte>;

inline ByteView view_of(std::string_view text) { return {reinterpret_cast<const Byte*>(text.data()), text.size()}; }
inline std::string_view text_of(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// Reads integers from bytes that a peer sent. Reading past the end makes ok() false and yields zeros; the caller
/// checks ok() once, after the last field.
class ByteReader {
 public:
  explicit ByteReader(ByteView bytes) : bytes_(bytes) {}

  template <typename Integer>
  Integer big() {
    std::uint64_t value = 0;
    for (Byte byte : take(sizeof(Integer))) value = (value << 8) | byte;
    return static_cast<Integer>(value);
  }
  template <typename Integer>
  Integer little() {
    std::uint64_t value = 0;
    int shift = 0;
    for (Byte byte : take(sizeof(Integer))) value |= std::uint64_t{byte} << shift, shift += 8;
    return static_cast<Integer>(value);
  }
  /// The next `count` bytes, or an empty view (and not ok) when there are fewer.
  ByteView take(std::size_t count) {
    if (count > remaining()) {
      ok_ = false;
      at_ = bytes_.size();
      return {};
    }
    at_ += count;
    return bytes_.subspan(at_ - count, count);
  }
  ByteView rest() { return take(remaining()); }
  void skip(std::size_t count) { (void)take(count); }

  [[nodiscard]] std::size_t remaining() const { return bytes_.size() - at_; }
  [[nodiscard]] bool ok() const { return ok_; }
  /// Everything was read and nothing was missing.
  [[nodiscard]] bool ok_and_done() const { return ok_ && remaining() == 0; }

 private:
  ByteView bytes_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

/// Appends integers to a byte vector that the caller owns.
class ByteWriter {
 public:
  explicit ByteWriter(Bytes& out) : out_(out) {}

  template <typename Integer>
  ByteWriter& big(Integer value) {
    for (int shift = 8 * (static_cast<int>(sizeof(Integer)) - 1); shift >= 0; shift -= 8)
      out_.push_back(static_cast<Byte>(static_cast<std::uint64_t>(value) >> shift));
    return *this;
  }
  template <typename Integer>
  ByteWriter& little(Integer value) {
    for (std::size_t i = 0; i < sizeof(Integer); ++i)
      out_.push_back(static_cast<Byte>(static_cast<std::uint64_t>(value) >> (8 * i)));
    return *this;
  }
  ByteWriter& bytes(ByteView view) {
    out_.insert(out_.end(), view.begin(), view.end());
    return *this;
  }
  ByteWriter& zeros(std::size_t count) {
    out_.insert(out_.end(), count, 0);
    return *this;
  }
  [[nodiscard]] std::size_t size() const { return out_.size(); }

 private:
  Bytes& out_;
};

/// Integers at a fixed place in a fixed block, for on-disk formats.
template <typename Integer>
void put_big(std::span<Byte> block, std::size_t offset, Integer value) {
  BASCULE_ASSERT(offset + sizeof(Integer) <= block.size());
  for (std::size_t i = 0; i < sizeof(Integer); ++i)
    block[offset + i] = static_cast<Byte>(static_cast<std::uint64_t>(value) >> (8 * (sizeof(Integer) - 1 - i)));
}
template <typename Integer>
Integer get_big(ByteView block, std::size_t offset) {
  BASCULE_ASSERT(offset + sizeof(Integer) <= block.size());
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) value = (value << 8) | block[offset + i];
  return static_cast<Integer>(value);
}

}  // namespace bascule
