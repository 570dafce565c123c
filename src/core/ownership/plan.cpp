// The rules applied to each volume and service.
#include "core/ownership/plan.h"

#include <algorithm>

#include "core/ownership/detail/relations.h"
#include "core/ownership/detail/summary.h"

namespace bascule::ownership {
namespace {

Explanation take(detail::Outcome&& outcome, bool may_decide, Plan& plan) {
  if (outcome.decision && may_decide) plan.decisions.push_back(std::move(*outcome.decision));
  plan.plan_again = std::min(plan.plan_again, outcome.plan_again);
  return std::move(outcome.explanation);
}

}  // namespace

Plan plan(const Snapshot& snapshot) {
  detail::View view(snapshot);
  Plan plan;
  for (const auto& volume : snapshot.config.volumes)
    plan.volumes[volume.name] = take(decide(view, volume), snapshot.may_decide, plan);
  for (auto& [name, outcome] : detail::decide_services(view))
    plan.services[name] = take(std::move(outcome), snapshot.may_decide, plan);
  summarise(view, plan);
  return plan;
}

}  // namespace bascule::ownership
