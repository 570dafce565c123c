#include "core/replication/detail/machines.h"

#include <algorithm>
#include <cerrno>

#include "core/replication/detail/generation.h"

namespace bascule::replication::detail {
namespace {

constexpr int max_rounds = 16;
constexpr Duration stand_alone_retry = seconds(5);

}  // namespace

Machines::Machines(const Config& config, const std::optional<Restored>& restored, Instant now)
    : core_(config, restored ? restored->superblock : drbd_metadata::Superblock{}, now),
      metadata_(core_),
      activity_log_(core_, metadata_),
      attach_(core_, metadata_, activity_log_, restored),
      connector_(core_),
      handshake_(core_, metadata_),
      keepalive_(core_),
      writes_(core_, metadata_, activity_log_),
      peer_writes_(core_, metadata_),
      exchange_(core_, metadata_, handshake_),
      resync_(core_, metadata_, handshake_, writes_, peer_writes_),
      membership_(core_, metadata_),
      role_change_(core_, metadata_, activity_log_, handshake_, writes_, peer_writes_),
      retry_at_(now) {}

void Machines::step(const Input& input, Instant now, Effects& effects) {
  core_.now = now;
  core_.effects = &effects;
  begun_ = true;
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
      return metadata_.done(done.operation, done.error_number);
    case Owner::ActivityLog:
      return activity_log_.done(done.error_number);
    case Owner::LocalWrite:
      return writes_.local_write_done(done.operation, done.error_number);
    case Owner::LocalRead:
      return writes_.local_read_done(done.operation, done.error_number);
    case Owner::LocalFlush:
      return writes_.local_flush_done(done.operation, done.error_number);
    case Owner::PeerWrite:
      return peer_writes_.local_write_done(done.operation, done.error_number);
    case Owner::PeerFlush:
    case Owner::ResyncFlush:
      return peer_writes_.flush_done(done.operation, done.error_number);
    case Owner::ResyncRead:
      return resync_.read_done(done.operation, done.error_number);
  }
}

void Machines::on(const input::SocketClosed& closed) {
  const bool ours = core_.session.open && (closed.socket == core_.session.data || closed.socket == core_.session.meta);
  if (ours)
    core_.drop(ConnectionState::BrokenPipe, "the connection was closed: " + closed.reason);
  else
    (void)connector_.closed(closed.socket);
}

void Machines::on(const input::PacketReceived& received) {
  const bool on_data = core_.session.open && received.socket == core_.session.data;
  const bool on_meta = core_.session.open && received.socket == core_.session.meta;
  if (!on_data && !on_meta) {
    core_.release(received.buffer);
    (void)connector_.received(received.socket, received.packet);
    return;
  }
  keepalive_.heard();
  const bool takes_buffer = on_data && (std::holds_alternative<drbd::Data>(received.packet) ||
                                        std::holds_alternative<drbd::ResyncReply>(received.packet));
  if (!takes_buffer) core_.release(received.buffer);
  const bool good = on_data ? on_data_packet(received.packet, received.buffer) : on_meta_packet(received.packet);
  if (!good)
    core_.drop(ConnectionState::ProtocolError, std::string("unexpected ") +
                                                   drbd::name_of(drbd::command_of(received.packet)) + " while " +
                                                   drbd::name_of(core_.connection));
}

void Machines::on(const input::InSyncCommitted& committed) {
  membership_.committed(committed);
  wake_from_stand_alone();
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
  writes_.fail_all(EIO);
  core_.changed();
}

// ---- packets of the session -------------------------------------------------------------------------------------

bool Machines::on_data_packet(const drbd::Packet& packet, BufferId buffer) {
  if (handshake_.received(packet)) {
    if (std::holds_alternative<drbd::State>(packet)) on_peer_state();
    return true;
  }
  if (!is_connected(core_.connection)) {
    core_.release(
        std::holds_alternative<drbd::Data>(packet) || std::holds_alternative<drbd::ResyncReply>(packet) ? buffer : 0);
    return false;
  }
  if (const auto* data = std::get_if<drbd::Data>(&packet)) return peer_writes_.data(*data, buffer);
  if (const auto* barrier = std::get_if<drbd::Barrier>(&packet)) return peer_writes_.barrier(*barrier);
  if (const auto* reply = std::get_if<drbd::ResyncReply>(&packet)) return resync_.reply(*reply, buffer);
  if (const auto* request = std::get_if<drbd::ResyncRequest>(&packet)) return resync_.request(*request);
  if (const auto* mark = std::get_if<drbd::OutOfSync>(&packet)) return exchange_.out_of_sync(*mark);
  if (const auto* uuid = std::get_if<drbd::SyncUuid>(&packet)) return exchange_.sync_uuid(*uuid);
  if (std::holds_alternative<drbd::BitmapChunk>(packet) || std::holds_alternative<drbd::CompressedBitmap>(packet))
    return exchange_.bitmap(packet);
  if (const auto* request = std::get_if<drbd::StateChangeRequest>(&packet))
    return on_state_change_request(request->change, false), true;
  if (const auto* request = std::get_if<drbd::ConnectionStateChangeRequest>(&packet))
    return on_state_change_request(request->change, true), true;
  return std::holds_alternative<drbd::UnplugRemote>(packet) || std::holds_alternative<drbd::DelayProbe>(packet);
}

bool Machines::on_meta_packet(const drbd::Packet& packet) {
  if (std::holds_alternative<drbd::Ping>(packet)) return core_.send_meta(drbd::PingAck{}), true;
  if (std::holds_alternative<drbd::PingAck>(packet)) {
    connector_.refuse_newcomers();  // the session lives
    resync_.ping_acknowledged();
    return true;
  }
  if (const auto* ack = std::get_if<drbd::BlockAck>(&packet)) return on_block_ack(*ack);
  if (const auto* ack = std::get_if<drbd::BarrierAck>(&packet)) return writes_.barrier_acknowledged(*ack);
  return std::holds_alternative<drbd::DelayProbe>(packet);
}

bool Machines::on_block_ack(const drbd::BlockAck& ack) {
  using Kind = drbd::BlockAck::Kind;
  if (!is_connected(core_.connection)) return false;
  switch (ack.kind) {
    case Kind::WriteAck:
    case Kind::ResyncWriteAck:
    case Kind::NegativeAck:
      return ack.block_id == drbd::kSyncerBlockId ? resync_.acknowledged(ack) : writes_.acknowledged(ack);
    case Kind::NegativeResyncReply:
      return resync_.negative_reply(ack);
    case Kind::ReceiveAck:
      return true;
    default:
      return false;
  }
}

void Machines::on_state_change_request(const drbd::StateChange& change, bool connection_wide) {
  using drbd::StateChangeResult;
  const auto wanted = drbd::apply_change(core_.state_word(), drbd::mirror(change).mask, drbd::mirror(change).value);
  StateChangeResult result = StateChangeResult::Success;
  const bool ends =
      wanted && (change.mask & drbd::kConnectionField.mask) != 0 && wanted->connection == ConnectionState::TearDown;
  if (!wanted)
    result = StateChangeResult::NotSupported;
  else if (wanted->peer == Role::Primary && core_.primary())
    result = StateChangeResult::TwoPrimaries;
  else if ((change.mask & drbd::kConnectionField.mask) != 0 && !ends)
    result = StateChangeResult::NotSupported;
  if (connection_wide)
    core_.send_meta(drbd::ConnectionStateChangeReply{result});
  else
    core_.send_meta(drbd::StateChangeReply{result});
  if (ends) core_.drop(ConnectionState::TearDown, "the peer disconnects");
}

void Machines::on_peer_state() {
  if (!is_connected(core_.connection)) return;
  if (core_.primary() && core_.peer.role == Role::Primary)
    core_.drop(ConnectionState::ProtocolError, "the peer became Primary while this node is");
}

// ---- going on ---------------------------------------------------------------------------------------------------

void Machines::tick() {
  connector_.tick();
  if (!core_.session.open) return;
  handshake_.tick();
  keepalive_.tick();
  writes_.tick();
  exchange_.tick();
}

void Machines::settle() {
  for (int round = 0; round < max_rounds; ++round) {
    const std::size_t effects_before = core_.effects->size();
    const std::uint64_t changes_before = core_.changes;
    advance();
    if (core_.effects->size() == effects_before && core_.changes == changes_before) break;
  }
}

void Machines::advance() {
  if (core_.dropping) end_session();
  check_disk();
  attach_.advance();
  connect();
  act_on_handshake();
  exchange_.advance();
  role_change_.advance();
  membership_.advance();
  peer_writes_.advance();
  resync_.advance();
  activity_log_.advance();
  writes_.advance();
  metadata_.advance();
  handshake_.send_state_if_changed();
}

void Machines::check_disk() {
  if (core_.disk != DiskState::Failed || disk_failure_seen_) return;
  disk_failure_seen_ = true;
  writes_.fail_all(EIO);
  if (is_resyncing(core_.connection)) core_.drop(ConnectionState::NetworkFailure, "this node's disk failed");
}

// ---- the connection ---------------------------------------------------------------------------------------------

void Machines::connect() {
  if (core_.connection == ConnectionState::StandAlone && leave_stand_alone_ <= core_.now) {
    leave_stand_alone_ = never;
    core_.become(ConnectionState::Unconnected, "try again");
  }
  const bool attached = attach_.done() || core_.disk == DiskState::Failed;
  const bool quiet = attached && peer_writes_.idle() && membership_.may_connect() && !core_.dropping;
  if (core_.connection == ConnectionState::Unconnected && quiet) {
    core_.become(ConnectionState::WFConnection, "looking for the peer");
    connector_.want(retry_at_);
  }
  if (core_.connection == ConnectionState::WFConnection && !core_.session.open && quiet)
    if (const auto pair = connector_.take_pair()) begin_session(*pair);
  check_newcomers();
}

void Machines::begin_session(const Connector::Pair& pair) {
  core_.peer = PeerView{};
  handshake_.begin(pair);
  keepalive_.session_began();
  writes_.session_began();
}

/// A peer that connects anew has lost the session, or it is a leftover of the dance: a PING on the old one tells.
void Machines::check_newcomers() {
  if (!connector_.newcomer_waits() || !core_.session.open || core_.dropping) return;
  if (is_connected(core_.connection)) return keepalive_.probe();
  if (const auto meta = connector_.take_newer_meta()) {
    core_.emit(effect::CloseSocket{core_.session.meta, "crossed connection"});
    core_.session.meta = *meta;
    core_.session.resolve_conflicts = true;
    core_.emit(effect::UseWire{*meta, drbd::Socket::Meta, {core_.session.agreed_version, 0, 0}});
  }
}

void Machines::act_on_handshake() {
  if (core_.dropping) return;
  if (handshake_.take_ready())
    act_on(decide(core_));
  else
    reconsider();
}

/// The first primary of a new pair: one side has become UpToDate while both were connected and empty.
void Machines::reconsider() {
  if (core_.connection != ConnectionState::Connected || (core_.primary() && !core_.serving)) return;
  const bool own_first = core_.disk == DiskState::UpToDate && core_.peer.disk == DiskState::Inconsistent;
  const bool peer_first = core_.disk == DiskState::Inconsistent && core_.peer.disk == DiskState::UpToDate;
  if (own_first || peer_first) act_on(decide(core_));
}

void Machines::act_on(const Verdict& verdict) {
  core_.event("handshake", verdict.text);
  if (verdict.kind == Verdict::Kind::Refuse) {
    const bool may_change = core_.primary() && core_.peer.role == Role::Primary;
    return core_.drop(ConnectionState::Disconnecting, verdict.text, !may_change);
  }
  if (verdict.kind == Verdict::Kind::NoSync && core_.primary() && !membership_.may_connect())
    return core_.drop(ConnectionState::NetworkFailure, "writes of this node must be told by a new generation first");
  if (core_.disk_usable()) adopt(core_.superblock, verdict.own_uuids);
  core_.peer.uuids = verdict.peer_uuids;
  core_.why.clear();
  if (!is_connected(core_.connection)) core_.event("peer-connected", verdict.text);
  if (verdict.kind == Verdict::Kind::NoSync)
    connected_without_sync(verdict);
  else
    exchange_.begin(verdict);
}

void Machines::connected_without_sync(const Verdict& verdict) {
  core_.become(ConnectionState::Connected, verdict.text);
  const auto better = [](DiskState disk) { return disk == DiskState::Outdated || disk == DiskState::Consistent; };
  if (better(core_.peer.disk)) core_.peer.disk = DiskState::UpToDate;
  if (better(core_.disk)) core_.become(DiskState::UpToDate, "equal to the peer's");
  if (core_.disk == DiskState::UpToDate && core_.peer.disk == DiskState::UpToDate) core_.crashed_primary = false;
  if (core_.disk_usable()) metadata_.superblock_changed();
}

void Machines::end_session() {
  const Core::Drop drop = *core_.dropping;
  core_.dropping.reset();
  const bool was_connected = is_connected(core_.connection);
  if (!core_.session.open) return;
  core_.emit(effect::CloseSocket{core_.session.data, drop.reason});
  core_.emit(effect::CloseSocket{core_.session.meta, drop.reason});
  core_.session.open = false;
  core_.become(drop.why, drop.reason);
  core_.peer.role = Role::Unknown;
  core_.peer.disk = DiskState::DUnknown;
  handshake_.ended();
  writes_.session_lost();
  peer_writes_.session_lost();
  resync_.session_lost();
  exchange_.session_lost();
  if (was_connected) core_.event("peer-lost", drop.reason);
  if (core_.disk_usable() && core_.disk != DiskState::Attaching && was_connected) metadata_.superblock_changed();
  core_.why = drop.reason;
  if (drop.refuse) {
    core_.become(ConnectionState::StandAlone, drop.reason);
    leave_stand_alone_ = core_.now + stand_alone_retry;
    retry_at_ = leave_stand_alone_;
    return;
  }
  const Duration pause = was_connected ? core_.config.connect_interval / 10 : core_.config.connect_interval;
  retry_at_ = core_.now + pause + Duration{core_.prng.between(0, pause.count())};
  if (drop.why == ConnectionState::Disconnecting) core_.become(ConnectionState::StandAlone, drop.reason);
  core_.become(ConnectionState::Unconnected, "try again");
}

void Machines::wake_from_stand_alone() {
  if (core_.connection == ConnectionState::StandAlone) leave_stand_alone_ = retry_at_ = core_.now;
}

// ---- outside view -----------------------------------------------------------------------------------------------

Instant Machines::next_deadline() const {
  if (!begun_) return core_.now;
  Instant when = std::min({connector_.deadline(), membership_.deadline(), resync_.deadline(), leave_stand_alone_});
  if (core_.session.open)
    when = std::min({when, handshake_.deadline(), keepalive_.deadline(), writes_.deadline(), exchange_.deadline()});
  return when;
}

Status Machines::status() const {
  Status status;
  status.role = core_.serving || !core_.primary() ? core_.role : Role::Secondary;
  if (core_.primary() && !core_.serving && core_.failing_io) status.role = Role::Primary;
  status.connection = core_.connection;
  status.disk = core_.disk;
  status.peer_role = core_.peer.role;
  status.peer_disk = core_.peer.disk;
  status.epoch = core_.epoch;
  status.size_bytes = core_.size_bytes();
  status.out_of_sync_bytes = core_.bitmap.count() * drbd_metadata::kBlockBytes;
  status.resync_total_bytes = resync_.total_bytes();
  status.resync_done_bytes = resync_.done_bytes();
  status.writes_acknowledged = core_.writes_acknowledged;
  status.writes_held = writes_.held();
  status.lease_valid = core_.lease_valid();
  status.just_created = core_.just_created();
  status.wants_shrink = membership_.wants_shrink();
  status.wants_grow = membership_.wants_grow();
  status.current_uuid = core_.superblock.current_uuid;
  status.bitmap_uuid = core_.superblock.bitmap_uuid;
  status.history_uuid_0 = core_.superblock.history_uuids[0];
  status.history_uuid_1 = core_.superblock.history_uuids[1];
  status.why = core_.why;
  return status;
}

}  // namespace bascule::replication::detail
