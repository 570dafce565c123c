#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/digest.h"
#include "runtime/sim/replication/world.h"

namespace bascule::sim {

using namespace replication;  // NOLINT: this file drives that room

namespace {

constexpr std::uint64_t garbage = ~std::uint64_t{0};  ///< what a buffer holds before anybody fills it

}  // namespace

void ReplicationWorld::carry_out(Node& node, Effects& effects) {
  for (const Effect& effect : effects) std::visit([&](const auto& each) { carry_out(node, each); }, effect);
}

// ---- disk -------------------------------------------------------------------------------------------------------

Duration ReplicationWorld::disk_delay() {
  return prng().chance(1, 50) ? between(milliseconds(1), milliseconds(20))
                              : between(microseconds(30), microseconds(600));
}

void ReplicationWorld::check_overlap(Node& node, OperationId operation, std::uint64_t sector, std::uint64_t sectors) {
  for (const auto& [other, range] : node.disk_writes)
    if (sector < range.first + range.second && range.first < sector + sectors)
      checker_.violation("overlapping disk writes are in flight on node " + std::to_string(node.index));
  node.disk_writes[operation] = {sector, sectors};
}

/// Prints what becomes of the sector that is followed.
void ReplicationWorld::trace_write(const Node& node, const char* what, std::uint64_t sector,
                                   const Stamps& stamps) const {
  const auto& followed = scenario_.trace_sector;
  if (!scenario_.trace || !followed || *followed < sector || *followed >= sector + stamps.size()) return;
  std::printf("%10.3f node %zu: %s: %zu sectors at %llu, write %llu\n", static_cast<double>(to_ns(local())) / 1e6,
              node.index, what, stamps.size(), static_cast<unsigned long long>(sector),
              static_cast<unsigned long long>(stamps[*followed - sector]));
}

/// The disk takes it some time from now, unless it is broken.
void ReplicationWorld::put(Node& node, OperationId operation, std::uint64_t sector, Stamps stamps, bool durable) {
  check_overlap(node, operation, sector, stamps.size());
  note_begun(node, sector, stamps);
  trace_write(node, "disk-begins", sector, stamps);
  node.in_flight[operation] = {sector, std::move(stamps)};
  later(node, disk_delay(), [this, &node, operation, durable] {
    const auto done = node.in_flight.extract(operation);
    node.disk_writes.erase(operation);
    const bool fails = node.failing_io != 0;
    if (fails) --node.failing_io;
    trace_write(node, fails ? "disk-failed" : "disk-done", done.mapped().sector, done.mapped().stamps);
    if (!fails || prng().chance(1, 2)) node.data.write(done.mapped().sector, done.mapped().stamps);
    if (durable && !fails) node.data.end_flush(node.data.begin_flush());
    step(node, input::DiskDone{operation, fails ? EIO : 0});
  });
}

/// An application's write leaves for its disk, and in the same step for the peer.
void ReplicationWorld::note_begun(Node& node, std::uint64_t sector, const Stamps& stamps) {
  const bool zeroes = stamps.front() == 0;
  for (const auto& [request, each] : node.open_zeroings)
    if (zeroes && sector >= each.sector && sector < each.sector + each.sectors) checker_.begun(each.stamp);
  if (!zeroes && checker_.wrote(stamps.front(), node.index)) checker_.begun(stamps.front());
}

void ReplicationWorld::carry_out(Node& node, const effect::DiskWrite& effect) {
  const auto buffer = node.buffers.find(effect.buffer);
  if (buffer == node.buffers.end() || buffer->second.size() * sector_bytes != effect.length)
    return checker_.violation("a disk write from a buffer that is not there");
  put(node, effect.operation, effect.offset / sector_bytes, buffer->second, effect.durable);
}

void ReplicationWorld::carry_out(Node& node, const effect::DiskZero& effect) {
  put(node, effect.operation, effect.offset / sector_bytes, Stamps(effect.length / sector_bytes, 0), effect.durable);
}

void ReplicationWorld::carry_out(Node& node, const effect::DiskRead& effect) {
  later(node, disk_delay(), [this, &node, effect] {
    const auto buffer = node.buffers.find(effect.buffer);
    if (buffer == node.buffers.end()) return checker_.violation("a disk read into a buffer that is not there");
    if (node.failing_io != 0) {
      --node.failing_io;
      return step(node, input::DiskDone{effect.operation, EIO});
    }
    Stamps stamps = node.data.read(effect.offset / sector_bytes, effect.length / sector_bytes);
    input::DiskDone done{effect.operation, 0};
    if (effect.digest != Digest::none) {
      Bytes bytes;
      ByteWriter writer(bytes);
      for (const std::uint64_t stamp : stamps) writer.big(stamp);
      done.digest = digest_of(effect.digest, bytes);
    }
    done.all_zero =
        effect.detect_zeroes && std::all_of(stamps.begin(), stamps.end(), [](auto each) { return each == 0; });
    buffer->second = std::move(stamps);
    step(node, done);
  });
}

void ReplicationWorld::carry_out(Node& node, const effect::DiskFlush& effect) {
  const StampDisk::FlushToken token = node.data.begin_flush();
  later(node, disk_delay(), [this, &node, effect, token] {
    node.data.end_flush(token);
    step(node, input::DiskDone{effect.operation, 0});
  });
}

void ReplicationWorld::carry_out(Node& node, const effect::MetadataWrite& effect) {
  const StampDisk::FlushToken token = node.data.begin_flush();
  const Duration flush_time = disk_delay();
  later(node, flush_time, [&node, effect, token] {
    node.data.end_flush(token);
    // In the cache: a power loss may tear it, or keep it although nobody was told.
    (void)node.metadata.write(effect.offset, effect.content);
  });
  later(node, flush_time + disk_delay(), [this, &node, operation = effect.operation] {
    (void)node.metadata.flush();
    step(node, input::DiskDone{operation, 0});
  });
}

// ---- buffers ----------------------------------------------------------------------------------------------------

void ReplicationWorld::carry_out(Node& node, const effect::TakeBuffer& effect) {
  const std::uint64_t content = effect.zeroed ? 0 : garbage;
  if (!node.buffers.emplace(effect.buffer, Stamps(effect.length / sector_bytes, content)).second)
    checker_.violation("a buffer is taken twice");
}

void ReplicationWorld::carry_out(Node& node, const effect::CopyBuffer& effect) {
  const auto from = node.buffers.find(effect.from);
  const auto to = node.buffers.find(effect.to);
  const std::size_t sectors = effect.length / sector_bytes;
  if (from == node.buffers.end() || to == node.buffers.end() || from->second.size() < sectors)
    return checker_.violation("a copy between buffers that are not there");
  to->second.assign(from->second.begin(), from->second.begin() + static_cast<std::ptrdiff_t>(sectors));
}

void ReplicationWorld::carry_out(Node& node, const effect::ReleaseBuffer& effect) {
  if (node.buffers.erase(effect.buffer) != 1) checker_.violation("a buffer is released that is not there");
}

// ---- network ----------------------------------------------------------------------------------------------------

void ReplicationWorld::carry_out(Node& node, const effect::Connect& effect) {
  Node& other = *nodes_[1 - node.index];
  auto tcp = std::make_shared<Tcp>();
  tcp->ends[0] = Tcp::End{node.index, node.life, effect.socket, true, false, drbd::Socket::Data, {}};
  tcp->ends[1] = Tcp::End{other.index, other.life, 0, false, false, drbd::Socket::Data, {}};
  node.sockets[effect.socket] = tcp;
  connections_.push_back(tcp);
  if (!link_up_) {
    tcp->dead = true;  // no answer, for a long time
    return;
  }
  if (!other.alive) return report_closed(tcp, 0, between(microseconds(100), milliseconds(2)));
  const Duration delay = between(microseconds(50), milliseconds(1));
  tcp->last_arrival[1] = scheduler_.now() + delay;
  later(other, delay, [this, &other, tcp] {
    if (tcp->dead || tcp->ends[1].closed) return;
    tcp->ends[1].socket = other.next_accepted++;
    tcp->ends[1].known = true;
    other.sockets[tcp->ends[1].socket] = tcp;
    step(other, input::SocketAccepted{tcp->ends[1].socket});
  });
  later(node, 2 * delay, [this, &node, tcp] {
    if (!tcp->dead && !tcp->ends[0].closed) step(node, input::SocketConnected{tcp->ends[0].socket});
  });
}

void ReplicationWorld::carry_out(Node& node, const effect::CloseSocket& effect) {
  const auto found = node.sockets.find(effect.socket);
  if (found == node.sockets.end()) return;  // the close of the other side was on its way
  const std::shared_ptr<Tcp> tcp = found->second;
  node.sockets.erase(found);
  const std::size_t end = tcp->ends[0].node == node.index && tcp->ends[0].socket == effect.socket ? 0 : 1;
  tcp->ends[end].closed = true;
  if (!tcp->dead) report_closed(tcp, 1 - end, between(microseconds(50), milliseconds(2)));
}

void ReplicationWorld::carry_out(Node& node, const effect::UseWire& effect) {
  const auto found = node.sockets.find(effect.socket);
  if (found == node.sockets.end()) return;
  for (Tcp::End& end : found->second->ends)
    if (end.node == node.index && end.socket == effect.socket) end.kind = effect.kind, end.options = effect.options;
}

void ReplicationWorld::carry_out(Node& node, const effect::Send& effect) {
  const auto found = node.sockets.find(effect.socket);
  if (found == node.sockets.end()) return;
  const std::shared_ptr<Tcp> tcp = found->second;
  const std::size_t end = tcp->ends[0].node == node.index && tcp->ends[0].socket == effect.socket ? 0 : 1;
  Stamps payload;
  if (effect.buffer != 0) {
    const auto buffer = node.buffers.find(effect.buffer);
    if (buffer == node.buffers.end()) return checker_.violation("a send from a buffer that is not there");
    payload = buffer->second;
  }
  if (payload.size() * sector_bytes != drbd::payload_bytes_of(effect.packet))
    return checker_.violation("a packet's payload has another length than it says");
  transmit(tcp, end, drbd::encode(effect.packet, effect.volume, tcp->ends[end].options), std::move(payload));
}

void ReplicationWorld::transmit(const std::shared_ptr<Tcp>& tcp, std::size_t from, Bytes bytes, Stamps payload) {
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

void ReplicationWorld::deliver(const std::shared_ptr<Tcp>& tcp, std::size_t to, const Bytes& bytes, Stamps payload) {
  Tcp::End& end = tcp->ends[to];
  Node& node = *nodes_[end.node];
  if (end.closed || !node.alive || node.life != end.life) return;
  auto decoded = drbd::decode_frame(bytes, end.kind, end.options);
  const auto* frame = decoded ? std::get_if<drbd::Frame>(&*decoded) : nullptr;
  if (frame == nullptr && end.options.agreed_version == 0 && to == 1) {
    // Not a greeting: the driver closes the socket.
    end.closed = true;
    node.sockets.erase(end.socket);
    report_closed(tcp, 0, microseconds(100));
    return step(node, input::SocketClosed{end.socket, "garbage"});
  }
  if (frame == nullptr) {
    checker_.violation("a packet of the peer cannot be decoded: " +
                       (decoded ? std::string("cut short") : decoded.error().text()));
    return;
  }
  input::PacketReceived received{end.socket, frame->volume, frame->packet, 0};
  if (!payload.empty()) {
    received.buffer = node.next_buffer++;
    node.buffers[received.buffer] = std::move(payload);
  }
  const bool about_sizes =
      std::holds_alternative<drbd::Sizes>(received.packet) || std::holds_alternative<drbd::Features>(received.packet);
  if (about_sizes) tell_size(node);
  if (node.alive && node.life == end.life) step(node, received);
}

void ReplicationWorld::report_closed(const std::shared_ptr<Tcp>& tcp, std::size_t end, Duration delay) {
  const WorldTime when = std::max(scheduler_.now() + delay, tcp->last_arrival[end]);
  scheduler_.at(when, [this, tcp, end] {
    Tcp::End& at = tcp->ends[end];
    Node& node = *nodes_[at.node];
    if (at.closed || !at.known || !node.alive || node.life != at.life) return;
    at.closed = true;
    node.sockets.erase(at.socket);
    step(node, input::SocketClosed{at.socket, "closed by the peer"});
  });
}

// ---- answers ----------------------------------------------------------------------------------------------------

void ReplicationWorld::carry_out(Node& node, const effect::Complete& effect) {
  const bool good = effect.error_number == 0;
  const bool on_peer = scenario_.options.net.protocol != drbd_config::Protocol::A && peer_counts(node);
  const bool own_disk = node.engine->status().disk > drbd::DiskState::Failed;
  const bool durable_on_peer = scenario_.options.net.protocol == drbd_config::Protocol::C && peer_counts(node);
  if (const auto read = node.open_reads.extract(effect.request)) {
    const auto buffer = node.buffers.extract(read.mapped().buffer);
    if (good) checker_.has_read(node.index, read.mapped().sector, buffer.mapped(), read.mapped().floor);
    return;
  }
  if (node.open_flushes.erase(effect.request) == 1) {
    if (good) checker_.flush_acknowledged(effect.request, own_disk, durable_on_peer);
    return;
  }
  const auto write = node.open_writes.extract(effect.request);
  if (!write) return checker_.violation("a request is answered twice");
  const bool fua = node.fua.erase(effect.request) == 1;
  node.open_zeroings.erase(effect.request);
  if (!good) return checker_.failed(write.mapped());
  ReplicationChecker::Answer answer;
  answer.epoch = has_operator() ? 0 : node.engine->status().epoch;
  answer.lease_valid = has_operator() || majority_.lease_valid(node.index, answer.epoch, scheduler_.now());
  answer.own_has = own_disk;
  answer.durable = fua;
  answer.peer_has = on_peer;
  answer.peer_durable = fua && durable_on_peer;
  checker_.acknowledged(write.mapped(), answer);
}

void ReplicationWorld::carry_out(Node& node, const effect::RequestShrink& effect) {
  if (!node.majority_reachable) return;
  later(node, between(microseconds(500), milliseconds(20)), [this, &node, effect] {
    majority_.shrink(node.index, node.promoting_epoch, effect.known_version);
    commit();
  });
}

void ReplicationWorld::carry_out(Node& node, const effect::RequestGrow& effect) {
  if (!node.majority_reachable) return;
  later(node, between(microseconds(500), milliseconds(20)), [this, &node, effect] {
    if (!majority_.view().owner) ++result_.vouched;
    majority_.grow(node.index, node.promoting_epoch, effect.known_version);
    commit();
  });
}

void ReplicationWorld::carry_out(Node& node, const effect::RunHandler& effect) {
  if (effect.name == "split-brain") node.split_brain = true, ++result_.split_brains;
  if (effect.number == 0) return;
  later(node, milliseconds(1), [this, &node, number = effect.number] { step(node, input::HandlerDone{number, -1}); });
}

void ReplicationWorld::carry_out(Node& node, const effect::CommandDone& effect) {
  const bool done = effect.result >= drbd::StateChangeResult::Success;
  if (effect.command == node.promoting) {
    node.promoting = 0;
    node.refusals = done ? 0 : node.refusals + 1;
  }
  if (effect.command == node.attaching) node.attaching = 0;
  if (scenario_.trace && !effect.why.empty()) std::printf("           node %zu: %s\n", node.index, effect.why.c_str());
}

void ReplicationWorld::resync_event(Node& node, const std::string& kind) {
  const Status status = node.engine->status();
  const Node& other = *nodes_[1 - node.index];
  const auto protocol = scenario_.options.net.protocol;
  if (kind == "peer-connected" &&
      !(other.alive && other.engine->status().connection >= drbd::ConnectionState::Connected))
    checker_.met();
  if (kind == "resync-started" && status.connection == drbd::ConnectionState::SyncTarget)
    checker_.resync_started(node.index, alone_);
  if (kind == "resync-finished" && status.disk == drbd::DiskState::UpToDate && other.alive &&
      (has_operator() || status.role == drbd::Role::Secondary) &&
      status.connection == drbd::ConnectionState::Connected &&
      other.engine->status().connection == drbd::ConnectionState::SyncSource) {
    using Reach = ReplicationChecker::Reach;
    ++result_.resyncs;
    checker_.resync_finished(node.index, {&nodes_[0]->data.current(), &nodes_[1]->data.current()},
                             protocol == drbd_config::Protocol::C   ? Reach::Flushed
                             : protocol == drbd_config::Protocol::B ? Reach::Received
                                                                    : Reach::Sent);
  }
}

void ReplicationWorld::carry_out(Node& node, const effect::Event& effect) {
  if (scenario_.trace)
    std::printf("%10.3f node %zu: %s: %s\n", static_cast<double>(to_ns(local())) / 1e6, node.index, effect.kind.c_str(),
                effect.text.c_str());
  resync_event(node, effect.kind);
  // A promotion begins a generation before the role changes: from then on the node counts as having been Primary.
  if (has_operator() && effect.kind == "generation-made" &&
      node.engine->status().connection < drbd::ConnectionState::Connected)
    alone_[node.index] = true;
  if (has_operator()) note_equal();
  if (effect.kind == "volume-promoted") {
    ++result_.promotions;
    node.device_open = true;
    node.handing_over = false;
    const Status status = node.engine->status();
    const bool own_disk = status.disk == drbd::DiskState::UpToDate;
    check_size(node);
    checker_.promoted(node.index, has_operator() ? 0 : status.epoch, own_disk ? &node.data.current() : nullptr);
  }
  if (effect.kind == "volume-demoted" && node.handing_over) {
    node.handing_over = false;
    node.device_open = false;
    if (!node.majority_reachable || has_operator()) return;
    // To the other one, or because the service cannot be started here; then the other copy may have to join first.
    if (prng().chance(1, 2))
      majority_.hand_over(node.index, node.promoting_epoch);
    else
      majority_.give_back(node.index, node.promoting_epoch, scheduler_.now() + between(seconds(1), seconds(6)));
    if (majority_.view().owner != node.index) {
      node.released_epoch = node.promoting_epoch;
      node.lease_epoch = 0;
    }
    commit();
  }
}

}  // namespace bascule::sim
