#include "core/replication/detail/machines.h"

#include <algorithm>
#include <cerrno>

namespace bascule::replication::detail {
namespace {

constexpr int max_rounds = 16;

}  // namespace

Machines::Machines(const Config& config, const std::optional<Restored>& restored, Instant now)
    : parts_(config, restored, now),
      core_(parts_.core),
      connection_(parts_, now),
      packets_(parts_),
      commands_(parts_, connection_),
      disk_commands_(parts_),
      volume_commands_(parts_) {}

void Machines::step(const Input& input, Instant now, Effects& effects) {
  core_.now = now;
  core_.effects = &effects;
  begun_ = true;
  core_.only_measured = std::holds_alternative<input::BackingSize>(input);
  std::visit([this](const auto& each) { on(each); }, input);
  tick();
  settle();
  if (std::exchange(core_.status_changed, false)) core_.emit(effect::StatusChanged{});
  core_.effects = nullptr;
}

// ---- inputs -----------------------------------------------------------------------------------------------------

void Machines::on(const input::DiskDone& done) {
  switch (owner_of(done.operation)) {
    case Owner::Superblock:
    case Owner::BitmapPages:
      return parts_.metadata.done(done.operation, done.error_number);
    case Owner::ActivityLog:
      return parts_.activity_log.done(done.error_number);
    case Owner::LocalWrite:
      return parts_.writes.local_write_done(done.operation, done.error_number);
    case Owner::LocalRead:
      return parts_.writes.local_read_done(done.operation, done.error_number);
    case Owner::LocalFlush:
      return parts_.writes.local_flush_done(done.operation, done.error_number);
    case Owner::PeerWrite:
      return parts_.peer_writes.local_write_done(done.operation, done.error_number);
    case Owner::PeerFlush:
    case Owner::ResyncFlush:
      return parts_.peer_writes.flush_done(done.operation, done.error_number);
    case Owner::ResyncRead:
    case Owner::ResyncChecksum:
      return parts_.resync.disk_done(done);
    case Owner::VerifyRead:
    case Owner::VerifyReplyRead:
      return parts_.verify.disk_done(done);
    case Owner::ServedRead:
      return parts_.read_server.read_done(done.operation, done.error_number);
    case Owner::MetadataMove:
      return parts_.metadata_move.done(done.operation, done.error_number);
  }
}

void Machines::on(const input::SocketClosed& closed) {
  const bool ours = core_.session.open && (closed.socket == core_.session.data || closed.socket == core_.session.meta);
  if (ours)
    core_.drop(ConnectionState::BrokenPipe, "the connection was closed: " + closed.reason);
  else
    (void)parts_.connector.closed(closed.socket);
}

void Machines::on(const input::PacketReceived& received) {
  const bool on_data = core_.session.open && received.socket == core_.session.data;
  const bool on_meta = core_.session.open && received.socket == core_.session.meta;
  if (!on_data && !on_meta) {
    core_.release(received.buffer);
    (void)parts_.connector.received(received.socket, received.packet);
    return;
  }
  parts_.keepalive.heard(received.packet);
  if (!Handshake::is_ours(received.volume)) {
    core_.release(received.buffer);
    if (Handshake::may_be_skipped(received.packet)) return core_.event("volume-unknown", "the peer has more volumes");
    return core_.drop(ConnectionState::ProtocolError, "a packet for volume " + std::to_string(received.volume));
  }
  if (!received.digest_valid) {
    core_.release(received.buffer);
    return core_.drop(ConnectionState::ProtocolError, std::string("the data of a ") +
                                                          drbd::name_of(drbd::command_of(received.packet)) +
                                                          " does not have the digest that came with it");
  }
  const bool takes_buffer = on_data && carries_data(received.packet);
  if (!takes_buffer) core_.release(received.buffer);
  const bool good =
      on_data ? packets_.on_data_packet(received.packet, received.buffer) : packets_.on_meta_packet(received.packet);
  if (!good)
    core_.drop(ConnectionState::ProtocolError, std::string("unexpected ") +
                                                   drbd::name_of(drbd::command_of(received.packet)) + " while " +
                                                   drbd::name_of(core_.connection));
}

void Machines::on(const input::NewCurrentUuid& command) {
  std::string wrong = parts_.agreement.new_current_uuid(command.clear_bitmap);
  const auto result = wrong.empty() ? drbd::StateChangeResult::Success : drbd::StateChangeResult::NeedConnection;
  core_.answer(command.command, result, std::move(wrong));
}

void Machines::on(const input::InSyncCommitted& committed) {
  parts_.membership.committed(committed);
  connection_.wake_from_stand_alone();
}

void Machines::on(const input::PeerLostHint& hint) {
  if (core_.session.open) core_.drop(ConnectionState::NetworkFailure, "membership says: " + hint.reason);
}

void Machines::on(const input::LeaseRead& lease) {
  if (lease.epoch == core_.lease_epoch && lease.end == core_.lease_end) return;
  const bool before = core_.lease_valid();
  core_.lease_epoch = lease.epoch;
  core_.lease_end = lease.end;
  if (before != core_.lease_valid()) core_.changed();
}

void Machines::on(const input::FailHeldIo&) {
  if (!core_.primary()) return;
  core_.failing_io = true;
  core_.why = "the grace is over: held writes fail";
  parts_.writes.fail_all(EIO);
  core_.changed();
}

// ---- going on ---------------------------------------------------------------------------------------------------

void Machines::tick() {
  parts_.connector.tick();
  parts_.writes.tick();
  if (!core_.session.open) return;
  parts_.peer_writes.tick();
  parts_.handshake.tick();
  parts_.keepalive.tick(!parts_.writes.peer_idle());
  parts_.exchange.tick();
  parts_.agreement.tick();
  parts_.state_changes.tick();
}

void Machines::settle() {
  for (int round = 0; round < max_rounds; ++round) {
    const std::size_t effects_before = core_.effects->size();
    const std::uint64_t changes_before = core_.changes;
    advance();
    if (core_.effects->size() == effects_before && core_.changes == changes_before && !core_.dropping) break;
  }
}

void Machines::advance() {
  if (core_.dropping) connection_.end_session();
  commands_.advance();
  check_disk();
  disk_commands_.advance();
  // Before the next write: the peer must know that what it gets is the only copy.
  if (!core_.disk_usable()) parts_.handshake.send_state_if_changed();
  parts_.attach.advance();
  parts_.metadata_move.advance();
  parts_.handshake.advance();
  connection_.connect();
  parts_.agreement.advance();
  parts_.exchange.advance();
  parts_.fencing.advance();
  parts_.role_change.advance();
  parts_.membership.advance();
  parts_.peer_writes.advance();
  parts_.read_server.advance();
  parts_.resync.advance();
  parts_.verify.advance();
  parts_.activity_log.advance();
  parts_.writes.advance();
  parts_.metadata.advance();
  if (!parts_.role_change.publishing()) parts_.handshake.send_state_if_changed();
}

void Machines::check_disk() {
  if (core_.disk != DiskState::Failed) disk_failure_seen_ = false;
  if (core_.disk != DiskState::Failed || disk_failure_seen_) return;
  disk_failure_seen_ = true;
  parts_.writes.disk_failed(EIO);
  // What the peer wrote here and has no barrier ack for may be lost with the disk. The end of the session marks it
  // there.
  const bool unflushed = !core_.detaching && core_.session.open && parts_.peer_writes.unflushed();
  if (is_resyncing(core_.connection) || unflushed)
    core_.drop(ConnectionState::NetworkFailure, "this node's disk failed");
}

Instant Machines::next_deadline() const {
  if (!begun_) return core_.now;
  Instant when = std::min({parts_.connector.deadline(), parts_.membership.deadline(), parts_.resync.deadline(),
                           parts_.writes.deadline(), connection_.deadline(), parts_.role_change.deadline()});
  if (core_.session.open)
    when = std::min({when, parts_.handshake.deadline(), parts_.keepalive.deadline(!parts_.writes.peer_idle()),
                     parts_.peer_writes.deadline(), parts_.exchange.deadline(), parts_.agreement.deadline(),
                     parts_.state_changes.deadline(), parts_.verify.deadline()});
  return when;
}

Status Machines::status() const { return status_of(parts_); }

}  // namespace bascule::replication::detail
