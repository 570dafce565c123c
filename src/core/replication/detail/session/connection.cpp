#include "core/replication/detail/session/connection.h"

namespace bascule::replication::detail {
namespace {

constexpr Duration stand_alone_retry = seconds(5);

}  // namespace

void Connection::connect() {
  if (core_.connection == ConnectionState::StandAlone && leave_stand_alone_ <= core_.now) {
    leave_stand_alone_ = never;
    core_.become(ConnectionState::Unconnected, "try again");
  }
  const bool attached = parts_.attach.done() || core_.disk == DiskState::Failed || core_.disk == DiskState::Diskless;
  // A peer that comes back while it should have been fenced is met with a generation of our own.
  const bool may_meet = parts_.membership.may_connect() || core_.suspended_fencing;
  const bool settled = parts_.peer_writes.idle() && parts_.agreement.settled();
  const bool quiet = attached && settled && may_meet && !core_.dropping;
  if (core_.connection == ConnectionState::Unconnected && quiet) {
    core_.become(ConnectionState::WFConnection, "looking for the peer");
    parts_.connector.want(retry_at_);
  }
  if (core_.connection == ConnectionState::WFConnection && !core_.session.open && quiet)
    if (const auto pair = parts_.connector.take_pair()) begin_session(*pair);
  check_newcomers();
}

void Connection::begin_session(const Connector::Pair& pair) {
  if (!parts_.membership.may_connect()) parts_.membership.make_generation();
  core_.peer = PeerView{};
  parts_.handshake.begin(pair);
  parts_.keepalive.session_began();
  parts_.writes.session_began();
}

/// A peer that connects anew has lost the session, or it is a leftover of the dance: a PING on the old one tells.
void Connection::check_newcomers() {
  if (!parts_.connector.newcomer_waits() || !core_.session.open || core_.dropping) return;
  if (is_connected(core_.connection)) return parts_.keepalive.probe();
  if (const auto meta = parts_.connector.take_newer_meta()) {
    core_.emit(effect::CloseSocket{core_.session.meta, "crossed connection"});
    core_.session.meta = *meta;
    core_.session.resolve_conflicts = true;
    core_.emit(effect::UseWire{*meta, drbd::Socket::Meta, {core_.session.agreed_version, 0, 0}});
  }
}

void Connection::end_session() {
  const Core::Drop drop = *core_.dropping;
  core_.dropping.reset();
  const bool was_connected = is_connected(core_.connection);
  if (!core_.session.open) return;
  core_.emit(effect::CloseSocket{core_.session.data, drop.reason});
  core_.emit(effect::CloseSocket{core_.session.meta, drop.reason});
  core_.session.open = false;
  core_.become(drop.why, drop.reason);
  const DiskState peer_disk = core_.peer.disk;
  core_.peer.role = Role::Unknown;
  // DRBD remembers that the peer's disk had less.
  const bool known = core_.operator_rules() && peer_disk >= DiskState::Inconsistent && peer_disk <= DiskState::Outdated;
  core_.peer.disk = known ? peer_disk : DiskState::DUnknown;
  if (was_connected) parts_.fencing.session_lost(peer_disk);
  parts_.handshake.ended();
  parts_.writes.session_lost();
  parts_.peer_writes.session_lost();
  parts_.read_server.session_lost();
  parts_.resync.session_lost();
  parts_.state_changes.session_lost();
  parts_.verify.session_lost();
  parts_.exchange.session_lost();
  parts_.agreement.session_lost();
  parts_.attach.session_lost();
  if (was_connected) core_.event("peer-lost", drop.reason);
  if (core_.disk_usable() && core_.disk != DiskState::Attaching && was_connected) parts_.metadata.superblock_changed();
  core_.why = drop.reason;
  try_again_or_stay(drop, was_connected);
}

/// DRBD stays StandAlone when the two do not fit, until somebody connects them again; under a cluster manager nobody
/// would, so that what was refused is tried again.
void Connection::try_again_or_stay(const Core::Drop& drop, bool was_connected) {
  const bool disconnecting = drop.refuse || drop.why == ConnectionState::Disconnecting;
  if (!core_.wants_connection || (core_.operator_rules() && disconnecting)) return stand_alone(drop.reason);
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

void Connection::stand_alone(const std::string& reason) {
  core_.wants_connection = false;
  core_.wish = {};
  leave_stand_alone_ = never;
  if (core_.connection == ConnectionState::WFConnection) parts_.connector.stop(reason);
  if (core_.connection != ConnectionState::Unconnected && core_.connection != ConnectionState::StandAlone)
    core_.become(ConnectionState::Disconnecting, reason);
  core_.become(ConnectionState::StandAlone, reason);
  core_.why = reason;
}

void Connection::look_for_peer() {
  core_.wants_connection = true;
  leave_stand_alone_ = retry_at_ = core_.now;
}

void Connection::wake_from_stand_alone() {
  if (core_.wants_connection && core_.connection == ConnectionState::StandAlone)
    leave_stand_alone_ = retry_at_ = core_.now;
}

}  // namespace bascule::replication::detail
