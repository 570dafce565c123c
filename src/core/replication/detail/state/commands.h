#pragma once

#include <optional>

#include "core/replication/detail/session/connection.h"
#include "core/replication/detail/state/state_rules.h"

namespace bascule::replication::detail {

/// The operator's commands. Each is answered once, also when the connection ends while it is carried out.
class Commands {
 public:
  Commands(Parts& parts, Connection& connection) : parts_(parts), core_(parts.core), connection_(connection) {}

  void connect_peer(const input::ConnectPeer& command);
  void disconnect_peer(const input::DisconnectPeer& command);
  void advance();

 private:
  void ask_to_disconnect();
  void disconnect_answered(drbd::StateChangeResult result);
  void disconnect_now();

  Parts& parts_;
  Core& core_;
  Connection& connection_;
  struct Disconnecting {
    CommandId command = 0;
    bool asked = false;
    bool outdating = false;  ///< the second question: disconnect, and this disk is Outdated
    bool dropping = false;   ///< the session ends at the end of this round
  };
  std::optional<Disconnecting> disconnecting_;
};

}  // namespace bascule::replication::detail
