#include <gtest/gtest.h>

#include <deque>

#include "core/fencing/fencer.h"

// Worlds with agents that fail, hang, answer twice or to an attempt of long ago. The world knows what each device
// really did; the machine may call the node off only when each device of one level had switched it off after the shot.

namespace bascule::fencing {
namespace {

struct Plug {
  bool on = true;
  Instant off_at{};
};

class FencingWorld {
 public:
  explicit FencingWorld(std::uint64_t seed) : prng_(seed) {
    order_.node = "bob";
    order_.seed = prng_.next();
    order_.head_start = milliseconds(prng_.between(0, 3000));
    std::uint32_t level = 1;
    for (std::uint64_t left = prng_.between(1, 4); left > 0; --left) order_.devices.push_back(draw_device(level));
    fencer_.emplace(order_, now_);
  }

  void run() {
    step(input::Tick{});
    for (int turn = 0; turn < 500 && !fencer_->ended(); ++turn) {
      if (prng_.chance(1, 20)) step(input::Cancel{"back"});
      if (!answers_.empty() && prng_.chance(3, 4)) {
        deliver();
      } else {
        now_ = std::max(now_, fencer_->next_deadline() == never ? now_ + milliseconds(10) : fencer_->next_deadline());
        step(input::Tick{});
      }
      ASSERT_LE(running_, 1) << "two agents at a time";
    }
    ASSERT_TRUE(fencer_->ended()) << "it does not come to an end";
    ASSERT_EQ(ends_, 1);
    ASSERT_EQ(fencer_->state() == State::Proven, proofs_ == 1);
    if (fencer_->state() == State::Cancelled) {
      ASSERT_EQ(shots_, 0) << "cancelled half way";
    }
  }

  [[nodiscard]] State outcome() const { return fencer_->state(); }

 private:
  config::FenceDevice draw_device(std::uint32_t& level) {
    config::FenceDevice device;
    device.name = "d" + std::to_string(order_.devices.size());
    device.agent = "fence_x";
    device.level = level;
    device.retries = static_cast<std::uint32_t>(prng_.below(3));
    device.verify = prng_.chance(2, 3);
    device.action = prng_.chance(1, 3) ? config::FenceAction::off : config::FenceAction::reboot;
    if (prng_.chance(1, 2)) ++level;
    return device;
  }

  void step(const Input& input) {
    Effects effects;
    fencer_->step(input, now_, effects);
    for (const auto& effect : effects) {
      if (const auto* run = std::get_if<effect::RunAgent>(&effect)) play(*run);
      if (const auto* proof = std::get_if<effect::ProvenOff>(&effect)) judge(*proof);
      if (std::holds_alternative<effect::Ended>(effect)) ++ends_;
    }
  }

  /// The device obeys or not, and says so or not; but it does not say that it did what it did not do.
  void play(const effect::RunAgent& run) {
    ++shots_, ++running_;
    auto& plug = plugs_[run.device];
    const bool obeys = prng_.chance(3, 4), says_so = prng_.chance(4, 5);
    if (obeys && (run.action == "off" || run.action == "reboot")) plug = {run.action == "reboot", now_};
    if (obeys && run.action == "on") plug.on = true;
    int code = obeys && says_so ? 0 : prng_.chance(1, 2) ? 1 : -1;
    if (run.action == "status" && code == 0) code = plug.on ? 0 : 2;
    answers_.push_back({run.run, code, "trouble"});
    if (prng_.chance(1, 10)) stale_.push_back(answers_.back());
  }

  void deliver() {
    now_ += milliseconds(prng_.between(1, 400));
    if (!stale_.empty() && prng_.chance(1, 3)) {
      const auto late = stale_.front();
      stale_.pop_front();
      if (late.run != answers_.front().run) step(late);
      return;
    }
    const auto answer = answers_.front();
    answers_.pop_front();
    --running_;
    step(answer);
  }

  void judge(const effect::ProvenOff& proof) {
    ++proofs_;
    const auto off = [&](const config::FenceDevice& device) {
      const auto& plug = plugs_[device.name];
      return !plug.on || plug.off_at >= proof.since;
    };
    bool some_level = false;
    for (std::uint32_t level = 1; level <= 9; ++level) {
      bool any = false, all = true;
      for (const auto& device : order_.devices)
        if (device.level == level) any = true, all = all && off(device);
      some_level = some_level || (any && all);
    }
    EXPECT_TRUE(some_level) << "called off although no level of devices had switched it off since the shot";
  }

  Prng prng_;
  Order order_;
  std::optional<Fencer> fencer_;
  Instant now_ = instant_from_ns(1'000'000'000);
  std::map<std::string, Plug> plugs_;
  std::deque<input::AgentDone> answers_, stale_;
  int shots_ = 0, running_ = 0, proofs_ = 0, ends_ = 0;
};

TEST(FencerProperty, TheNodeIsCalledOffOnlyWhenItWas) {
  std::map<State, int> outcomes;
  for (std::uint64_t seed = 1; seed <= 20'000 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    FencingWorld world(seed);
    world.run();
    ++outcomes[world.outcome()];
  }
  EXPECT_GT(outcomes[State::Proven], 2000);
  EXPECT_GT(outcomes[State::Failed], 2000);
  EXPECT_GT(outcomes[State::Cancelled], 100);
}

}  // namespace
}  // namespace bascule::fencing
