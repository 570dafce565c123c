#pragma once

#include "core/replication/detail/parts.h"

namespace bascule::replication::detail {

/// The life of the connection: when to look for the peer, what the end of a session means to the other machines, and
/// when to try again.
class Connection {
 public:
  explicit Connection(Parts& parts, Instant now) : parts_(parts), core_(parts.core), retry_at_(now) {}

  /// Ends the session if somebody asked for it.
  void end_session();
  /// From StandAlone to a pair of sockets.
  void connect();
  /// What was refused may be agreed on now: try again at once.
  void wake_from_stand_alone();
  /// StandAlone without a session, until look_for_peer().
  void stand_alone(const std::string& reason);
  void look_for_peer();
  [[nodiscard]] Instant deadline() const { return leave_stand_alone_; }

 private:
  void begin_session(const Connector::Pair& pair);
  void check_newcomers();
  void try_again_or_stay(const Core::Drop& drop, bool was_connected);

  Parts& parts_;
  Core& core_;
  Instant retry_at_;  ///< when to look for the peer again
  Instant leave_stand_alone_ = never;
};

}  // namespace bascule::replication::detail
