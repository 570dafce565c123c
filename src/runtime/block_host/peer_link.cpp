#include "runtime/block_host/peer_link.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "runtime/block_host/detail/peer_socket.h"

namespace bascule::block_host {
namespace {

constexpr const char* kCannotReachPeer = "the peer cannot be reached";
constexpr unsigned kUserTimeoutMs = 3000;  // the engine's pings notice earlier; this frees the kernel's side
constexpr int kBacklog = 16;

Result<socklen_t> fill_address(const std::string& literal, std::uint16_t port, sockaddr_storage& out) {
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&out);
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&out);
  if (inet_pton(AF_INET, literal.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    return socklen_t{sizeof *v4};
  }
  if (inet_pton(AF_INET6, literal.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    return socklen_t{sizeof *v6};
  }
  return fail(kCannotReachPeer, literal, "it is not an IP address");
}

void set_option(int descriptor, int level, int option, int value) {
  (void)setsockopt(descriptor, level, option, &value, sizeof value);
}

void tune(int descriptor) {
  set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMs);
}

void clear_port(sockaddr_storage& address) {
  if (address.ss_family == AF_INET) reinterpret_cast<sockaddr_in&>(address).sin_port = 0;
  if (address.ss_family == AF_INET6) reinterpret_cast<sockaddr_in6&>(address).sin6_port = 0;
}

}  // namespace

Result<std::unique_ptr<PeerLink>> PeerLink::listen(uring::Ring& ring, uring::BufferPool& pool,
                                                   const Addresses& addresses, MakeChannel make_channel,
                                                   Events& events) {
  sockaddr_storage own{}, peer{};
  const auto own_bytes = fill_address(addresses.own, addresses.port, own);
  if (!own_bytes) return tl::unexpected(own_bytes.error());
  if (const auto bytes = fill_address(addresses.peer, addresses.port, peer); !bytes)
    return tl::unexpected(bytes.error());
  const std::string where = addresses.own + " port " + std::to_string(addresses.port);
  const int listener = ::socket(own.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) return fail_errno(kCannotReachPeer, where, errno);
  set_option(listener, SOL_SOCKET, SO_REUSEADDR, 1);
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&own), *own_bytes) != 0 || ::listen(listener, kBacklog) != 0) {
    const int error_number = errno;
    ::close(listener);
    return fail_errno(kCannotReachPeer, "listening on " + where, error_number);
  }
  std::unique_ptr<PeerLink> link(new PeerLink(ring, pool, std::move(make_channel), events, listener));
  clear_port(own);  // outgoing connections leave from any port of this address
  link->own_ = own;
  link->peer_ = peer;
  link->address_bytes_ = *own_bytes;
  link->accept();
  return link;
}

PeerLink::PeerLink(uring::Ring& ring, uring::BufferPool& pool, MakeChannel make_channel, Events& events, int listener)
    : ring_(ring), pool_(pool), make_channel_(std::move(make_channel)), events_(events), listener_(listener) {}

PeerLink::~PeerLink() {
  ring_.abandon(accepting_);
  ring_.cancel_timer(accept_again_);
  ::close(listener_);
  while (!sockets_.empty()) forget(sockets_.begin()->first);
}

// ---- incoming ---------------------------------------------------------------------------------------------------

void PeerLink::accept() {
  accepting_ = ring_.accept(listener_, [this](int result) { accepted(result); });
}

bool PeerLink::is_peer(int descriptor) const {
  sockaddr_storage from{};
  socklen_t length = sizeof from;
  if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&from), &length) != 0) return false;
  if (from.ss_family != peer_.ss_family) return false;
  if (from.ss_family == AF_INET)
    return reinterpret_cast<const sockaddr_in&>(from).sin_addr.s_addr ==
           reinterpret_cast<const sockaddr_in&>(peer_).sin_addr.s_addr;
  return std::memcmp(&reinterpret_cast<const sockaddr_in6&>(from).sin6_addr,
                     &reinterpret_cast<const sockaddr_in6&>(peer_).sin6_addr, sizeof(in6_addr)) == 0;
}

void PeerLink::accepted(int result) {
  if (result == -ECANCELED) return;
  if (result >= 0 && is_peer(result)) {
    admit(result);
  } else if (result >= 0) {
    ::close(result);
    note_rarely("a connection that does not come from the peer's address was closed");
  } else {  // out of descriptors or memory: not at once again
    accept_again_ = ring_.timer(uring::Ring::now() + milliseconds(200), [this](int) { accept(); });
    return;
  }
  accept();
}

void PeerLink::note_rarely(const std::string& text) {
  const Instant now = uring::Ring::now();
  if (now >= next_note_) events_.note(text);
  next_note_ = now + seconds(1);
}

Result<std::unique_ptr<tls::Channel>> PeerLink::channel(tls::Side side) {
  return make_channel_ ? make_channel_(side) : Result<std::unique_ptr<tls::Channel>>(nullptr);
}

/// The engine hears of it when the peer has proved itself.
void PeerLink::admit(int descriptor) {
  auto made = channel(tls::Side::server);
  if (!made) {
    ::close(descriptor);
    return note_rarely(made.error().text());
  }
  tune(descriptor);
  const auto id = next_accepted_++ | replication::input::kAcceptedSocketBit;
  PeerSocket* const socket =
      sockets_.emplace(id, std::make_unique<PeerSocket>(*this, id, descriptor, std::move(*made))).first->second.get();
  socket->shake([this, id](int result) { shaken(id, result); });
}

void PeerLink::shaken(replication::input::SocketId id, int result) {
  const auto found = sockets_.find(id);
  if (found == sockets_.end()) return;  // given up meanwhile
  PeerSocket& socket = *found->second;
  const bool ours = (id & replication::input::kAcceptedSocketBit) == 0;
  if (result != 0) {
    note_rarely(socket.why());
    return ours ? report_later(id, socket.why()) : forget(id);
  }
  ours ? events_.socket_connected(id) : events_.socket_accepted(id);
  if (!socket.closed()) socket.begin();
}

// ---- outgoing ---------------------------------------------------------------------------------------------------

void PeerLink::start(const replication::effect::Connect& connect) {
  const auto id = connect.socket;
  const int descriptor = ::socket(peer_.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return report_later(id, std::strerror(errno));
  set_option(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  tune(descriptor);
  auto made = channel(tls::Side::client);
  if (!made) {
    ::close(descriptor);
    return report_later(id, made.error().text());
  }
  auto socket = std::make_unique<PeerSocket>(*this, id, descriptor, std::move(*made));
  PeerSocket* const raw = socket.get();
  sockets_.emplace(id, std::move(socket));
  if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&own_), address_bytes_) != 0)
    return report_later(id, std::string("binding to this node's address: ") + std::strerror(errno));
  raw->connecting =
      ring_.connect(descriptor, reinterpret_cast<const sockaddr*>(&peer_), address_bytes_, [this, raw, id](int result) {
        raw->connecting = 0;
        if (!raw->closed()) connected(id, result);
      });
}

void PeerLink::connected(replication::input::SocketId id, int result) {
  const auto found = sockets_.find(id);
  if (found == sockets_.end()) return;  // given up meanwhile
  if (result < 0) return report_later(id, std::strerror(-result));
  found->second->shake([this, id](int shaken_result) { shaken(id, shaken_result); });
}

void PeerLink::report_later(replication::input::SocketId id, std::string reason) {
  failed_.emplace(id, std::move(reason));
}

void PeerLink::start(const replication::effect::CloseSocket& close) {
  failed_.erase(close.socket);
  forget(close.socket);
}

void PeerLink::forget(replication::input::SocketId id) {
  const auto found = sockets_.find(id);
  if (found == sockets_.end()) return;
  found->second->close();
  ring_.cancel(found->second->connecting);
  ring_.bury(std::move(found->second));
  sockets_.erase(found);
}

void PeerLink::start(const replication::effect::UseWire& use) {
  const auto found = sockets_.find(use.socket);
  if (found != sockets_.end()) found->second->use_wire(use);
}

void PeerLink::start(replication::effect::Send send) {
  const auto found = sockets_.find(send.socket);
  if (found != sockets_.end()) found->second->send(std::move(send));
}

// ---- turns ------------------------------------------------------------------------------------------------------

void PeerLink::flush() {
  for (auto& [id, socket] : sockets_)
    if (socket->established()) socket->flush();
}

bool PeerLink::resume() {
  bool delivered = false;
  std::vector<PeerSocket*> waiting;
  for (auto& [id, socket] : sockets_) waiting.push_back(socket.get());
  for (PeerSocket* const socket : waiting) delivered |= socket->resume();  // closed ones are buried, not destroyed
  while (!failed_.empty()) {
    const auto [id, reason] = *failed_.begin();
    failed_.erase(failed_.begin());
    forget(id);
    events_.socket_closed(id, reason);
    delivered = true;
  }
  return delivered;
}

}  // namespace bascule::block_host
