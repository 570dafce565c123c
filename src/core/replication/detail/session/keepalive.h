#pragma once

#include <algorithm>

#include "core/replication/detail/core.h"

namespace bascule::replication::detail {

/// PING when nothing was heard for a while, and the end of the session when nothing comes back.
class Keepalive {
 public:
  explicit Keepalive(Core& core) : core_(core) {}

  void session_began() { asked_at_ = never; }
  void heard() {
    core_.session.meta_heard = core_.now;
    asked_at_ = never;
  }
  /// A PING now, whatever was heard before.
  void probe() {
    if (!running() || asked_at_ != never) return;
    asked_at_ = core_.now;
    core_.send_meta(drbd::Ping{});
  }
  void tick() {
    if (!running()) return;
    if (asked_at_ != never && core_.now >= asked_at_ + core_.config.ping_timeout)
      return core_.drop(ConnectionState::NetworkFailure, "the peer does not answer a ping");
    if (core_.now >= core_.session.meta_heard + core_.config.ping_interval) probe();
  }
  [[nodiscard]] Instant deadline() const {
    if (!running()) return never;
    return asked_at_ != never ? asked_at_ + core_.config.ping_timeout
                              : core_.session.meta_heard + core_.config.ping_interval;
  }

 private:
  /// Before the version is agreed there is nobody who would answer.
  [[nodiscard]] bool running() const { return core_.session.open && core_.session.agreed_version != 0; }

  Core& core_;
  Instant asked_at_ = never;
};

}  // namespace bascule::replication::detail
