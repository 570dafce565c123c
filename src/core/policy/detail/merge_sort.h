#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace bascule::policy::detail {

/// Stable, and defined also where `compare` (less than zero: the left one first) goes round in circles, as rules that
/// look at different things for different pairs may: halves are sorted, and then merged from their beginnings.
template <typename Value, typename Compare>
std::vector<Value> merge_sorted(std::vector<Value> values, const Compare& compare) {
  if (values.size() < 2) return values;
  const auto half = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  const std::vector<Value> right = merge_sorted(std::vector<Value>(half, values.end()), compare);
  const std::vector<Value> left = merge_sorted(std::vector<Value>(values.begin(), half), compare);
  std::size_t one = 0;
  std::size_t other = 0;
  for (Value& value : values) {
    const bool from_left = other == right.size() || (one < left.size() && compare(left[one], right[other]) <= 0);
    value = from_left ? left[one++] : right[other++];
  }
  return values;
}

}  // namespace bascule::policy::detail
