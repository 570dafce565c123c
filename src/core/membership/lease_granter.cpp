#include "core/membership/lease_granter.h"

#include <algorithm>

#include "core/membership/lease_names.h"

namespace bascule::membership {
namespace {

/// Two clocks of 500 ppm in opposite directions run apart by a thousandth of the lease, and then something for
/// rounding.
Duration drift_of(Duration lease) { return lease / 500 + milliseconds(1); }

}  // namespace

LeaseGranter::LeaseGranter(const config::Timing& timing)
    : heartbeat_(timing.heartbeat),
      ample_(timing.leases_are_ample()),
      lease_(timing.lease),
      margin_(timing.lease_margin) {}

Duration LeaseGranter::lease_of(const std::string& node, const store::ClusterState& state) const {
  const auto known = state.nodes.find(node);
  if (known == state.nodes.end()) return lease_;
  return std::max(lease_, Duration(milliseconds(static_cast<std::int64_t>(known->second.restart_lease_ms))));
}

void LeaseGranter::lead(std::uint64_t term, Instant elected_at) {
  if (term_ == term) return;
  follow();
  term_ = term;
  elected_at_ = elected_at;
}

void LeaseGranter::follow() {
  term_.reset();
  told_.clear();
  withheld_.clear();
  shot_at_.clear();
  proven_off_.clear();
}

std::optional<message::LeaseGrant> LeaseGranter::answer(const message::LeaseRequest& request, Instant received_at,
                                                        const store::ClusterState& state, bool state_is_current,
                                                        Instant leader_lease_until, Instant now) {
  if (!term_ || !state_is_current || now >= leader_lease_until) return std::nullopt;
  // Silence, not an empty grant: should the takeover fail, the node has not been told that it lost anything.
  if (withheld_.contains(request.node) || shot_at_.contains(request.node)) return std::nullopt;
  proven_off_.erase(request.node);
  auto& told = told_[request.node];
  told.received_at = std::max(told.received_at, received_at);
  message::LeaseGrant& grant = told.grant;
  grant.term = *term_;
  grant.incarnation = request.incarnation;
  grant.asked_at_ns = request.asked_at_ns;
  grant.duration_ms = to_ms(lease_of(request.node, state));
  grant.applied_index = state.applied_index;
  grant.leases = leases_of(state, request.node);
  return grant;
}

bool LeaseGranter::may_wait(const message::LeaseRequest& request, const store::ClusterState& state) const {
  const auto told = told_.find(request.node);
  if (!ample_ || told == told_.end()) return false;
  const message::LeaseGrant& last = told->second.grant;
  // Unsigned, as it comes from outside; a question older than the last one is answered at once too.
  const auto since_ns = static_cast<std::uint64_t>(request.asked_at_ns) - static_cast<std::uint64_t>(last.asked_at_ns);
  const auto in_time_ns = static_cast<std::uint64_t>(Duration(5 * heartbeat_ / 2).count());
  return last.incarnation == request.incarnation && last.duration_ms == to_ms(lease_of(request.node, state)) &&
         since_ns < in_time_ns && last.leases == leases_of(state, request.node);
}

Instant LeaseGranter::lease_over_at(const std::string& node, const store::ClusterState& state) const {
  if (!term_) return never;
  const auto told = told_.find(node);
  const Instant last = told == told_.end() ? elected_at_ : std::max(elected_at_, told->second.received_at);
  if (proven_off_.contains(node)) return elected_at_;
  const Duration lease = lease_of(node, state);
  return last + lease + std::max(margin_, drift_of(lease));
}

bool LeaseGranter::lease_certainly_over(const std::string& node, const store::ClusterState& state, Instant now) const {
  return term_ && now >= lease_over_at(node, state);
}

bool LeaseGranter::begin_takeover(const std::string& node, const store::ClusterState& state, Instant now) {
  if (!lease_certainly_over(node, state, now)) return false;
  withheld_.insert(node);
  return true;
}

void LeaseGranter::end_takeover(const std::string& node) { withheld_.erase(node); }

void LeaseGranter::begin_fencing(const std::string& node) { shot_at_.insert(node); }

void LeaseGranter::end_fencing(const std::string& node, bool proven) {
  shot_at_.erase(node);
  if (proven && term_) proven_off_.insert(node);
}

}  // namespace bascule::membership
