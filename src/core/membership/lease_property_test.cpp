#include <gtest/gtest.h>

#include <map>

#include "base/prng.h"
#include "core/membership/lease_granter.h"
#include "core/membership/lease_holder.h"

namespace bascule::membership {
namespace {

/// A clock that starts anywhere and runs up to 500 parts per million fast or slow.
struct Clock {
  std::int64_t start_ns;
  std::int64_t parts_per_million;

  [[nodiscard]] Instant at(std::int64_t real_ns) const {
    return instant_from_ns(start_ns + real_ns + real_ns / 1'000'000 * parts_per_million);
  }
};

Clock some_clock(Prng& prng) {
  const std::int64_t extremes[] = {-500, 500, prng.between(-500, 500)};
  return {prng.between(0, 1'000'000'000'000), extremes[prng.below(3)]};
}

/// One holder, two leaders one after the other, messages late, lost, doubled and out of order. Whenever the present
/// leader is certain that the lease is over, the holder's own end must have passed on the holder's clock, and no
/// message that is still under way may bring it back.
class World {
 public:
  explicit World(std::uint64_t seed) : prng_(seed) {
    state_.volumes["data"].owner = "alice";
    state_.volumes["data"].epoch = 1;
    leaders_[0].lead(1, leader_clock_[0].at(0));
    holder_.observe(state_);
  }

  void run() {
    const std::int64_t change_at = prng_.between(500, 4000) * 1'000'000;
    bool changed = false;
    for (real_ns_ = 0; real_ns_ < 6'000'000'000; real_ns_ += 1'000'000 + prng_.between(0, 3'000'000)) {
      if (!changed && real_ns_ >= change_at) changed = change_leader();
      if (prng_.chance(1, 2000)) prepare_restart();
      if (prng_.chance(1, 200)) cut_until_ns_ = real_ns_ + prng_.between(0, 1'500'000'000);
      holder_turn();
      deliver();
      answer_those_that_waited();
      check();
    }
  }

  int certain = 0;
  int extended = 0;
  int waited = 0;

 private:
  struct Flying {
    bool to_leader;
    std::size_t leader;
    message::LeaseRequest request;
    message::LeaseGrant grant;
  };
  struct Unanswered {
    Flying flying;
    Instant received_at{};
  };

  /// The consensus core promises: when the second is elected, the first has no leader lease any more (and so is
  /// silent).
  bool change_leader() {
    leader_ = 1;
    leaders_[1].lead(2, leader_clock_[1].at(real_ns_));
    return true;
  }

  /// The entry of the log comes first; then the holder believes longer leases.
  void prepare_restart() {
    state_.nodes["alice"].restart_lease_ms = static_cast<std::uint64_t>(to_ms(timing_.restart_lease));
    holder_.prepare_restart();
  }

  void send(const Flying& flying) {
    if (real_ns_ < cut_until_ns_ || prng_.chance(1, 10)) return;
    for (int copies = prng_.chance(1, 10) ? 2 : 1; copies > 0; --copies) {
      const auto delay_ms = prng_.chance(1, 20) ? prng_.between(0, 2000) : prng_.between(0, 30);
      flying_.emplace(real_ns_ + delay_ms * 1'000'000, flying);
    }
  }

  void holder_turn() {
    const auto request = holder_.tick(holder_clock_.at(real_ns_));
    if (request) send({true, leader_, *request, {}});
  }

  void deliver() {
    while (!flying_.empty() && flying_.begin()->first <= real_ns_) {
      const Flying flying = flying_.begin()->second;
      flying_.erase(flying_.begin());
      if (flying.to_leader)
        answer(flying);
      else
        extended += static_cast<int>(holder_.grant(flying.grant, holder_clock_.at(real_ns_)).extended.size());
    }
  }

  /// At once, or at any later moment, also of a leader that is none any more by then.
  void answer(const Flying& flying) {
    const auto received_at = leader_clock_[flying.leader].at(real_ns_);
    const bool may_wait = leaders_[flying.leader].may_wait(flying.request, state_);
    const auto wait_ms = may_wait ? prng_.between(0, 200) : 0;
    waited += may_wait ? 1 : 0;
    unanswered_.emplace(real_ns_ + wait_ms * 1'000'000, Unanswered{flying, received_at});
  }

  void answer_those_that_waited() {
    while (!unanswered_.empty() && unanswered_.begin()->first <= real_ns_) {
      const auto [flying, received_at] = unanswered_.begin()->second;
      unanswered_.erase(unanswered_.begin());
      const auto until = flying.leader == leader_ ? never : Instant{};
      const auto grant = leaders_[flying.leader].answer(flying.request, received_at, state_, true, until,
                                                        leader_clock_[flying.leader].at(real_ns_));
      if (grant) send({false, flying.leader, {}, *grant});
    }
  }

  void check() {
    const auto now = leader_clock_[leader_].at(real_ns_);
    if (!leaders_[leader_].lease_certainly_over("alice", state_, now)) return;
    ++certain;
    // Everything under way arrives at this very moment: still nothing may be valid.
    LeaseHolder worst = holder_;
    for (const auto& [when, flying] : flying_)
      if (!flying.to_leader) (void)worst.grant(flying.grant, holder_clock_.at(real_ns_));
    for (const auto& lease : worst.leases())
      ASSERT_LE(to_ns(lease.end), to_ns(holder_clock_.at(real_ns_))) << "the lease still runs at " << real_ns_;
  }

  Prng prng_;
  config::Timing timing_ = [this] {
    config::Timing timing;
    timing.heartbeat = milliseconds(50);
    if (prng_.chance(1, 4)) timing.lease = milliseconds(250);
    timing.restart_lease = seconds(2);
    return timing;
  }();
  Clock holder_clock_ = some_clock(prng_);
  Clock leader_clock_[2] = {some_clock(prng_), some_clock(prng_)};
  LeaseHolder holder_{"alice", 7, timing_};
  LeaseGranter leaders_[2] = {LeaseGranter(timing_), LeaseGranter(timing_)};
  std::size_t leader_ = 0;
  store::ClusterState state_;
  std::multimap<std::int64_t, Flying> flying_;
  std::multimap<std::int64_t, Unanswered> unanswered_;
  std::int64_t real_ns_ = 0;
  std::int64_t cut_until_ns_ = 0;
};

TEST(LeaseProperty, CertainlyOverMeansOverOnTheHoldersClock) {
  int certain = 0;
  int extended = 0;
  int waited = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    World world(seed);
    world.run();
    ASSERT_FALSE(testing::Test::HasFatalFailure()) << "seed " << seed;
    certain += world.certain, extended += world.extended, waited += world.waited;
  }
  EXPECT_GT(certain, 1000) << "the leaders must have been certain now and then";
  EXPECT_GT(extended, 10000);
  EXPECT_GT(waited, 5000);
}

}  // namespace
}  // namespace bascule::membership
