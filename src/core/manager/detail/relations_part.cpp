// Services that come after others: what this node goes by between two plans.

#include <algorithm>

#include "core/manager/detail/state.h"
#include "core/ownership/relations.h"

namespace bascule::manager {

/// As this node sees it now; of itself it knows more than its last report said.
void Manager::State::with_present_view(const std::function<void(const ownership::Snapshot&)>& look) const {
  message::NodeReport own;
  for (const auto& runner : runners)
    if (!runner.by_hand) own.services.push_back(runner.machine->report());
  auto views = node_views();
  views[self->name].report = &own;
  look({config, store.state(), self->name, false, true, now, std::move(views)});
}

bool Manager::State::has_relations() const {
  return std::any_of(config.services.begin(), config.services.end(),
                     [](const config::Service& service) { return !service.after.empty(); });
}

/// What is before it runs, or does not; and nothing that comes after it runs when it is restarted in place.
void Manager::State::add_relations(const Runner& runner, transition::input::Ownership& ownership) const {
  const bool concerned = !runner.definition.after.empty() || ownership.restart != 0;
  if (runner.by_hand || !concerned || !has_relations()) return;
  with_present_view([&](const ownership::Snapshot& snapshot) {
    const auto gate = ownership::gate(snapshot, runner.definition, self->name);
    ownership.waits_for = gate.waits_for;
    ownership.pause = gate.pause;
    if (ownership.restart != 0 && !ownership::others_are_down(snapshot, runner.definition)) ownership.restart = 0;
  });
}

/// Another report came, or a machine of ours went on.
void Manager::State::relations_may_have_changed() {
  if (has_relations()) tell_ownership();
}

/// At once: what waits for it, here or elsewhere, need not wait for the next heartbeat as well.
void Manager::State::tell_what_went_on() {
  if (!runner_went_on) return;
  for (int round = 0; runner_went_on && round < 8; ++round) {
    runner_went_on = false;
    relations_may_have_changed();
  }
  if (has_relations()) send_report();
}

/// Nobody else may run it, and no watchdog has to see to it.
bool Manager::State::keeps_without_quorum(const std::string& lease) const {
  return std::any_of(runners.begin(), runners.end(), [&](const Runner& runner) {
    return runner.definition.keeps_without_quorum && runner.slot() == lease;
  });
}

}  // namespace bascule::manager
