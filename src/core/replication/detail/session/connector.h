#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/replication/detail/core.h"

namespace bascule::replication::detail {

/// DRBD's two-socket dance. Both sides connect and accept at once; the first packet on a TCP connection says which of
/// the two it is. The node with the greater name opens data first, the other one meta, so that the usual case needs no
/// second attempt; if both opened the same kind, the one opened by the greater name wins on both sides.
///
///   Idle --wanted--> Connecting <--> Pausing (jitter)     both sockets there --> Paired (taken by the engine)
class Connector {
 public:
  explicit Connector(Core& core);

  struct Pair {
    SocketId data;
    SocketId meta;
    bool resolve_conflicts;
    std::optional<drbd::Packet> early;  ///< the peer's Features, if they overtook its second greeting
  };

  /// Start looking for the peer (or go on), the first attempt at `first_attempt`.
  void want(Instant first_attempt);
  /// Give everything up: half a pair, attempts, newcomers.
  void stop(const std::string& reason);
  [[nodiscard]] bool wanted() const { return wanted_; }
  /// The finished pair, once; the sockets then belong to the session.
  std::optional<Pair> take_pair();

  void connected(SocketId socket);
  void accepted(SocketId socket);
  /// True if the socket was one of ours.
  bool closed(SocketId socket);
  /// True if the socket was one of ours. Anything but a first packet closes it without harm.
  bool received(SocketId socket, const drbd::Packet& packet);

  /// While a session stands: a peer that connects anew has lost it, unless a PING on the old one is answered.
  [[nodiscard]] bool newcomer_waits() const;
  void refuse_newcomers();
  /// A meta socket that crossed with the one that we opened, with which our session is beginning: the peer has let go
  /// of ours. Not one of a peer that begins anew: it would get packets of the old session before it has agreed to any.
  std::optional<SocketId> take_newer_meta();

  void tick();
  [[nodiscard]] Instant deadline() const;

 private:
  struct Half {
    SocketId socket = 0;
    bool outgoing = false;
    std::optional<drbd::Packet> early{};
  };
  struct Newcomer {
    SocketId socket;
    Instant give_up;
    std::optional<drbd::Socket> kind{};  ///< known from its first packet, kept until the old session is decided
  };

  [[nodiscard]] bool greater() const { return core_.config.self > core_.config.peer; }
  [[nodiscard]] Duration jittered(Duration duration);
  std::optional<Half>& half(drbd::Socket kind) { return kind == drbd::Socket::Data ? data_ : meta_; }
  void attempt();
  void place(SocketId socket, drbd::Socket kind, bool outgoing);
  void close(SocketId socket, const char* reason);
  void use(SocketId socket, drbd::Socket kind);
  void give_up_on_newcomers();
  void restart_if_stuck();
  bool keep_early(SocketId socket, const drbd::Packet& packet);

  Core& core_;
  bool wanted_ = false;
  std::optional<Half> data_;
  std::optional<Half> meta_;
  bool outgoing_data_ = false;  ///< of the pair that was taken last
  bool outgoing_meta_ = false;
  std::optional<SocketId> connecting_;
  Instant connecting_until_ = never;
  Instant next_attempt_ = never;
  Instant half_until_ = never;  ///< a pair with one socket only is given up then
  std::vector<Newcomer> newcomers_;
  SocketId next_socket_ = 1;
};

}  // namespace bascule::replication::detail
