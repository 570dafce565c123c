#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "runtime/sim/replication/checker.h"
#include "runtime/sim/replication/replica.h"

namespace bascule::sim {

/// Whoever uses a volume on one of its two nodes: numbered writes, discards, reads and flushes; what it is told goes to
/// the checker.
class Application {
 public:
  /// Of a volume: requests and stamps are numbered over both nodes and all starts.
  struct Numbers {
    std::uint64_t next_request = 1;
    std::uint64_t next_stamp = 1;
  };
  struct Counts {
    std::uint64_t reads = 0, flushes = 0, zeroings = 0;
  };
  /// What is true when an answer comes, as far as the checker has to know it.
  struct Facts {
    std::uint64_t epoch = 0;
    bool lease_valid = true;
    bool own_disk = true;  ///< is in use
    bool on_peer = false;  ///< the protocol says that the peer has it, and the peer may be promoted
    bool durable_on_peer = false;
  };

  /// All outlive it.
  Application(Replica& replica, ReplicationChecker& checker, Numbers& numbers, Counts& counts)
      : replica_(replica), checker_(checker), numbers_(numbers), counts_(counts) {}

  /// One request, drawn at random; nothing when too many of its kind are open.
  void submit_one();
  void submit_flush();
  /// The answer of the engine, if it is one to this application. True: it succeeded.
  bool completed(const replication::effect::Complete& effect, const Facts& facts);
  /// All that is open is over: the process that had it has ended.
  void forget();
  /// A write of this node leaves for its disk.
  void begun(std::uint64_t sector, const Replica::Stamps& stamps);

  [[nodiscard]] bool reads(replication::RequestId request) const { return open_reads_.contains(request); }
  /// Of an open write with data.
  [[nodiscard]] std::optional<std::uint64_t> stamp_of(replication::RequestId request) const;
  [[nodiscard]] std::size_t open_writes() const { return open_writes_.size(); }
  [[nodiscard]] std::size_t open_flushes() const { return open_flushes_.size(); }
  [[nodiscard]] std::size_t open_reads() const { return open_reads_.size(); }
  [[nodiscard]] bool idle() const { return open_writes_.empty() && open_flushes_.empty() && open_reads_.empty(); }
  [[nodiscard]] bool zeroes() const { return !open_zeroings_.empty(); }

 private:
  struct OpenZeroing {
    std::uint64_t sector, sectors, stamp;
  };
  struct OpenRead {
    replication::BufferId buffer;
    std::uint64_t sector;
    Replica::Stamps floor;  ///< what it must show at least
  };
  void submit_read();
  void submit_write();
  Prng& prng() { return replica_.scheduler.prng(); }

  Replica& replica_;
  ReplicationChecker& checker_;
  Numbers& numbers_;
  Counts& counts_;
  std::map<replication::RequestId, std::uint64_t> open_writes_;  ///< request -> stamp
  std::set<replication::RequestId> fua_;
  std::set<replication::RequestId> open_flushes_;
  std::map<replication::RequestId, OpenZeroing> open_zeroings_;  ///< also in open_writes_
  std::map<replication::RequestId, OpenRead> open_reads_;
};

}  // namespace bascule::sim
