#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "runtime/sim/scheduler.h"

namespace bascule::sim::cluster {

/// Of a line on a control socket, from one process to the other.
inline constexpr Duration control_delay = microseconds(100);

/// What is true of every process: it lives, stands still, or has ended. What is brought to it while it stands still
/// waits until it goes on; what was meant for an earlier life is lost.
class Process {
 public:
  explicit Process(Scheduler& scheduler) : scheduler_(scheduler) {}
  virtual ~Process() = default;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] bool alive() const { return alive_; }
  [[nodiscard]] bool paused() const { return paused_; }
  [[nodiscard]] std::uint32_t life() const { return life_; }
  void pause() { paused_ = alive_; }
  void resume() {
    if (!std::exchange(paused_, false)) return;
    for (auto& action : std::exchange(missed_, {}))
      if (alive_ && !paused_) action();
    if (alive_) resumed();
  }

  /// Now, or when it goes on; never, if it does not live.
  template <typename Action>
  void bring(Action action) {
    if (!alive_) return;
    if (!paused_) return action();
    if (missed_.size() < missed_max) missed_.push_back(std::move(action));
  }
  /// After a while, unless this life has ended by then.
  template <typename Action>
  void later(Duration delay, Action action) {
    scheduler_.after(delay, [this, life = life_, action = std::move(action)]() mutable {
      if (alive_ && life == life_) bring(std::move(action));
    });
  }

 protected:
  void begin_life() {
    alive_ = true;
    paused_ = false;
    ++life_;
  }
  void end_life() {
    alive_ = paused_ = false;
    missed_.clear();
  }
  /// It goes on, and has been brought what it missed.
  virtual void resumed() {}
  [[nodiscard]] Scheduler& scheduler() { return scheduler_; }
  [[nodiscard]] Prng& prng() { return scheduler_.prng(); }
  [[nodiscard]] Duration between(Duration low, Duration high) {
    return Duration{prng().between(low.count(), high.count())};
  }

 private:
  static constexpr std::size_t missed_max = 4096;  ///< what a kernel keeps for a process, about
  Scheduler& scheduler_;
  bool alive_ = false;
  bool paused_ = false;
  std::uint32_t life_ = 0;
  std::vector<std::function<void()>> missed_;
};

}  // namespace bascule::sim::cluster
