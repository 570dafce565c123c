#pragma once

#include "core/replication/detail/session/connection.h"
#include "core/replication/detail/session/session_packets.h"
#include "core/replication/detail/state/commands.h"
#include "core/replication/detail/state/disk_commands.h"
#include "core/replication/detail/state/volume_commands.h"

namespace bascule::replication::detail {

/// An input goes to the machine it concerns; then every machine is asked to go on, until none has anything left to do.
class Machines {
 public:
  Machines(const Config& config, const std::optional<Restored>& restored, Instant now);
  Machines(const Machines&) = delete;
  Machines& operator=(const Machines&) = delete;

  void step(const Input& input, Instant now, Effects& effects);
  [[nodiscard]] Instant next_deadline() const;
  /// For the tests of this room.
  Parts& parts() { return parts_; }
  [[nodiscard]] Status status() const;
  [[nodiscard]] const Bitmap& bitmap() const { return core_.bitmap; }

 private:
  void on(const input::Tick&) {}
  void on(const input::Write& write) { parts_.writes.write(write); }
  void on(const input::Read& read) { parts_.writes.read(read); }
  void on(const input::Flush& flush) { parts_.writes.flush(flush); }
  void on(const input::DiskDone& done);
  void on(const input::SocketConnected& connected) { parts_.connector.connected(connected.socket); }
  void on(const input::SocketAccepted& accepted) { parts_.connector.accepted(accepted.socket); }
  void on(const input::SocketClosed& closed);
  void on(const input::PacketReceived& received);
  void on(const input::Promote& promote) { parts_.role_change.promote(promote); }
  void on(const input::Demote& demote) { parts_.role_change.demote(demote); }
  void on(const input::InSyncCommitted& committed);
  void on(const input::PeerLostHint& hint);
  void on(const input::LeaseRead& lease);
  void on(const input::FailHeldIo&);
  void on(const input::ConnectPeer& command) { commands_.connect_peer(command); }
  void on(const input::DisconnectPeer& command) { commands_.disconnect_peer(command); }
  void on(const input::Attach& command) { disk_commands_.attach(command); }
  void on(const input::Detach& command) { disk_commands_.detach(command); }
  void on(const input::Invalidate& command) { disk_commands_.invalidate(command); }
  void on(const input::Outdate& command) { disk_commands_.outdate(command); }
  void on(const input::SuspendIo& command) { volume_commands_.suspend_io(command); }
  void on(const input::PauseResync& command) { volume_commands_.pause_resync(command); }
  void on(const input::PauseByDependency& wanted) { volume_commands_.pause_by_dependency(wanted); }
  void on(const input::Verify& command) { disk_commands_.verify(command); }
  void on(const input::SetOptions& command) { volume_commands_.set_options(command); }
  void on(const input::Resize& command) { parts_.handshake.resize(command); }
  void on(const input::BackingSize& measured) {
    parts_.metadata_move.measured(measured.bytes, measured.metadata_bytes);
  }
  void on(const input::NewCurrentUuid& command);
  void on(const input::HandlerDone& done) {
    if (!parts_.fencing.handler_done(done)) (void)parts_.resync.handler_done(done);
  }
  void tick();
  void settle();
  void advance();
  void check_disk();

  Parts parts_;
  Core& core_;
  Connection connection_;
  SessionPackets packets_;
  Commands commands_;
  DiskCommands disk_commands_;
  VolumeCommands volume_commands_;
  bool begun_ = false;
  bool disk_failure_seen_ = false;
};

/// What an operator sees of these machines.
Status status_of(const Parts& parts);

}  // namespace bascule::replication::detail
