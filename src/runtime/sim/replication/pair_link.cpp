#include "runtime/sim/replication/pair_link.h"

#include <algorithm>
#include <utility>

namespace bascule::sim {

using namespace replication;  // NOLINT: this file carries that room's packets

PairLink::PairLink(Scheduler& scheduler, ReplicaWorld& world, std::array<Replica*, 2> replicas)
    : scheduler_(scheduler), world_(world), replicas_(replicas) {
  for (Replica* replica : replicas) replica->link = this;
}

std::size_t PairLink::end_of(const Tcp& tcp, const Replica& replica, SocketId socket) {
  return tcp.ends[0].replica == replica.index && tcp.ends[0].socket == socket ? 0 : 1;
}

std::shared_ptr<PairLink::Tcp> PairLink::find(const Replica& replica, SocketId socket) const {
  const auto found = sockets_[replica.index].find(socket);
  return found == sockets_[replica.index].end() ? nullptr : found->second;
}

void PairLink::connect(Replica& from, SocketId socket) {
  Replica& other = *replicas_[1 - from.index];
  auto tcp = std::make_shared<Tcp>();
  tcp->ends[0] = Tcp::End{from.index, from.life, socket, true, false, drbd::Socket::Data, {}};
  tcp->ends[1] = Tcp::End{other.index, other.life, 0, false, false, drbd::Socket::Data, {}};
  sockets_[from.index][socket] = tcp;
  std::erase_if(connections_, [](const auto& each) { return each->dead; });
  connections_.push_back(tcp);
  const auto reach = world_.reach(from, other);
  if (reach == ReplicaWorld::Reach::Silent) {
    tcp->dead = true;  // no answer, for a long time
    return;
  }
  if (reach == ReplicaWorld::Reach::Refused) return report_closed(tcp, 0, between(microseconds(100), milliseconds(2)));
  const Duration delay = between(microseconds(50), milliseconds(1));
  tcp->last_arrival[1] = scheduler_.now() + delay;
  other.later(delay, [this, &other, tcp] {
    if (tcp->dead || tcp->ends[1].closed) return;
    tcp->ends[1].socket = other.next_accepted++;
    tcp->ends[1].known = true;
    sockets_[other.index][tcp->ends[1].socket] = tcp;
    other.step(input::SocketAccepted{tcp->ends[1].socket});
  });
  from.later(2 * delay, [&from, tcp] {
    if (!tcp->dead && !tcp->ends[0].closed) from.step(input::SocketConnected{tcp->ends[0].socket});
  });
}

void PairLink::close(Replica& replica, SocketId socket) {
  const auto found = sockets_[replica.index].find(socket);
  if (found == sockets_[replica.index].end()) return;  // the close of the other side was on its way
  const std::shared_ptr<Tcp> tcp = found->second;
  sockets_[replica.index].erase(found);
  const std::size_t end = end_of(*tcp, replica, socket);
  tcp->ends[end].closed = true;
  if (!tcp->dead) report_closed(tcp, 1 - end, between(microseconds(50), milliseconds(2)));
}

void PairLink::use_wire(Replica& replica, const effect::UseWire& effect) {
  const auto tcp = find(replica, effect.socket);
  if (tcp == nullptr) return;
  for (Tcp::End& end : tcp->ends)
    if (end.replica == replica.index && end.socket == effect.socket)
      end.kind = effect.kind, end.options = effect.options;
}

void PairLink::send(Replica& replica, const effect::Send& effect, Stamps payload) {
  const auto tcp = find(replica, effect.socket);
  if (tcp == nullptr) return;
  const std::size_t end = end_of(*tcp, replica, effect.socket);
  if (payload.size() * sector_bytes != drbd::payload_bytes_of(effect.packet))
    return world_.violation("a packet's payload has another length than it says");
  transmit(tcp, end, drbd::encode(effect.packet, effect.volume, tcp->ends[end].options), std::move(payload));
}

void PairLink::transmit(const std::shared_ptr<Tcp>& tcp, std::size_t from, Bytes bytes, Stamps payload) {
  if (tcp->dead) return;
  const std::size_t to = 1 - from;
  const Duration delay =
      prng().chance(1, 100) ? between(milliseconds(1), milliseconds(30)) : between(microseconds(30), microseconds(500));
  tcp->last_arrival[to] = std::max(tcp->last_arrival[to], scheduler_.now() + delay);
  ++packets_under_way_;
  scheduler_.at(tcp->last_arrival[to],
                [this, tcp, to, bytes = std::move(bytes), payload = std::move(payload)]() mutable {
                  --packets_under_way_;
                  if (!tcp->dead) deliver(tcp, to, bytes, std::move(payload));
                });
}

void PairLink::deliver(const std::shared_ptr<Tcp>& tcp, std::size_t to, const Bytes& bytes, Stamps payload) {
  Tcp::End& end = tcp->ends[to];
  Replica& replica = *replicas_[end.replica];
  if (end.closed || !replica.alive || replica.life != end.life) return;
  auto decoded = drbd::decode_frame(bytes, end.kind, end.options);
  auto* frame = decoded ? std::get_if<drbd::Frame>(&*decoded) : nullptr;
  if (frame == nullptr && end.options.agreed_version == 0 && to == 1) {
    // Not a greeting: the driver closes the socket.
    end.closed = true;
    sockets_[replica.index].erase(end.socket);
    report_closed(tcp, 0, microseconds(100));
    return replica.step(input::SocketClosed{end.socket, "garbage"});
  }
  if (frame == nullptr) {
    world_.violation("a packet of the peer cannot be decoded: " +
                     (decoded ? std::string("cut short") : decoded.error().text()));
    return;
  }
  input::PacketReceived received{end.socket, frame->volume, std::move(frame->packet), 0};
  if (!payload.empty()) received.buffer = replica.new_buffer(std::move(payload));
  const bool about_sizes =
      std::holds_alternative<drbd::Sizes>(received.packet) || std::holds_alternative<drbd::Features>(received.packet);
  if (about_sizes) world_.sizes_come(replica);
  if (replica.alive && replica.life == end.life) replica.step(std::move(received));
}

void PairLink::report_closed(const std::shared_ptr<Tcp>& tcp, std::size_t end, Duration delay) {
  const WorldTime when = std::max(scheduler_.now() + delay, tcp->last_arrival[end]);
  scheduler_.at(when, [this, tcp, end] {
    Tcp::End& at = tcp->ends[end];
    Replica& replica = *replicas_[at.replica];
    if (at.closed || !at.known || !replica.alive || replica.life != at.life) return;
    at.closed = true;
    sockets_[replica.index].erase(at.socket);
    replica.step(input::SocketClosed{at.socket, "closed by the peer"});
  });
}

void PairLink::kill(bool tell) {
  for (const auto& tcp : connections_) {
    if (tcp->dead) continue;
    tcp->dead = true;
    for (std::size_t end = 0; tell && end < 2; ++end)
      report_closed(tcp, end, between(microseconds(50), milliseconds(50)));
  }
  connections_.clear();
}

void PairLink::stall(WorldTime until) {
  for (const auto& tcp : connections_)
    for (WorldTime& arrival : tcp->last_arrival) arrival = std::max(arrival, until);
}

bool PairLink::anybody_believes_in_a_dead_one() const {
  for (const auto& sockets : sockets_)
    for (const auto& [socket, tcp] : sockets)
      if (tcp->dead) return true;
  return false;
}

}  // namespace bascule::sim
