#pragma once

#include <array>
#include <map>
#include <memory>
#include <vector>

#include "runtime/sim/replication/replica.h"

namespace bascule::sim {

/// The TCP connections between the two replicas of a volume. Every packet goes through its codec.
class PairLink {
 public:
  using SocketId = Replica::SocketId;
  using Stamps = Replica::Stamps;

  /// Both outlive the link, which makes itself known to them.
  PairLink(Scheduler& scheduler, ReplicaWorld& world, std::array<Replica*, 2> replicas);

  void connect(Replica& from, SocketId socket);
  void close(Replica& replica, SocketId socket);
  void use_wire(Replica& replica, const replication::effect::UseWire& effect);
  void send(Replica& replica, const replication::effect::Send& effect, Stamps payload);

  /// All connections end; `tell`: each side hears of it, after a while.
  void kill(bool tell);
  /// Nothing arrives before `until`.
  void stall(WorldTime until);
  /// After the end of a replica: it has no sockets any more.
  void forget_sockets(std::size_t replica) { sockets_[replica].clear(); }
  [[nodiscard]] std::uint64_t packets_under_way() const { return packets_under_way_; }
  /// A connection that does not carry anything any more, although one side believes in it.
  [[nodiscard]] bool anybody_believes_in_a_dead_one() const;

 private:
  /// One TCP connection. `ends[0]` opened it.
  struct Tcp {
    struct End {
      std::size_t replica;
      std::uint32_t life;
      SocketId socket;
      bool known = false;  ///< the engine has heard of it
      bool closed = false;
      drbd::Socket kind = drbd::Socket::Data;
      drbd::WireOptions options{};
    };
    std::array<End, 2> ends;
    std::array<WorldTime, 2> last_arrival{};
    bool dead = false;  ///< nothing arrives any more
  };

  [[nodiscard]] static std::size_t end_of(const Tcp& tcp, const Replica& replica, SocketId socket);
  [[nodiscard]] std::shared_ptr<Tcp> find(const Replica& replica, SocketId socket) const;
  void transmit(const std::shared_ptr<Tcp>& tcp, std::size_t from, Bytes bytes, Stamps payload);
  void deliver(const std::shared_ptr<Tcp>& tcp, std::size_t to, const Bytes& bytes, Stamps payload);
  void report_closed(const std::shared_ptr<Tcp>& tcp, std::size_t end, Duration delay);
  Prng& prng() { return scheduler_.prng(); }
  Duration between(Duration low, Duration high) { return Duration{prng().between(low.count(), high.count())}; }

  Scheduler& scheduler_;
  ReplicaWorld& world_;
  std::array<Replica*, 2> replicas_;
  std::array<std::map<SocketId, std::shared_ptr<Tcp>>, 2> sockets_;
  std::vector<std::shared_ptr<Tcp>> connections_;
  std::uint64_t packets_under_way_ = 0;
};

}  // namespace bascule::sim
