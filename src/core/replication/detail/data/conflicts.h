#pragma once

#include "core/replication/detail/data/writes.h"

namespace bascule::replication::detail {

/// Two primaries writing the same blocks at once (protocol facts, section 7, two primaries). The node that accepted the
/// meta socket decides: its own write stays, the peer's is superseded or made again. The other one waits for that
/// decision. So that the deciding node knows which of its writes the peer had seen, it first waits for everything that
/// the peer sent before (the sequence shared by data and acks).
class Conflicts {
 public:
  enum class Ruling : std::uint8_t {
    Write,       ///< nothing is against it
    Wait,        ///< not to be decided yet
    Superseded,  ///< a write of this node covers all of it
    Retry        ///< a write of this node overlaps it
  };
  Conflicts(Core& core, Writes& writes) : core_(core), writes_(writes) {}

  [[nodiscard]] bool decides() const {
    return core_.primary() && core_.two_primaries() && core_.session.resolve_conflicts;
  }
  /// Everything that the peer sent before this number has been seen.
  [[nodiscard]] bool is_next(std::uint32_t sequence) const {
    return static_cast<std::int32_t>(core_.session.peer_sequence - (sequence - 1)) >= 0;
  }
  /// What becomes of a write of the peer.
  [[nodiscard]] Ruling rule(const Range& range) const;

 private:
  Core& core_;
  Writes& writes_;
};

}  // namespace bascule::replication::detail
