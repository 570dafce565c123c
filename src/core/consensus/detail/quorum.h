#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/assert.h"

namespace bascule::consensus::detail {

/// How many of `voters` are a majority.
constexpr std::size_t majority_of(std::size_t voters) { return voters / 2 + 1; }

/// The largest value that a majority of the voters has reached or passed. One value per voter; consumed.
template <typename Value>
Value reached_by_majority(std::vector<Value>& values) {
  BASCULE_ASSERT(!values.empty());
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(majority_of(values.size()) - 1);
  std::nth_element(values.begin(), middle, values.end(), std::greater<>{});
  return *middle;
}

}  // namespace bascule::consensus::detail
