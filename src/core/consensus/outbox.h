#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <utility>

#include "core/consensus/raft.h"

namespace bascule::consensus {

/// Holds messages back until what they say is durable. Every driver needs one.
class Outbox {
 public:
  /// Calls send(const Send&) now or keeps the message.
  template <typename SendNow>
  void add(Send message, SendNow send) {
    if (message.after_sequence <= durable_)
      send(message);
    else
      waiting_.push_back(std::move(message));
  }
  /// Call it before the Persisted input of that sequence is stepped.
  template <typename SendNow>
  void durable(std::uint64_t sequence, SendNow send) {
    durable_ = std::max(durable_, sequence);
    std::deque<Send> ready;
    for (auto& message : std::exchange(waiting_, {}))
      (message.after_sequence <= durable_ ? ready : waiting_).push_back(std::move(message));
    for (const auto& message : ready) send(message);
  }
  /// The process ends: what waited is never sent.
  void clear() { *this = {}; }

 private:
  std::uint64_t durable_ = 0;
  std::deque<Send> waiting_;
};

}  // namespace bascule::consensus
