#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/prng.h"
#include "runtime/sim/world_time.h"

namespace bascule::sim {

/// Virtual time: a queue of actions, run one after the other in the order of (moment, order of scheduling). One seed,
/// one thread, no other source of chance: the same seed gives the same run.
class Scheduler {
 public:
  using Action = std::function<void()>;
  /// Names one scheduled action; stays harmless after the action has run.
  struct EventId {
    std::uint32_t slot = UINT32_MAX;
    std::uint32_t generation = 0;
  };

  explicit Scheduler(std::uint64_t seed) : prng_(seed) {}

  [[nodiscard]] WorldTime now() const { return now_; }
  /// The only generator of the world. A part that must not disturb the others takes its own: Prng(prng().next()).
  [[nodiscard]] Prng& prng() { return prng_; }

  /// Runs `action` at `when`; a moment in the past counts as now. Captures of at most two pointers need no allocation.
  EventId at(WorldTime when, Action action);
  EventId after(Duration delay, Action action) { return at(now_ + delay, std::move(action)); }
  /// Forgets an action; nothing happens if it has run already.
  void cancel(EventId id);

  /// Runs the next action. False when there is none.
  bool run_next();
  /// Runs everything up to and including `end`; afterwards now() == end.
  void run_until(WorldTime end);
  [[nodiscard]] std::uint64_t events_run() const { return events_run_; }

 private:
  struct Item {
    std::int64_t when_ns;
    std::uint64_t order;
    std::uint32_t slot;
    friend bool operator>(const Item& a, const Item& b) {
      return a.when_ns != b.when_ns ? a.when_ns > b.when_ns : a.order > b.order;
    }
  };
  struct Slot {
    Action action;
    std::uint32_t generation = 0;
  };

  Prng prng_;
  WorldTime now_{};
  std::uint64_t next_order_ = 0;
  std::uint64_t events_run_ = 0;
  std::vector<Item> heap_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
};

}  // namespace bascule::sim
