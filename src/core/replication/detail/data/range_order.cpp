#include "core/replication/detail/data/range_order.h"

#include <algorithm>

namespace bascule::replication::detail {

/// The first held range that does not end before this one begins.
RangeOrder::Place RangeOrder::first_in(const Range& range) const {
  auto place = held_.upper_bound(range.offset);
  if (place != held_.begin() && std::prev(place)->second.end > range.offset) --place;
  return place;
}

bool RangeOrder::is_free(const Range& range) const {
  const Place place = first_in(range);
  return place == held_.end() || place->first >= range.end();
}

bool RangeOrder::enter(Key key, const Range& range) {
  const auto earlier = [&](const Waiting& each) { return each.range.overlaps(range); };
  if (!is_free(range) || std::any_of(waiting_.begin(), waiting_.end(), earlier)) {
    waiting_.push_back({key, range});
    return false;
  }
  held_.emplace(range.offset, Held{range.end(), key});
  return true;
}

void RangeOrder::leave(Key key, const Range& range) {
  const auto held = held_.find(range.offset);
  if (held != held_.end() && held->second.key == key)
    held_.erase(held);
  else
    std::erase_if(waiting_, [&](const Waiting& each) { return each.key == key; });
  ++departures_;
  look_again_ = look_again_ || !waiting_.empty();
}

std::vector<RangeOrder::Key> RangeOrder::take_admitted() {
  std::vector<Key> admitted;
  if (!look_again_) return admitted;
  look_again_ = false;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    const Waiting candidate = waiting_[i];
    const auto before = waiting_.begin() + static_cast<std::ptrdiff_t>(kept);
    const bool blocked = !is_free(candidate.range) || std::any_of(waiting_.begin(), before, [&](const Waiting& each) {
      return each.range.overlaps(candidate.range);
    });
    if (blocked) {
      waiting_[kept++] = candidate;
      continue;
    }
    held_.emplace(candidate.range.offset, Held{candidate.range.end(), candidate.key});
    admitted.push_back(candidate.key);
  }
  waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(kept), waiting_.end());
  return admitted;
}

bool RangeOrder::overlaps(const Range& range) const {
  return !is_free(range) ||
         std::any_of(waiting_.begin(), waiting_.end(), [&](const Waiting& each) { return each.range.overlaps(range); });
}

std::vector<RangeOrder::Key> RangeOrder::held_in(const Range& range) const {
  std::vector<Key> keys;
  for (Place place = first_in(range); place != held_.end() && place->first < range.end(); ++place)
    keys.push_back(place->second.key);
  return keys;
}

}  // namespace bascule::replication::detail
