#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace bascule::replication::detail {

/// A range of the data area in bytes.
struct Range {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  [[nodiscard]] std::uint64_t end() const { return offset + length; }
  [[nodiscard]] bool overlaps(const Range& other) const { return offset < other.end() && other.offset < end(); }
  [[nodiscard]] bool contains(const Range& other) const { return offset <= other.offset && other.end() <= end(); }
};

/// Keeps writes of overlapping ranges in the order in which they came: who overlaps an earlier one waits until that has
/// left. The ranges that are held never overlap, so each question costs a search among them.
class RangeOrder {
 public:
  using Key = std::uint64_t;

  /// True: the range is held from now on. False: it waits.
  bool enter(Key key, const Range& range);
  /// Gives back what is held, or gives up waiting.
  void leave(Key key, const Range& range);
  /// Those that waited and hold their range since the last call, in the order they came.
  std::vector<Key> take_admitted();

  /// Held or waiting.
  [[nodiscard]] bool overlaps(const Range& range) const;
  /// The keys of the held ranges that overlap it.
  [[nodiscard]] std::vector<Key> held_in(const Range& range) const;
  [[nodiscard]] bool empty() const { return held_.empty() && waiting_.empty(); }
  [[nodiscard]] std::size_t size() const { return held_.size() + waiting_.size(); }
  /// Grows with each one that enters.
  [[nodiscard]] std::uint64_t arrivals() const { return departures_ + size(); }
  /// Grows with each one that leaves.
  [[nodiscard]] std::uint64_t departures() const { return departures_; }

 private:
  struct Held {
    std::uint64_t end;
    Key key;
  };
  struct Waiting {
    Key key;
    Range range;
  };
  using Place = std::map<std::uint64_t, Held>::const_iterator;

  [[nodiscard]] Place first_in(const Range& range) const;
  [[nodiscard]] bool is_free(const Range& range) const;

  std::map<std::uint64_t, Held> held_;  ///< by offset
  std::vector<Waiting> waiting_;        ///< in the order they came
  std::uint64_t departures_ = 0;
  bool look_again_ = false;
};

}  // namespace bascule::replication::detail
