#pragma once

#include <algorithm>
#include <span>

#include "base/bytes.h"

namespace bascule::uring {

/// Received bytes that wait to be understood: a fixed piece of memory, filled at the end and used from the front.
class Inbox {
 public:
  explicit Inbox(std::size_t capacity) : memory_(capacity) {}

  [[nodiscard]] ByteView view() const { return ByteView(memory_).subspan(begin_, end_ - begin_); }
  void consume(std::size_t count) {
    BASCULE_ASSERT(count <= end_ - begin_);
    begin_ += count;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  /// Where to receive; empty when the inbox is full. Moves what is left to the front.
  std::span<Byte> space() {
    if (begin_ > 0) {
      std::copy(memory_.begin() + static_cast<std::ptrdiff_t>(begin_),
                memory_.begin() + static_cast<std::ptrdiff_t>(end_), memory_.begin());
      end_ -= begin_;
      begin_ = 0;
    }
    return std::span<Byte>(memory_).subspan(end_);
  }
  void filled(std::size_t count) {
    BASCULE_ASSERT(end_ + count <= memory_.size());
    end_ += count;
  }

 private:
  Bytes memory_;
  std::size_t begin_ = 0, end_ = 0;
};

}  // namespace bascule::uring
