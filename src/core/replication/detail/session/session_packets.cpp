#include "core/replication/detail/session/session_packets.h"

namespace bascule::replication::detail {

bool carries_data(const drbd::Packet& packet) {
  return std::holds_alternative<drbd::Data>(packet) || std::holds_alternative<drbd::ResyncReply>(packet) ||
         std::holds_alternative<drbd::DataReply>(packet);
}

/// The peer goes by a disk that this node has given up meanwhile, and has not heard of that yet.
bool SessionPackets::comes_late(const drbd::Packet& packet) {
  if (!core_.gave_up_new_disk || core_.disk_usable() || core_.connection != ConnectionState::Connected) return false;
  const bool late = std::holds_alternative<drbd::BitmapChunk>(packet) ||
                    std::holds_alternative<drbd::CompressedBitmap>(packet) ||
                    std::holds_alternative<drbd::OutOfSync>(packet) || std::holds_alternative<drbd::SyncUuid>(packet);
  if (late) core_.event("late-answer", "the peer goes on with a disk that this node has given up; it is ignored");
  return late;
}

bool SessionPackets::on_data_packet(const drbd::Packet& packet, BufferId buffer) {
  if (parts_.handshake.received(packet)) {
    if (std::holds_alternative<drbd::State>(packet)) on_peer_state();
    return true;
  }
  if (!is_connected(core_.connection)) {
    core_.release(carries_data(packet) ? buffer : 0);
    return false;
  }
  if (comes_late(packet)) return true;
  if (const auto* data = std::get_if<drbd::Data>(&packet)) return parts_.peer_writes.data(*data, buffer);
  if (const auto* trim = std::get_if<drbd::Trim>(&packet)) return parts_.peer_writes.trim(*trim);
  if (const auto* zeroes = std::get_if<drbd::Zeroes>(&packet)) return parts_.peer_writes.zeroes(*zeroes);
  if (const auto* barrier = std::get_if<drbd::Barrier>(&packet)) return parts_.peer_writes.barrier(*barrier);
  if (const auto* request = std::get_if<drbd::DataRequest>(&packet)) return parts_.read_server.request(*request);
  if (const auto* reply = std::get_if<drbd::DataReply>(&packet)) return parts_.writes.read_replied(*reply, buffer);
  if (const auto taken = parts_.resync.data_packet(packet, buffer)) return *taken;
  if (const auto* request = std::get_if<drbd::VerifyRequest>(&packet)) return parts_.verify.request(*request);
  if (const auto* reply = std::get_if<drbd::VerifyReply>(&packet)) return parts_.verify.reply(*reply);
  if (const auto* mark = std::get_if<drbd::OutOfSync>(&packet)) return parts_.exchange.out_of_sync(*mark);
  if (const auto* uuid = std::get_if<drbd::SyncUuid>(&packet)) return parts_.exchange.sync_uuid(*uuid);
  if (std::holds_alternative<drbd::BitmapChunk>(packet) || std::holds_alternative<drbd::CompressedBitmap>(packet))
    return parts_.exchange.bitmap(packet);
  if (const auto* request = std::get_if<drbd::StateChangeRequest>(&packet))
    return parts_.state_changes.requested(request->change, false), true;
  if (const auto* request = std::get_if<drbd::ConnectionStateChangeRequest>(&packet))
    return parts_.state_changes.requested(request->change, true), true;
  return std::holds_alternative<drbd::UnplugRemote>(packet) || std::holds_alternative<drbd::DelayProbe>(packet);
}

bool SessionPackets::on_meta_packet(const drbd::Packet& packet) {
  if (std::holds_alternative<drbd::Ping>(packet)) return core_.send_meta(drbd::PingAck{}), true;
  if (std::holds_alternative<drbd::PingAck>(packet)) {
    parts_.connector.refuse_newcomers();  // the session lives
    ++core_.session.pings_answered;
    return true;
  }
  if (const auto* ack = std::get_if<drbd::BlockAck>(&packet)) return on_block_ack(*ack);
  if (const auto* ack = std::get_if<drbd::BarrierAck>(&packet)) return parts_.writes.barrier_acknowledged(*ack);
  if (const auto* reply = std::get_if<drbd::StateChangeReply>(&packet))
    return parts_.state_changes.replied(false, reply->result);
  if (const auto* reply = std::get_if<drbd::ConnectionStateChangeReply>(&packet))
    return parts_.state_changes.replied(true, reply->result);
  return std::holds_alternative<drbd::DelayProbe>(packet);
}

bool SessionPackets::on_block_ack(const drbd::BlockAck& ack) {
  using Kind = drbd::BlockAck::Kind;
  if (!is_connected(core_.connection)) return false;
  core_.see_sequence(ack.sequence);
  if (const auto taken = parts_.resync.block_ack(ack)) return *taken;
  switch (ack.kind) {
    case Kind::WriteAck:
    case Kind::ResyncWriteAck:
    case Kind::NegativeAck:
    case Kind::ReceiveAck:
    case Kind::Superseded:
    case Kind::RetryWrite:
    case Kind::NegativeDataReply:
      return parts_.writes.acknowledged(ack);
    case Kind::VerifyResult:
      return parts_.verify.result(ack);
    default:
      return false;
  }
}

void SessionPackets::on_peer_state() {
  if (!is_connected(core_.connection)) return;
  parts_.agreement.peer_state_received();
  const bool allowed_two = core_.operator_rules() && core_.config.options.net.allow_two_primaries;
  if (core_.primary() && core_.peer.role == Role::Primary && !allowed_two)
    core_.drop(ConnectionState::ProtocolError, "the peer became Primary while this node is");
}

}  // namespace bascule::replication::detail
