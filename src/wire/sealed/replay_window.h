#pragma once

#include <bitset>
#include <cstdint>

namespace bascule::sealed {

enum class Freshness {
  Fresh,     ///< the first time
  Repeated,  ///< seen: it came over another link too, or somebody sends it again
  TooOld,    ///< so far behind the newest that nobody remembers
};

/// Which numbers of a sender were seen: the newest and the 1023 before it. O(1), and at most 1 KiB.
class ReplayWindow {
 public:
  static constexpr std::uint64_t width = 1024;

  /// Looks without remembering.
  [[nodiscard]] Freshness look(std::uint64_t number) const {
    if (!any_ || number > newest_) return Freshness::Fresh;
    if (newest_ - number >= width) return Freshness::TooOld;
    return seen_[number % width] ? Freshness::Repeated : Freshness::Fresh;
  }

  /// Only for what was proven to come from the sender.
  void remember(std::uint64_t number) {
    if (look(number) == Freshness::TooOld) return;
    if (!any_ || number > newest_) advance(number);
    seen_.set(number % width);
  }

 private:
  void advance(std::uint64_t number) {
    if (!any_ || number - newest_ >= width)
      seen_.reset();
    else
      for (std::uint64_t next = newest_ + 1; next < number; ++next) seen_.reset(next % width);
    newest_ = number;
    any_ = true;
  }

  std::bitset<width> seen_;
  std::uint64_t newest_ = 0;
  bool any_ = false;
};

}  // namespace bascule::sealed
