// The leader's decisions.

#include <algorithm>

#include "core/decisions/record.h"
#include "core/manager/detail/state.h"

namespace bascule::manager {

namespace {
constexpr Duration plan_again_after = milliseconds(5);  // a decision on its way must not make this loop spin
}

std::map<std::string, ownership::NodeView> Manager::State::node_views() const {
  std::map<std::string, ownership::NodeView> views;
  for (const auto& node : config.nodes) {
    const auto presence = liveness.presence(node.name, now);
    ownership::NodeView view;
    view.online = presence != membership::Presence::lost;
    view.lost = presence == membership::Presence::lost;
    view.age = liveness.age(node.name, now);
    view.lease_certainly_over = granter.lease_certainly_over(node.name, store.state(), now);
    view.lease_over_at = granter.lease_over_at(node.name, store.state());
    view.report = liveness.newest_report(node.name);
    views.emplace(node.name, view);
  }
  return views;
}

ownership::Snapshot Manager::State::observed() const {
  const bool leader_known = raft.leadership().leader != 0;
  return {config, store.state(), self->name, may_decide(), leader_known, now, node_views()};
}

ownership::Plan Manager::State::make_plan() const { return ownership::plan(observed()); }

void Manager::State::plan_when_due() {
  if (!may_decide() || (!plan_dirty && now < plan_at)) return;
  plan_dirty = false;
  tell_lease_ends();
  const auto snapshot = observed();
  const auto plan = ownership::plan(snapshot);
  plan_at = std::clamp(plan.plan_again, now + plan_again_after, now + seconds(1));
  decide(snapshot, plan);
}

/// Decisions are taken one round at a time: while any is on its way, the state it was taken on is about to change.
void Manager::State::decide(const ownership::Snapshot& snapshot, const ownership::Plan& plan) {
  for (const auto& [id, entry] : pending)
    if (entry.decision) return;
  if (plan.decisions.empty()) return;
  keep_decision(snapshot, plan);
  for (const auto& decision : plan.decisions) {
    if (decision.takes_over_from && !granter.begin_takeover(*decision.takes_over_from, store.state(), now)) continue;
    Pending entry;
    entry.proposal = {prng.next(), self->name, decision.command};
    if (auto* grant = std::get_if<message::GrantOwnership>(&entry.proposal.command))
      grant->configuration = store.state().configuration();
    entry.decision = true;
    entry.lost = decision.takes_over_from.value_or("");
    entry.give_up = never;
    submit(std::move(entry));
  }
}

void Manager::State::keep_decision(const ownership::Snapshot& snapshot, const ownership::Plan& plan) {
  const auto state = store.brief();
  const decisions::Circumstances circumstances{raft.leadership().term, wall_now_ms(), agreed_text, state};
  out->push_back(effect::KeepDecision{decisions::write(snapshot, plan, circumstances)});
}

/// The story tells once when a lost owner's lease has certainly ended.
void Manager::State::tell_lease_ends() {
  for (const auto& node : config.nodes) {
    if (liveness.presence(node.name, now) != membership::Presence::lost) continue;
    if (!granter.lease_certainly_over(node.name, store.state(), now) || !told_lease_over.insert(node.name).second)
      continue;
    story("lease-ended", node.name, "whatever " + node.name + " was leased has certainly ended");
    tell_copies_of_lost(node.name);
  }
}

}  // namespace bascule::manager
