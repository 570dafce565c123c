#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/prng.h"
#include "runtime/sim/liar/victim.h"

namespace bascule::sim {

/// What a lie may use: what the engine said truthfully in this session.
struct Heard {
  std::vector<drbd::Data> writes;             ///< not acknowledged yet
  std::vector<drbd::Barrier> barriers;        ///< not acknowledged yet
  std::vector<drbd::ResyncRequest> requests;  ///< not answered yet
};

/// One untrue packet: bytes on one of the sockets.
struct Lie {
  drbd::Socket kind = drbd::Socket::Data;
  Bytes bytes;
};

/// A kind of lie. `tell` gives nothing when the situation does not allow it.
struct LieKind {
  const char* name;
  std::optional<Lie> (*tell)(const Victim& victim, const Heard& heard, Prng& prng);
};

/// Each of these must end the connection, with a reason.
const std::vector<LieKind>& lies();

/// A true packet with some of its bytes changed; it may still be a possible packet.
Lie garbled(const Victim& victim, Prng& prng);

}  // namespace bascule::sim
