#include "runtime/block_host/detail/peer_socket.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace bascule::block_host {
namespace {

constexpr std::size_t kInboxBytes = 64 * 1024;
constexpr Duration kHandshakePatience = seconds(3);
constexpr std::size_t kUnsentMax = std::size_t{256} << 20;  // far above what the engine has under way

// Where the packet carries data-integrity-alg's digest of its payload; null: it carries none.
template <typename Packet>
auto digest_in(Packet& packet) -> decltype(&std::get<drbd::Data>(packet).digest) {
  if (auto* const data = std::get_if<drbd::Data>(&packet)) return &data->digest;
  if (auto* const reply = std::get_if<drbd::DataReply>(&packet)) return &reply->digest;
  if (auto* const resync = std::get_if<drbd::ResyncReply>(&packet)) return &resync->digest;
  return nullptr;
}

}  // namespace

PeerSocket::PeerSocket(PeerLink& link, Id id, int descriptor, std::unique_ptr<tls::Channel> channel)
    : link_(link),
      pool_(link.pool_),
      id_(id),
      stream_(link.ring_, descriptor, std::move(channel)),
      inbox_(kInboxBytes),
      greeted_((id & replication::input::kAcceptedSocketBit) == 0) {
  stream_.on_send_error([this](int result) { fail(std::string("sending: ") + std::strerror(-result)); });
}

PeerSocket::~PeerSocket() {
  if (incoming_.buffer != 0) pool_.release(incoming_.buffer);
}

void PeerSocket::shake(uring::Completion done) {
  patience_ = link_.ring_.timer(uring::Ring::now() + kHandshakePatience, [this](int) {
    patience_ = 0;
    fail("the peer does not prove in time that it belongs to the cluster; does it encrypt this volume too?");
  });
  stream_.handshake(done);
}

void PeerSocket::begin() {
  link_.ring_.cancel_timer(std::exchange(patience_, 0));
  established_ = true;
  receive();
}

void PeerSocket::close() {
  link_.ring_.cancel_timer(std::exchange(patience_, 0));
  stream_.close();
}

void PeerSocket::use_wire(const replication::effect::UseWire& use) {
  kind_ = use.kind;
  options_ = use.options;
  send_integrity_ = use.send_integrity;
  receive_integrity_ = use.receive_integrity;
  wire_changed_ = true;
}

void PeerSocket::send(replication::effect::Send send) {
  if (stream_.closed()) return;
  const std::uint32_t payload = drbd::payload_bytes_of(send.packet);
  if (payload > 0 && send_integrity_ != Digest::none) sign(send.packet, send.buffer, payload);
  drbd::encode_to(stream_.staging(), send.packet, send.volume, options_);
  if (payload > 0) {
    uring::BufferPool& pool = pool_;
    pool.retain(send.buffer);
    stream_.send_referenced(pool.bytes(send.buffer).first(payload),
                            [&pool, buffer = send.buffer](int) { pool.release(buffer); });
  }
  if (stream_.unsent() > kUnsentMax) fail("the peer does not read");
}

void PeerSocket::sign(drbd::Packet& packet, replication::BufferId buffer, std::uint32_t payload) {
  Bytes* const digest = digest_in(packet);
  if (digest != nullptr) *digest = digest_of(send_integrity_, pool_.bytes(buffer).first(payload));
}

bool PeerSocket::digest_valid(const drbd::Packet& packet, replication::BufferId buffer, std::uint32_t payload) const {
  const Bytes* const digest = digest_in(packet);
  if (digest == nullptr || receive_integrity_ == Digest::none || payload == 0) return true;
  return *digest == digest_of(receive_integrity_, pool_.bytes(buffer).first(payload));
}

bool PeerSocket::resume() {
  if (!established_ || (!stalled_ && !wire_changed_)) return false;
  stalled_ = wire_changed_ = false;
  const bool delivered = parse();
  receive();
  return delivered;
}

void PeerSocket::fail(const std::string& reason) {
  close();
  why_ = reason;
  if (established_) return link_.report_later(id_, reason);
  link_.shaken(id_, -1);
}

std::string PeerSocket::reason_of(int result) const {
  return result == -EPROTO && !stream_.why().empty() ? stream_.why() : std::strerror(-result);
}

void PeerSocket::receive() {
  if (stalled_ || stream_.closed() || stream_.receiving()) return;
  if (incoming_.buffer != 0) {
    const auto into =
        pool_.bytes(incoming_.buffer).subspan(incoming_.filled, incoming_.frame.payload_bytes - incoming_.filled);
    return stream_.receive(into, true, [this](int result) { received_payload(result); });
  }
  const auto space = inbox_.space();
  if (space.empty()) return;  // only while nothing may be decoded; resume() goes on
  stream_.receive(space, false, [this](int result) { received(result); });
}

void PeerSocket::received(int result) {
  if (result <= 0) return fail(result == 0 ? "the peer closed it" : reason_of(result));
  inbox_.filled(static_cast<std::size_t>(result));
  parse();
  receive();
}

void PeerSocket::received_payload(int result) {
  if (result <= 0 && result != -EINTR)
    return fail(result == 0 ? "the peer closed it within a packet" : reason_of(result));
  incoming_.filled += static_cast<std::uint32_t>(std::max(result, 0));
  if (incoming_.filled == incoming_.frame.payload_bytes) {
    deliver(std::move(incoming_.frame), std::exchange(incoming_.buffer, 0));
    parse();
  }
  receive();
}

// Before the versions are agreed the meta socket carries nothing but its greeting; what the peer sends after it has
// agreed may overtake the data socket, and waits here for the framing.
bool PeerSocket::may_decode() const {
  return !(kind_ == drbd::Socket::Meta && greeted_ && options_.agreed_version == 0);
}

bool PeerSocket::parse() {
  if (parsing_) return false;
  parsing_ = true;
  bool delivered = false;
  while (!stream_.closed() && !stalled_ && incoming_.buffer == 0 && may_decode() && parse_one()) delivered = true;
  parsing_ = false;
  return delivered;
}

// True: a packet was used up.
bool PeerSocket::parse_one() {
  auto step = drbd::decode_frame(inbox_.view(), kind_, options_);
  if (!step) return fail(step.error().text()), false;
  auto* const frame = std::get_if<drbd::Frame>(&*step);
  if (frame == nullptr) return false;
  if (frame->payload_bytes > 0) return begin_payload(std::move(*frame));
  inbox_.consume(frame->consumed_bytes);
  deliver(std::move(*frame), 0);
  return true;
}

bool PeerSocket::begin_payload(drbd::Frame frame) {
  if (frame.payload_bytes > uring::BufferPool::kLargeBytes) return fail("a payload of more than 1 MiB"), false;
  const auto buffer = pool_.take(uring::BufferPool::Use::peer, frame.payload_bytes);
  if (buffer == 0) {
    stalled_ = true;
    return false;
  }
  inbox_.consume(frame.consumed_bytes);
  const auto here = static_cast<std::uint32_t>(std::min<std::size_t>(frame.payload_bytes, inbox_.view().size()));
  std::memcpy(pool_.bytes(buffer).data(), inbox_.view().data(), here);
  inbox_.consume(here);
  if (here == frame.payload_bytes)
    deliver(std::move(frame), buffer);
  else
    incoming_ = {std::move(frame), buffer, here};
  return true;
}

void PeerSocket::deliver(drbd::Frame frame, replication::BufferId buffer) {
  greeted_ = true;
  const bool valid = digest_valid(frame.packet, buffer, frame.payload_bytes);
  link_.events_.packet_received({id_, frame.volume, std::move(frame.packet), buffer, valid});
}

}  // namespace bascule::block_host
