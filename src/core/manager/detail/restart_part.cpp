// A restart on purpose: the leases are made to last until the next start of this manager, and a takeover waits as long.

#include <algorithm>

#include "core/manager/detail/state.h"
#include "core/membership/lease_names.h"

namespace bascule::manager {

namespace {
constexpr Duration propose_again_after = seconds(1);
constexpr Duration transfer_wait = milliseconds(500);
}  // namespace

const store::NodeState& Manager::State::own_state() const {
  static const store::NodeState unknown;
  const auto found = store.state().nodes.find(self->name);
  return found == store.state().nodes.end() ? unknown : found->second;
}

void Manager::State::prepare_restart() {
  if (!restart) restart.emplace();
}

/// The entry in the log comes before the first longer lease: so each later leader knows how long to wait. It must be
/// this very proposal: an end of longer leases that an earlier start of this manager asked for may still be on its way,
/// and only the version that this one made refuses it.
void Manager::State::restart_proposal_applied(const message::Proposal& proposal, bool accepted) {
  if (!restart || proposal.id != restart->proposal) return;
  if (!accepted) return void(restart->ask_again = now);
  restart->agreed = true;
  holder.prepare_restart();
  next_heartbeat = now;
}

void Manager::State::restart_when_ready() {
  if (!restart) return end_restart_leases();
  if (restart->ready) return;
  const auto lease_ms = static_cast<std::uint64_t>(to_ms(config.timing.restart_lease));
  // Also where nothing is owned: the others must not take the replica for lost.
  const bool has_data = self->role == config::NodeRole::data;
  if (has_data && !restart->agreed && now >= restart->ask_again) {
    restart->ask_again = now + propose_again_after;
    restart->proposal = prng.next();
    propose(restart->proposal, message::SetRestartLease{self->name, own_state().restart_version, lease_ms});
  }
  if ((has_data && !(restart->agreed && leases_outlast_a_restart())) || !another_leads()) return;
  restart->ready = true;
  out->push_back(effect::RestartReady{});
}

bool Manager::State::leases_outlast_a_restart() const {
  const auto owned = membership::leases_of(store.state(), self->name);
  return std::all_of(owned.begin(), owned.end(), [&](const message::GrantedLease& lease) {
    const auto end = holder.end_of(lease.name, lease.epoch);
    return end && *end > now + config.timing.restart_lease / 2;
  });
}

/// A leader hands over first: the cluster would miss it for an election.
bool Manager::State::another_leads() {
  if (!is_leader() || now >= restart->give_up_leading) return true;
  if (restart->give_up_leading != never) return false;
  restart->give_up_leading = now + transfer_wait;
  const auto heir = std::find_if(config.nodes.begin(), config.nodes.end(), [&](const config::Node& node) {
    return node.id != self->id && node.votes() && liveness.presence(node.name, now) == membership::Presence::online;
  });
  if (heir == config.nodes.end()) return true;
  step_consensus(consensus::TransferLeadership{heir->id});
  return false;
}

/// What was leased to an earlier start of this manager was asked for before this one began.
void Manager::State::end_restart_leases() {
  const auto& own = own_state();
  const auto lease = milliseconds(static_cast<std::int64_t>(own.restart_lease_ms));
  if (own.restart_lease_ms == 0 || now < started_at + lease || now < end_restart_leases_at) return;
  end_restart_leases_at = now + propose_again_after;
  propose(message::SetRestartLease{self->name, own.restart_version, 0});
}

}  // namespace bascule::manager
