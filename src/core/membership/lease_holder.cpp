#include "core/membership/lease_holder.h"

#include <algorithm>

#include "core/membership/lease_names.h"

namespace bascule::membership {

namespace {
constexpr Duration idle_pace = seconds(1);
}  // namespace

LeaseHolder::LeaseHolder(std::string node, std::uint64_t incarnation, const config::Timing& timing)
    : node_(std::move(node)),
      incarnation_(incarnation),
      heartbeat_(timing.heartbeat),
      ample_(timing.leases_are_ample()),
      lease_(timing.lease),
      restart_lease_(timing.restart_lease) {}

std::optional<message::LeaseRequest> LeaseHolder::tick(Instant now) {
  // The answer comes with the leader's next heartbeat, so with the second one it is late.
  const bool answered = newest_answered_ && now < *newest_answered_ + 5 * heartbeat_ / 2;
  if (now < next_ask_ && (answered || owned_.empty())) return std::nullopt;
  return ask(now);
}

message::LeaseRequest LeaseHolder::ask(Instant now) {
  next_ask_ = now + (owned_.empty() ? idle_pace : ample_ ? 3 * heartbeat_ / 2 : heartbeat_ / 2);
  while (!asked_.empty() && asked_.front() + lease_ <= now) asked_.pop_front();
  if (asked_.empty() || asked_.back() != now) asked_.push_back(now);
  return {node_, incarnation_, to_ns(now)};
}

void LeaseHolder::observe(const store::ClusterState& state) {
  std::map<std::string, Owned> owned;
  for (const auto& lease : leases_of(state, node_)) {
    const auto known = owned_.find(lease.name);
    const bool same = known != owned_.end() && known->second.epoch == lease.epoch;
    if (!same) ask_anew();
    owned[lease.name] = same ? known->second : Owned{lease.epoch, state.applied_index, false};
  }
  owned_ = std::move(owned);
}

void LeaseHolder::release(const std::string& name, std::uint64_t epoch) {
  auto& highest = released_[name];
  highest = std::max(highest, epoch);
  if (const auto held = leases_.find(name); held != leases_.end() && held->second.epoch <= highest) leases_.erase(held);
}

void LeaseHolder::forget(const std::string& name) { leases_.erase(name); }

void LeaseHolder::take_up(const std::string& name, std::uint64_t epoch) {
  const auto released = released_.find(name);
  if (released == released_.end() || epoch > released->second) return;
  released_.erase(released);
  ask_anew();
}

std::string LeaseHolder::reason_to_ignore(const message::LeaseGrant& grant, Instant now) const {
  if (grant.incarnation != incarnation_) return "it answers an earlier start of this node";
  if (grant.term < newest_term_) return "it is of an earlier term";
  const auto asked_at = instant_from_ns(grant.asked_at_ns);
  if (std::find(asked_.begin(), asked_.end(), asked_at) == asked_.end()) return "it answers no request of ours";
  if (asked_at > now) return "it answers a request of the future";
  if (grant.duration_ms <= 0) return "it lasts no time";
  return {};
}

LeaseHolder::Outcome LeaseHolder::grant(const message::LeaseGrant& grant, Instant now) {
  Outcome outcome;
  outcome.ignored = reason_to_ignore(grant, now);
  if (!outcome.ignored.empty()) return outcome;
  newest_term_ = grant.term;
  const auto asked_at = instant_from_ns(grant.asked_at_ns);
  // Compared in milliseconds first: a duration that was made up must not overflow.
  const Duration duration = grant.duration_ms >= to_ms(lease_) ? lease_ : Duration(milliseconds(grant.duration_ms));
  for (const auto& lease : grant.leases) extend(lease, asked_at + duration, outcome);
  const bool newest = !newest_answered_ || asked_at >= *newest_answered_;
  if (newest) {
    newest_answered_ = asked_at;
    find_revoked(grant, outcome);
  }
  return outcome;
}

void LeaseHolder::extend(const message::GrantedLease& lease, Instant end, Outcome& outcome) {
  if (const auto released = released_.find(lease.name); released != released_.end() && lease.epoch <= released->second)
    return;
  auto& held = leases_[lease.name];
  const bool fresh = held.name.empty() || lease.epoch > held.epoch;
  if (!fresh && (lease.epoch < held.epoch || end <= held.end)) return;
  held = {lease.name, lease.epoch, end};
  outcome.extended.push_back(held);
}

void LeaseHolder::find_revoked(const message::LeaseGrant& grant, Outcome& outcome) {
  for (auto& [name, owned] : owned_) {
    const bool listed = std::any_of(grant.leases.begin(), grant.leases.end(), [&](const auto& lease) {
      return lease.name == name && lease.epoch == owned.epoch;
    });
    if (listed || owned.revoked || grant.applied_index < owned.since_index) continue;
    owned.revoked = true;
    outcome.revoked.push_back({name, owned.epoch});
  }
}

std::optional<Instant> LeaseHolder::end_of(const std::string& name, std::uint64_t epoch) const {
  const auto held = leases_.find(name);
  if (held == leases_.end() || held->second.epoch != epoch) return std::nullopt;
  return held->second.end;
}

std::vector<HeldLease> LeaseHolder::leases() const {
  std::vector<HeldLease> all;
  for (const auto& [name, lease] : leases_) all.push_back(lease);
  return all;
}

}  // namespace bascule::membership
