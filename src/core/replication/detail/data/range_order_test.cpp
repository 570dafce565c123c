#include "core/replication/detail/data/range_order.h"

#include <gtest/gtest.h>

#include "base/prng.h"

namespace bascule::replication::detail {
namespace {

using Keys = std::vector<RangeOrder::Key>;

TEST(RangeOrder, WhoOverlapsWaitsInTurn) {
  RangeOrder order;
  EXPECT_TRUE(order.enter(1, {0, 4096}));
  EXPECT_FALSE(order.enter(2, {2048, 4096}));
  EXPECT_FALSE(order.enter(3, {6000, 4096})) << "it overlaps one that waits";
  EXPECT_TRUE(order.enter(4, {65536, 512}));
  EXPECT_TRUE(order.overlaps({5000, 10}));
  EXPECT_FALSE(order.overlaps({20000, 10}));
  EXPECT_EQ(order.held_in({0, 1 << 20}), (Keys{1, 4}));
  EXPECT_TRUE(order.take_admitted().empty());
  order.leave(1, {0, 4096});
  EXPECT_EQ(order.take_admitted(), Keys{2});
  order.leave(2, {2048, 4096});
  EXPECT_EQ(order.take_admitted(), Keys{3});
}

TEST(RangeOrder, GivingUpLetsTheNextOneGo) {
  RangeOrder order;
  EXPECT_TRUE(order.enter(1, {0, 4096}));
  EXPECT_FALSE(order.enter(2, {0, 8192}));
  EXPECT_FALSE(order.enter(3, {4096, 4096}));
  order.leave(2, {0, 8192});
  EXPECT_EQ(order.take_admitted(), Keys{3});
  order.leave(1, {0, 4096});
  order.leave(3, {4096, 4096});
  EXPECT_TRUE(order.empty());
}

/// Against the plain rule: held ranges are disjoint, and of two that overlap the earlier one goes first.
TEST(RangeOrder, KeepsTheOrderOfAnyOverlappingWrites) {
  Prng prng(7);
  for (int run = 0; run < 200; ++run) {
    RangeOrder order;
    std::map<RangeOrder::Key, Range> present;
    std::map<RangeOrder::Key, bool> held;
    for (RangeOrder::Key key = 1; key <= 60; ++key) {
      const Range range{prng.below(31) * 512, (1 + prng.below(8)) * 512};
      bool expected = true;
      for (const auto& [other, its] : present) expected = expected && !its.overlaps(range);
      ASSERT_EQ(order.enter(key, range), expected);
      present[key] = range;
      held[key] = expected;
      while (present.size() > 6) {
        const auto gone = std::next(present.begin(), static_cast<std::ptrdiff_t>(prng.below(present.size())));
        order.leave(gone->first, gone->second);
        present.erase(gone);
        for (const auto admitted : order.take_admitted()) held[admitted] = true;
        for (const auto& [each, its] : present)
          for (const auto& [other, others] : present) ASSERT_FALSE(other < each && its.overlaps(others) && held[each]);
      }
    }
  }
}

}  // namespace
}  // namespace bascule::replication::detail
