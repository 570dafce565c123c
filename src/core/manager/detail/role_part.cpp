// A promotable copy and its Promoted role are two machines with one agent: their actions do not run beside each other,
// and the copy is neither stopped nor started under the role. With notifications these are actions of the same agent.

#include <algorithm>

#include "core/agents/notification.h"
#include "core/agents/ocf.h"
#include "core/manager/detail/state.h"

namespace bascule::manager {

namespace {

bool is_monitor(const std::string& operation) { return operation == "monitor"; }

/// Nothing of the role is there that a stop of its copy would break.
bool role_is_down(const std::string& state) { return state == "Stopped" || state == "Failed"; }

}  // namespace

/// The other machine of the same agent on this node, or null.
Manager::State::Runner* Manager::State::partner_of(const Runner& runner) {
  const auto& definition = runner.definition;
  if (!definition.is_role && !definition.promotable) return nullptr;
  for (auto& other : runners) {
    if (definition.promotable && other.definition.is_role && other.name == definition.copy->of) return &other;
    if (definition.is_role && other.definition.promotable && other.definition.copy->of == runner.name) return &other;
  }
  return nullptr;
}

/// Of notifications only for one that runs: however many come, none of them makes an action late twice. Whoever may no
/// longer have what it has does not wait for any.
bool Manager::State::action_has_to_wait(const Runner& runner, const std::string& operation) {
  const auto* partner = partner_of(runner);
  const bool hurry = runner.definition.notify && is_in_a_hurry(runner, operation);
  const auto is_of_partner = [&](const std::string& name) { return partner != nullptr && name == partner->name; };
  for (const auto& [key, other] : under_way) {
    const bool of_agent = key.first == runner.name || is_of_partner(key.first);
    if (other == "notify" ? of_agent && !hurry
                          : is_of_partner(key.first) && !(is_monitor(operation) && is_monitor(other)))
      return true;
  }
  for (const auto& round : notify.rounds)
    if (!hurry && !is_monitor(operation) && is_of_partner(round.runner)) return true;
  if (partner == nullptr) return false;
  return runner.definition.promotable && !is_monitor(operation) && !role_is_down(partner->machine->report().state);
}

void Manager::State::begin_action(Runner& runner, const transition::effect::RunAction& action) {
  if (partner_of(runner) == nullptr && !runner.definition.notify)
    return void(out->push_back(effect::RunAction{runner.name, action}));
  if (action_has_to_wait(runner, action.operation)) return deferred.push_back({runner.name, action});
  if (!is_notified(runner, action)) return run_action(runner, action);
  if (!is_in_a_hurry(runner, action.operation)) return begin_round(runner, action);
  auto with_lists = action;
  with_lists.environment = agents::operation_environment(notice_about(runner, action));
  run_action(runner, with_lists);
}

void Manager::State::run_action(const Runner& runner, const transition::effect::RunAction& action) {
  under_way[{runner.name, action.action}] = action.operation;
  out->push_back(effect::RunAction{runner.name, action});
}

/// Something of its agent runs, perhaps for its role.
bool Manager::State::is_busy(const Runner& runner) {
  const auto* partner = partner_of(runner);
  return std::any_of(under_way.begin(), under_way.end(), [&](const auto& one) {
    return one.first.first == runner.name || (partner != nullptr && one.first.first == partner->name);
  });
}

/// What is no longer promoted may not run at all: its copy looks at once, so that it is not promoted again in vain.
void Manager::State::action_ended(const std::string& name, const transition::input::ActionDone& done) {
  const auto found = under_way.find({name, done.action});
  if (found == under_way.end()) return;
  const bool looked = is_monitor(found->second);
  under_way.erase(found);
  auto* runner = find_runner(name);
  if (runner == nullptr || !runner->definition.is_role || !looked) return;
  if (agents::found_promoted(done.return_code) == agents::Found::running) return;
  if (auto* copy = partner_of(*runner)) step_runner(*copy, transition::input::ProcessesExited{});
}

/// What had not begun is answered as if it had been killed: its machine waits for that.
void Manager::State::cancel_deferred(const std::string& runner) {
  for (const auto& one : deferred)
    if (one.runner == runner) never_begun.push_back(one);
  std::erase_if(deferred, [&](const Deferred& one) { return one.runner == runner; });
  cut_rounds_short(runner);
}

void Manager::State::forget_actions(const std::string& runner) {
  std::erase_if(deferred, [&](const Deferred& one) { return one.runner == runner; });
  std::erase_if(never_begun, [&](const Deferred& one) { return one.runner == runner; });
  std::erase_if(under_way, [&](const auto& one) { return one.first.first == runner; });
  forget_notices(runner);
}

void Manager::State::begin_deferred() {
  while (!never_begun.empty()) {
    const auto one = never_begun.front();
    never_begun.erase(never_begun.begin());
    if (auto* runner = find_runner(one.runner))
      step_runner(*runner, transition::input::ActionDone{one.action.action, -1, "it had not begun", {}, {}});
  }
  std::vector<Deferred> waiting_actions;
  waiting_actions.swap(deferred);
  for (const auto& one : waiting_actions)
    if (auto* runner = find_runner(one.runner)) begin_action(*runner, one.action);
}

/// Who is killed for the role's sake dies with the copy that has it.
void Manager::State::kill_cgroup(Runner& runner) {
  out->push_back(effect::KillCgroup{runner.name});
  const auto* partner = runner.definition.is_role ? partner_of(runner) : nullptr;
  if (partner != nullptr) out->push_back(effect::KillCgroup{partner->name});
}

}  // namespace bascule::manager
