#include "core/replication/detail/data/conflicts.h"

#include "core/replication/detail/data/write_rules.h"

namespace bascule::replication::detail {

Conflicts::Ruling Conflicts::rule(const Range& range) const {
  if (!core_.primary() || !core_.two_primaries()) return Ruling::Write;
  Ruling ruling = Ruling::Write;
  for (const WriteEntry* own : writes_.under_way_in(range)) {
    // The deciding node waits only for its disk: what the peer has acknowledged it had before it sent this.
    if (!core_.session.resolve_conflicts || !remote_pending(*own)) {
      if (ruling == Ruling::Write) ruling = Ruling::Wait;
      continue;
    }
    if (own->range.contains(range)) return Ruling::Superseded;
    ruling = Ruling::Retry;
  }
  return ruling;
}

}  // namespace bascule::replication::detail
