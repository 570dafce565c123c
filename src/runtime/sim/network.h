#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "runtime/sim/scheduler.h"

namespace bascule::sim {

enum class Transport : std::uint8_t {
  Stream,    ///< like TCP: in order, nothing lost except by a reset (a cut resets)
  Datagram,  ///< like UDP: each message may be lost, duplicated, delayed by itself
};

/// What one directed link does to messages. Probabilities are in thousandths.
struct LinkFaults {
  bool cut = false;
  std::uint32_t loss_permille = 0;       ///< Datagram only
  std::uint32_t duplicate_permille = 0;  ///< Datagram only
  std::uint32_t slow_permille = 0;       ///< how many messages take up to slow_max
  Duration delay_min = microseconds(50);
  Duration delay_max = milliseconds(1);
  Duration slow_max = milliseconds(100);
};

/// Directed links between nodes 0..count-1. Delivery goes to one function, which decides whether the node lives.
template <typename Message>
class Network {
 public:
  using Deliver = std::function<void(std::size_t from, std::size_t to, Message message)>;

  Network(Scheduler& scheduler, std::size_t node_count, Transport transport, Deliver deliver)
      : scheduler_(scheduler),
        prng_(scheduler.prng().next()),
        node_count_(node_count),
        transport_(transport),
        deliver_(std::move(deliver)),
        links_(node_count * node_count) {}

  [[nodiscard]] LinkFaults& faults(std::size_t from, std::size_t to) { return link(from, to).faults; }
  void set_all_faults(const LinkFaults& faults) {
    for (auto& each : links_) each.faults = faults;
  }
  void cut(std::size_t from, std::size_t to) {
    faults(from, to).cut = true;
    reset(from, to);
  }
  void heal(std::size_t from, std::size_t to) { faults(from, to).cut = false; }
  void heal_all() {
    for (auto& each : links_) each.faults.cut = false;
  }
  /// Everything under way on the link is lost (a connection reset; on a datagram link, a burst of loss).
  void reset(std::size_t from, std::size_t to) {
    ++link(from, to).epoch;
    link(from, to).last_arrival = scheduler_.now();
  }
  void reset_node(std::size_t node) {
    for (std::size_t other = 0; other < node_count_; ++other) reset(node, other), reset(other, node);
  }

  void send(std::size_t from, std::size_t to, Message message) {
    Link& on = link(from, to);
    if (on.faults.cut) return;
    if (transport_ == Transport::Datagram) {
      if (on.faults.loss_permille != 0 && prng_.chance(on.faults.loss_permille, 1000)) return;
      if (on.faults.duplicate_permille != 0 && prng_.chance(on.faults.duplicate_permille, 1000))
        dispatch(from, to, message);
    }
    dispatch(from, to, std::move(message));
  }

 private:
  struct Link {
    LinkFaults faults;
    std::uint32_t epoch = 0;
    WorldTime last_arrival{};
  };
  struct InFlight {
    std::uint32_t from, to, epoch;
    Message message;
  };

  Link& link(std::size_t from, std::size_t to) { return links_[from * node_count_ + to]; }

  Duration draw_delay(const LinkFaults& faults) {
    const bool slow = faults.slow_permille != 0 && prng_.chance(faults.slow_permille, 1000);
    return Duration{prng_.between(faults.delay_min.count(), (slow ? faults.slow_max : faults.delay_max).count())};
  }

  void dispatch(std::size_t from, std::size_t to, Message message) {
    Link& on = link(from, to);
    WorldTime arrival = scheduler_.now() + draw_delay(on.faults);
    if (transport_ == Transport::Stream) arrival = on.last_arrival = std::max(arrival, on.last_arrival);
    InFlight item{static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(to), on.epoch, std::move(message)};
    const std::size_t slot = keep(std::move(item));
    scheduler_.at(arrival, [this, slot] { arrive(slot); });
  }

  std::size_t keep(InFlight item) {
    if (free_slots_.empty()) {
      in_flight_.push_back(std::move(item));
      return in_flight_.size() - 1;
    }
    const std::size_t slot = free_slots_.back();
    free_slots_.pop_back();
    in_flight_[slot] = std::move(item);
    return slot;
  }

  void arrive(std::size_t slot) {
    InFlight item = std::move(in_flight_[slot]);
    free_slots_.push_back(slot);
    if (item.epoch == link(item.from, item.to).epoch) deliver_(item.from, item.to, std::move(item.message));
  }

  Scheduler& scheduler_;
  Prng prng_;
  std::size_t node_count_;
  Transport transport_;
  Deliver deliver_;
  std::vector<Link> links_;
  std::vector<InFlight> in_flight_;
  std::vector<std::size_t> free_slots_;
};

}  // namespace bascule::sim
