#pragma once

#include "core/replication/detail/attach.h"
#include "core/replication/detail/bitmap_exchange.h"
#include "core/replication/detail/keepalive.h"
#include "core/replication/detail/membership.h"
#include "core/replication/detail/resync.h"
#include "core/replication/detail/role_change.h"

namespace bascule::replication::detail {

/// All machines of one engine. An input goes to the machine it concerns; then every machine is asked to go on, until
/// none has anything left to do. They meet in the facts of Core, so none calls another one back.
class Machines {
 public:
  Machines(const Config& config, const std::optional<Restored>& restored, Instant now);

  void step(const Input& input, Instant now, Effects& effects);
  [[nodiscard]] Instant next_deadline() const;
  [[nodiscard]] Status status() const;

 private:
  void on(const input::Tick&) {}
  void on(const input::Write& write) { writes_.write(write); }
  void on(const input::Read& read) { writes_.read(read); }
  void on(const input::Flush& flush) { writes_.flush(flush); }
  void on(const input::DiskDone& done);
  void on(const input::SocketConnected& connected) { connector_.connected(connected.socket); }
  void on(const input::SocketAccepted& accepted) { connector_.accepted(accepted.socket); }
  void on(const input::SocketClosed& closed);
  void on(const input::PacketReceived& received);
  void on(const input::Promote& promote) { role_change_.promote(promote); }
  void on(const input::Demote& demote) { role_change_.demote(demote); }
  void on(const input::InSyncCommitted& committed);
  void on(const input::PeerLostHint& hint);
  void on(const input::LeaseRead& lease);
  void on(const input::FailHeldIo&);
  template <typename Other>
  void on(const Other& other) {
    if constexpr (requires { other.command; })
      core_.emit(effect::CommandDone{other.command, drbd::StateChangeResult::NotSupported, "not known here"});
  }

  // -- packets of the session; false: the packet breaks the protocol
  bool on_data_packet(const drbd::Packet& packet, BufferId buffer);
  bool on_meta_packet(const drbd::Packet& packet);
  bool on_block_ack(const drbd::BlockAck& ack);
  void on_state_change_request(const drbd::StateChange& change, bool connection_wide);
  void on_peer_state();

  // -- life of the connection
  void tick();
  void settle();
  void advance();
  void connect();
  void begin_session(const Connector::Pair& pair);
  void act_on_handshake();
  void act_on(const Verdict& verdict);
  void connected_without_sync(const Verdict& verdict);
  void reconsider();
  void end_session();
  void check_newcomers();
  void check_disk();
  void wake_from_stand_alone();

  Core core_;
  Metadata metadata_;
  ActivityLog activity_log_;
  Attach attach_;
  Connector connector_;
  Handshake handshake_;
  Keepalive keepalive_;
  Writes writes_;
  PeerWrites peer_writes_;
  BitmapExchange exchange_;
  Resync resync_;
  Membership membership_;
  RoleChange role_change_;

  bool begun_ = false;
  bool disk_failure_seen_ = false;
  Instant retry_at_{};  ///< when to look for the peer again
  Instant leave_stand_alone_ = never;
};

}  // namespace bascule::replication::detail
