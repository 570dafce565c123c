#include <algorithm>

#include "core/transition/detail/state.h"

namespace bascule::transition {

using enum ServiceStateName;

/// The next moment at which a Tick could make a rule true; later than the last step() unless a rule is overdue.
Instant ServiceRunner::State::next_deadline() const {
  if (first_seen == never) return Instant{};  // nothing was probed yet: at once
  Instant next = never;
  const auto consider = [&](bool applies, Instant at) {
    if (applies && at > now) next = std::min(next, at);
  };
  consider(name == Unknown && !probed, later(first_seen, probe_volume_wait));
  consider(name == Unknown && probes_done, adopt_by);
  consider(in({Promoting, Starting, Started, Blocked, Stopping}) || (name == Unknown && run), run_lease_end);
  consider(name == Starting, next_start);
  consider(name == Blocked, next_block_record);
  consider(name == Held, hold_until());
  consider(name == Stopping, kill_at());
  consider(name == Promoting, next_promote);
  consider(name == Promoting && promote_since != never && !volume.refusal.empty(),
           later(promote_since, promote_patience));
  consider(volume_lost_at != never && name != Killing, later(volume_lost_at, volume_lost_grace));
  consider(demote_since != never, next_demote);
  consider(demote_since != never && name == Stopping, later(demote_since, demote_patience));
  consider(name == Killing && !killing.unmount_asked, later(killing.since, kill_patience));
  consider(releasing.has_value() && in({Stopped, Failed}), next_release);
  consider(name == Stopped && waited, lease.end);
  consider(restarting != 0 && name == Started, next_release);
  if (name == Started) {
    for (const StepRun& step : steps)
      for (const Instant next_monitor : step.next_monitors) consider(!step.action, next_monitor);
  }
  for (const auto& [id, pending] : actions) consider(name != Killing, pending.overdue);
  return next;
}

}  // namespace bascule::transition
