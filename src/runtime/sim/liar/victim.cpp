#include "runtime/sim/liar/victim.h"

#include <algorithm>

#include "wire/drbd_metadata/metadata.h"

namespace bascule::sim {

using namespace replication;  // NOLINT: this file drives that room

namespace {

constexpr std::uint64_t backing_bytes = Victim::data_bytes + 64 * 1024;
constexpr std::uint64_t first_generation = 0x1111222233334440ULL;

Restored restored_disk() {
  auto created = drbd_metadata::create_v08(backing_bytes).value();
  Restored restored;
  restored.superblock = created.superblock;
  restored.superblock.current_uuid = first_generation;
  restored.superblock.effective_sectors = Victim::data_bytes / 512;
  restored.superblock.flags |= drbd_metadata::flag::kConsistent | drbd_metadata::flag::kWasUpToDate;
  restored.bitmap.assign(created.layout.bitmap_bytes, 0);
  restored.activity_log.assign(restored.superblock.shape().blocks() * 4096, 0);
  return restored;
}

}  // namespace

Victim::Victim(const Options& options) : disk_(data_bytes) {
  Config config;
  config.volume = "r0";
  config.self = "alice";
  config.peer = "bob";
  config.authority = Authority::Operator;
  config.backing_bytes = backing_bytes;
  config.size_limit_bytes = data_bytes;
  config.seed = options.seed;
  config.options.net.data_integrity_alg = name_of(options.integrity);
  config.options.net.verify_alg = "crc32c";
  engine_.emplace(config, restored_disk(), now_);
  settle();
  if (options.primary) step(input::Promote{1, false, true, 0});
  settle();
}

void Victim::violate(std::string what) {
  if (violation_.empty()) violation_ = std::move(what);
}

bool Victim::inside(std::uint64_t offset, std::uint64_t length) const {
  return offset <= data_bytes && length <= data_bytes - offset;
}

// ---- time, disk, applications -----------------------------------------------------------------------------------

void Victim::step(const Input& input) {
  Effects effects;
  engine_->step(input, now_, effects);
  carry_out(effects);
}

void Victim::settle() {
  for (int round = 0; round < 10'000; ++round) {
    if (!disk_done_.empty()) {
      const input::DiskDone done = disk_done_.front();
      disk_done_.pop_front();
      step(done);
    } else if (engine_->next_deadline() <= now_) {
      step(input::Tick{});
    } else {
      return;
    }
  }
  violate("the engine does not come to rest");
}

void Victim::wait(Duration most) {
  now_ = std::min(now_ + most, std::max(now_, engine_->next_deadline()));
  settle();
}

void Victim::write(std::uint64_t offset, std::uint32_t length) {
  const BufferId buffer = next_buffer_++;
  buffers_[buffer] = Bytes(length, 0x5a);
  step(input::Write{next_request_++, offset, length, buffer, false});
}

void Victim::carry_out(const Effects& effects) {
  for (const Effect& effect : effects) std::visit([this](const auto& each) { carry_out(each); }, effect);
}

void Victim::carry_out(const effect::DiskWrite& effect) {
  const auto buffer = buffers_.find(effect.buffer);
  if (!inside(effect.offset, effect.length)) return violate("a write outside the device");
  if (buffer == buffers_.end() || buffer->second.size() < effect.length) return violate("a write without its buffer");
  std::copy_n(buffer->second.begin(), effect.length, disk_.begin() + static_cast<std::ptrdiff_t>(effect.offset));
  disk_done_.push_back({effect.operation, 0});
}

void Victim::carry_out(const effect::DiskZero& effect) {
  if (!inside(effect.offset, effect.length)) return violate("a discard outside the device");
  disk_done_.push_back({effect.operation, 0});
}

void Victim::carry_out(const effect::DiskRead& effect) {
  if (!inside(effect.offset, effect.length)) return violate("a read outside the device");
  const auto from = disk_.begin() + static_cast<std::ptrdiff_t>(effect.offset);
  const Bytes content(from, from + effect.length);
  if (const auto buffer = buffers_.find(effect.buffer); buffer != buffers_.end()) buffer->second = content;
  const bool zero = std::all_of(content.begin(), content.end(), [](Byte each) { return each == 0; });
  disk_done_.push_back({effect.operation, 0, digest_of(effect.digest, content), zero});
}

void Victim::carry_out(const effect::DiskFlush& effect) { disk_done_.push_back({effect.operation, 0}); }

void Victim::carry_out(const effect::MetadataWrite& effect) {
  const bool data = effect.offset < data_bytes;
  const bool beyond = effect.offset + effect.content.size() > backing_bytes;
  if (data || beyond) return violate("metadata written outside its area");
  disk_done_.push_back({effect.operation, 0});
}

void Victim::carry_out(const effect::TakeBuffer& effect) {
  if (!buffers_.emplace(effect.buffer, Bytes(effect.length)).second) violate("a buffer is taken twice");
}

void Victim::carry_out(const effect::ReleaseBuffer& effect) {
  if (buffers_.erase(effect.buffer) != 1) violate("a buffer is released that is not there");
}

void Victim::carry_out(const effect::CopyBuffer& effect) {
  const auto from = buffers_.find(effect.from);
  if (from == buffers_.end() || from->second.size() < effect.length)
    return violate("a copy from a buffer that is not there");
  buffers_[effect.to].assign(from->second.begin(), from->second.begin() + effect.length);
}

void Victim::carry_out(const effect::RunHandler& effect) {
  if (effect.number != 0) step(input::HandlerDone{effect.number, -1});
}

// ---- network ----------------------------------------------------------------------------------------------------

void Victim::carry_out(const effect::Connect& effect) { connecting_.push_back(effect.socket); }

void Victim::carry_out(const effect::CloseSocket& effect) { closed(effect.socket, effect.reason); }

void Victim::closed(SocketId socket, const std::string& reason) {
  if (socket == data_ || socket == meta_) {
    if (ended_because_.empty()) ended_because_ = reason.empty() ? "?" : reason;
    if (reason.empty()) violate("a connection is ended without a reason");
    (socket == data_ ? data_ : meta_) = 0;
  }
  sockets_.erase(socket);
}

void Victim::carry_out(const effect::UseWire& effect) {
  Wire& wire = sockets_[effect.socket];
  wire.kind = effect.kind;
  wire.options = effect.options;
  wire.send_integrity = effect.send_integrity;
  wire.receive_integrity = effect.receive_integrity;
}

void Victim::carry_out(const effect::Send& effect) {
  const auto found = sockets_.find(effect.socket);
  if (found == sockets_.end()) return;
  drbd::Packet packet = effect.packet;
  if (found->second.send_integrity != Digest::none && effect.buffer != 0) {
    const Bytes digest = digest_of(found->second.send_integrity, buffers_[effect.buffer]);
    if (auto* data = std::get_if<drbd::Data>(&packet)) data->digest = digest;
    if (auto* reply = std::get_if<drbd::DataReply>(&packet)) reply->digest = digest;
    if (auto* reply = std::get_if<drbd::ResyncReply>(&packet)) reply->digest = digest;
  }
  (void)drbd::encode(packet, effect.volume, found->second.options);  // what we cannot encode asserts
  const bool meta = std::holds_alternative<drbd::InitialMeta>(packet);
  if (meta || std::holds_alternative<drbd::InitialData>(packet)) {
    (meta ? meta_ : data_) = effect.socket;
    return;
  }
  outgoing.push_back({effect.socket == meta_ ? drbd::Socket::Meta : drbd::Socket::Data, std::move(packet)});
}

bool Victim::meet() {
  ended_because_.clear();
  while (!connecting_.empty() && data_ == 0 && meta_ == 0) {
    const SocketId socket = connecting_.front();
    connecting_.pop_front();
    sockets_[socket].ours = true;
    step(input::SocketConnected{socket});
  }
  if ((data_ == 0) == (meta_ == 0)) return false;
  const SocketId accepted = next_accepted_++;
  const bool is_data = data_ == 0;
  (is_data ? data_ : meta_) = accepted;
  sockets_[accepted];
  step(input::SocketAccepted{accepted});
  if (is_data)
    step(input::PacketReceived{accepted, 0, drbd::InitialData{}, 0});
  else
    step(input::PacketReceived{accepted, 0, drbd::InitialMeta{}, 0});
  return in_session();
}

const drbd::WireOptions& Victim::wire(drbd::Socket kind) const {
  static const drbd::WireOptions none{};
  const auto found = sockets_.find(kind == drbd::Socket::Data ? data_ : meta_);
  return found == sockets_.end() ? none : found->second.options;
}

void Victim::receive(drbd::Socket kind, ByteView bytes) {
  const SocketId socket = kind == drbd::Socket::Data ? data_ : meta_;
  const auto found = sockets_.find(socket);
  if (found == sockets_.end()) return;
  found->second.inbox.insert(found->second.inbox.end(), bytes.begin(), bytes.end());
  while (decode_one(socket)) {
  }
}

/// As runtime/block_host/peer_socket: undecodable bytes end the connection.
bool Victim::decode_one(SocketId socket) {
  const auto found = sockets_.find(socket);
  if (found == sockets_.end() || found->second.inbox.empty()) return false;
  Wire& wire = found->second;
  const auto decoded = drbd::decode_frame(wire.inbox, wire.kind, wire.options);
  if (!decoded) {
    const std::string reason = decoded.error().text();
    closed(socket, reason);
    step(input::SocketClosed{socket, reason});
    return false;
  }
  const auto* frame = std::get_if<drbd::Frame>(&*decoded);
  if (frame == nullptr || wire.inbox.size() < frame->consumed_bytes + frame->payload_bytes) return false;
  const auto begin = wire.inbox.begin() + static_cast<std::ptrdiff_t>(frame->consumed_bytes);
  const Bytes payload(begin, begin + frame->payload_bytes);
  wire.inbox.erase(wire.inbox.begin(), begin + frame->payload_bytes);
  deliver(socket, *frame, payload);
  return true;
}

void Victim::deliver(SocketId socket, const drbd::Frame& frame, ByteView payload) {
  input::PacketReceived received{socket, frame.volume, frame.packet, 0};
  if (!payload.empty()) {
    received.buffer = next_buffer_++;
    buffers_[received.buffer] = Bytes(payload.begin(), payload.end());
    const Digest integrity = sockets_[socket].receive_integrity;
    const Bytes digest = digest_of(integrity, payload);
    if (const auto* data = std::get_if<drbd::Data>(&frame.packet)) received.digest_valid = data->digest == digest;
    if (const auto* reply = std::get_if<drbd::DataReply>(&frame.packet))
      received.digest_valid = reply->digest == digest;
    if (const auto* reply = std::get_if<drbd::ResyncReply>(&frame.packet))
      received.digest_valid = reply->digest == digest;
  }
  step(received);
}

void Victim::hang_up(const std::string& reason) {
  for (const SocketId socket : {data_, meta_}) {
    if (!sockets_.contains(socket)) continue;
    closed(socket, reason);
    step(input::SocketClosed{socket, reason});
  }
}

}  // namespace bascule::sim
