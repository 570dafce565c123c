#pragma once

#include "core/replication/detail/session/connection.h"

namespace bascule::replication::detail {

/// Data follows it in a buffer, which goes to the machine that takes the packet.
bool carries_data(const drbd::Packet& packet);

/// To which machine a packet of the session goes. False: the packet breaks the protocol.
class SessionPackets {
 public:
  explicit SessionPackets(Parts& parts) : parts_(parts), core_(parts.core) {}

  bool on_data_packet(const drbd::Packet& packet, BufferId buffer);
  bool on_meta_packet(const drbd::Packet& packet);

 private:
  bool comes_late(const drbd::Packet& packet);
  bool on_block_ack(const drbd::BlockAck& ack);
  void on_peer_state();

  Parts& parts_;
  Core& core_;
};

}  // namespace bascule::replication::detail
