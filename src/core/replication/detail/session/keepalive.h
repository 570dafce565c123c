#pragma once

#include <algorithm>

#include "core/replication/detail/core.h"

namespace bascule::replication::detail {

/// PING when nothing was heard for a while, and the end of the session when nothing comes back. One of the two asks,
/// and the other one, which hears from it in time, does not. Where something waits for the peer, nothing is heard for a
/// shorter while.
class Keepalive {
 public:
  explicit Keepalive(Core& core) : core_(core) {}

  void session_began() {
    asked_at_ = never;
    peer_asks_ = false;
  }
  void heard(const drbd::Packet& packet) {
    core_.session.meta_heard = core_.now;
    asked_at_ = never;
    peer_asks_ = std::holds_alternative<drbd::Ping>(packet);
  }
  /// A PING now, whatever was heard before.
  void probe() {
    if (!running() || asked_at_ != never) return;
    asked_at_ = core_.now;
    core_.send_meta(drbd::Ping{});
  }
  /// `waiting`: something is on its way to the peer that it has to answer.
  void tick(bool waiting) {
    if (!running()) return;
    if (asked_at_ != never && core_.now >= asked_at_ + core_.config.ping_timeout)
      return core_.drop(ConnectionState::NetworkFailure, "the peer does not answer a ping");
    if (core_.now >= due(waiting)) probe();
  }
  [[nodiscard]] Instant deadline(bool waiting) const {
    if (!running()) return never;
    return asked_at_ != never ? asked_at_ + core_.config.ping_timeout : due(waiting);
  }

 private:
  /// Before the version is agreed there is nobody who would answer.
  [[nodiscard]] bool running() const { return core_.session.open && core_.session.agreed_version != 0; }

  /// Whoever was asked last waits longer: with the same pause both would ask each time.
  [[nodiscard]] Instant due(bool waiting) const {
    const Duration interval = waiting ? core_.config.ping_interval / 4 : core_.config.ping_interval;
    return core_.session.meta_heard + interval + (peer_asks_ ? interval / 4 : Duration{});
  }

  Core& core_;
  Instant asked_at_ = never;
  bool peer_asks_ = false;
};

}  // namespace bascule::replication::detail
