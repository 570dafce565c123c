#pragma once

#include <netinet/in.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/replication/engine.h"
#include "runtime/tls/channel.h"
#include "runtime/uring/buffer_pool.h"
#include "runtime/uring/ring.h"

namespace bascule::block_host {

class PeerSocket;

/// The TCP side of the DRBD connection: listens on this node's address, connects from it to the peer's, lets only the
/// peer in (by its address, and by the cluster's key where the volume is encrypted), cuts bytes into packets and
/// receives payload into pool buffers. What the packets mean is the engine's business; it says with UseWire how each
/// socket is framed.
class PeerLink {
 public:
  struct Events {
    virtual ~Events() = default;
    virtual void socket_connected(replication::input::SocketId socket) = 0;
    virtual void socket_accepted(replication::input::SocketId socket) = 0;
    virtual void socket_closed(replication::input::SocketId socket, const std::string& reason) = 0;
    virtual void packet_received(replication::input::PacketReceived packet) = 0;
    virtual void note(const std::string& text) = 0;  ///< for the log
  };
  struct Addresses {
    std::string own, peer;  ///< literals
    std::uint16_t port = 0;
  };
  /// Makes the channel of a new connection, from the keys as they are now. Empty: what is sent is not encrypted.
  using MakeChannel = std::function<Result<std::unique_ptr<tls::Channel>>(tls::Side)>;

  /// Errors: not an address; it is not this machine's, or the port is taken.
  [[nodiscard]] static Result<std::unique_ptr<PeerLink>> listen(uring::Ring& ring, uring::BufferPool& pool,
                                                                const Addresses& addresses, MakeChannel make_channel,
                                                                Events& events);
  ~PeerLink();
  PeerLink(const PeerLink&) = delete;
  PeerLink& operator=(const PeerLink&) = delete;

  // The engine's effects. Nothing here calls Events before it returns, except that packets already received may follow
  // a use_wire() in resume().
  void start(const replication::effect::Connect& connect);
  void start(const replication::effect::CloseSocket& close);
  void start(const replication::effect::UseWire& use);
  void start(replication::effect::Send send);

  /// At the end of a turn: what was queued goes out, one system call per socket.
  void flush();
  /// Decodes what waited for a buffer or for new framing. True: packets were delivered.
  bool resume();

 private:
  friend class PeerSocket;
  PeerLink(uring::Ring& ring, uring::BufferPool& pool, MakeChannel make_channel, Events& events, int listener);
  void accept();
  void accepted(int result);
  void admit(int descriptor);
  void connected(replication::input::SocketId id, int result);
  void shaken(replication::input::SocketId id, int result);
  Result<std::unique_ptr<tls::Channel>> channel(tls::Side side);
  void note_rarely(const std::string& text);
  void report_later(replication::input::SocketId id, std::string reason);
  void forget(replication::input::SocketId id);
  [[nodiscard]] bool is_peer(int descriptor) const;

  uring::Ring& ring_;
  uring::BufferPool& pool_;
  MakeChannel make_channel_;
  Events& events_;
  int listener_;
  uring::OperationHandle accepting_ = 0;
  uring::TimerHandle accept_again_ = 0;
  sockaddr_storage own_{}, peer_{};
  socklen_t address_bytes_ = 0;
  std::map<replication::input::SocketId, std::unique_ptr<PeerSocket>> sockets_;
  std::map<replication::input::SocketId, std::string> failed_;  ///< to be reported in resume()
  replication::input::SocketId next_accepted_ = replication::input::kAcceptedSocketBit;
  Instant next_note_{};
};

}  // namespace bascule::block_host
