#include "runtime/sim/scheduler.h"

#include <algorithm>
#include <utility>

namespace bascule::sim {

Scheduler::EventId Scheduler::at(WorldTime when, Action action) {
  std::uint32_t slot;
  if (free_slots_.empty()) {
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  slots_[slot].action = std::move(action);
  heap_.push_back({std::max(when, now_).time_since_epoch().count(), next_order_++, slot});
  std::push_heap(heap_.begin(), heap_.end(), std::greater<>{});
  return {slot, slots_[slot].generation};
}

void Scheduler::cancel(EventId id) {
  if (id.slot < slots_.size() && slots_[id.slot].generation == id.generation) slots_[id.slot].action = nullptr;
}

bool Scheduler::run_next() {
  if (heap_.empty()) return false;
  std::pop_heap(heap_.begin(), heap_.end(), std::greater<>{});
  const Item item = heap_.back();
  heap_.pop_back();
  now_ = WorldTime{Duration{item.when_ns}};
  const Action action = std::exchange(slots_[item.slot].action, nullptr);
  ++slots_[item.slot].generation;
  free_slots_.push_back(item.slot);
  if (action) {
    ++events_run_;
    action();
  }
  return true;
}

void Scheduler::run_until(WorldTime end) {
  while (!heap_.empty() && heap_.front().when_ns <= end.time_since_epoch().count()) run_next();
  now_ = std::max(now_, end);
}

}  // namespace bascule::sim
