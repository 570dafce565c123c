// Services with `notify`: an operation of a copy here waits until the copies everywhere have heard that it will be
// done, and its result until they have heard that it was.

#include <algorithm>

#include "core/agents/notification.h"
#include "core/agents/ocf.h"
#include "core/manager/detail/state.h"

namespace bascule::manager {

namespace {

using Phase = NotifyRound::Phase;

constexpr Duration answer_slack = seconds(1);  // on top of the agent's own time, for monitors that were under way

bool begins_something(const std::string& operation) { return operation == "start" || operation == "promote"; }
bool ends_something(const std::string& operation) { return operation == "stop" || operation == "demote"; }

bool has_succeeded(const std::string& operation, int return_code) {
  // What does not run at all is not promoted either.
  if (operation == "demote" && return_code == agents::ocf::not_running) return true;
  return agents::severity(begins_something(operation) ? "start" : "stop", return_code) == agents::Severity::success;
}

}  // namespace

bool Manager::State::is_notified(const Runner& runner, const transition::effect::RunAction& action) const {
  return runner.definition.notify && (begins_something(action.operation) || ends_something(action.operation)) &&
         runner.definition.steps.at(action.step_index).standard == "ocf";
}

bool Manager::State::has_lease(const Runner& runner) const {
  if (runner.definition.keeps_without_quorum) return true;
  return runner.lease.epoch == runner.machine->report().epoch && now < runner.lease.end;
}

/// Who has no right to what it has does not wait until it was told of.
bool Manager::State::is_in_a_hurry(const Runner& runner, const std::string& operation) const {
  return ends_something(operation) && (runner.machine->report().state == "Killing" || !has_lease(runner));
}

/// Under which name the copies hear of it, and which copy it is about.
message::Notice Manager::State::notice_about(const Runner& runner, const transition::effect::RunAction& action) const {
  const auto& definition = runner.definition;
  const auto written = definition.is_role ? runner.name : definition.copy->of;
  return notice_of(written, definition.steps.at(action.step_index).name, action.operation, self->name, runner.name);
}

void Manager::State::begin_round(const Runner& runner, const transition::effect::RunAction& action) {
  NotifyRound round;
  round.runner = runner.name;
  round.action = action;
  round.notice = notice_about(runner, action);
  notify.rounds.push_back(std::move(round));
  announce(notify.rounds.size() - 1, "pre");
}

/// To every data node that is there: what does not run there is answered at once. Who only starts now hears of it
/// afterwards, and who stops before.
void Manager::State::announce(std::size_t index, const std::string& type) {
  auto& round = notify.rounds[index];
  round.notice.type = type;
  round.notice.round = prng.next();
  const auto* step = step_of(round.notice);
  round.give_up = now + (step == nullptr ? Duration{} : step->notify_timeout) + answer_slack;
  round.send_again = now + 2 * config.timing.heartbeat;
  const bool is_over = type == "post" && (round.notice.operation == "stop" || round.runner.empty());
  const bool not_yet = type == "pre" && round.notice.operation == "start";
  for (const auto& node : config.nodes) {
    if (node.role != config::NodeRole::data || is_away(node.name)) continue;
    const bool is_own = std::any_of(round.notice.copies.begin(), round.notice.copies.end(),
                                    [&](const auto& copy) { return copy.acts && copy.node == node.name; });
    if (!is_own || !(is_over || not_yet)) round.waiting.insert(node.id);
  }
  const auto notice = round.notice;
  for (const auto id : std::set<std::uint32_t>(round.waiting))
    if (id != self->id) send_to(id, notice);
  if (round.waiting.contains(self->id)) hear(self->id, notice);
}

/// Also by what the log says: something was taken over from it since it was heard last.
bool Manager::State::is_away(const std::string& node) const {
  if (liveness.presence(node, now) == membership::Presence::lost) return true;
  const auto taken = notify.taken_from.find(node);
  return taken != notify.taken_from.end() && node != self->name && liveness.age(node, now) >= now - taken->second;
}

void Manager::State::notice_answered(std::uint32_t from, std::uint64_t number) {
  for (auto& round : notify.rounds)
    if (round.notice.round == number) round.waiting.erase(from);
}

/// True: the others hear of it first, and then its machine is told.
bool Manager::State::is_told_later(const std::string& name, const transition::input::ActionDone& done) {
  auto& rounds = notify.rounds;
  const auto found = std::find_if(rounds.begin(), rounds.end(), [&](const NotifyRound& round) {
    return round.runner == name && round.phase == Phase::acting && round.action.action == done.action;
  });
  if (found == rounds.end()) return false;
  if (!has_succeeded(found->notice.operation, done.return_code)) {
    rounds.erase(found);
    return false;
  }
  found->phase = Phase::after;
  found->result = done;
  announce(static_cast<std::size_t>(found - rounds.begin()), "post");
  return true;
}

/// Nothing waits longer for who is away, nor for who does not answer in time.
void Manager::State::look_after(NotifyRound& round) {
  std::erase_if(round.waiting, [&](std::uint32_t id) {
    const auto* node = config.node(id);
    return node == nullptr || is_away(node->name);
  });
  if (round.waiting.empty()) return;
  if (now >= round.give_up) {
    std::string names;
    for (const auto id : round.waiting) names += (names.empty() ? "" : ", ") + config.node(id)->name;
    story("notification-failed", round.notice.service,
          names + " did not answer in time: " + round.notice.type + " " + round.notice.operation +
              "; it goes on without");
    round.waiting.clear();
  } else if (now >= round.send_again) {
    round.send_again = now + 2 * config.timing.heartbeat;
    for (const auto id : round.waiting)
      if (id != self->id) send_to(id, round.notice);
  }
}

/// True if the round went on.
bool Manager::State::go_on(std::size_t index) {
  auto& round = notify.rounds[index];
  if (round.phase == Phase::acting) return false;
  look_after(round);
  if (round.runner.empty()) {
    if (!round.waiting.empty()) return false;
    notify.rounds.erase(notify.rounds.begin() + static_cast<std::ptrdiff_t>(index));
    return true;
  }
  auto* runner = find_runner(round.runner);
  const bool hurry = runner != nullptr && !has_lease(*runner);
  if (runner != nullptr && round.phase == Phase::before) return begin_when_all_have_heard(*runner, index);
  if (runner != nullptr && !round.waiting.empty() && !hurry) return false;
  const auto result = round.result;
  notify.rounds.erase(notify.rounds.begin() + static_cast<std::ptrdiff_t>(index));
  if (runner != nullptr && result) step_runner(*runner, *result);
  return true;
}

/// What was to begin under a lease that ended meanwhile does not begin.
bool Manager::State::begin_when_all_have_heard(Runner& runner, std::size_t index) {
  auto& round = notify.rounds[index];
  const auto& operation = round.action.operation;
  if (begins_something(operation) && !has_lease(runner)) {
    never_begun.push_back({runner.name, round.action});
    notify.rounds.erase(notify.rounds.begin() + static_cast<std::ptrdiff_t>(index));
    return true;
  }
  const bool hurry = is_in_a_hurry(runner, operation);
  if (!hurry && (!round.waiting.empty() || action_has_to_wait(runner, operation))) return false;
  round.phase = Phase::acting;
  round.waiting.clear();
  round.action.environment = agents::operation_environment(round.notice);
  run_action(runner, round.action);
  return true;
}

void Manager::State::drive_rounds() {
  for (std::size_t index = 0; index < notify.rounds.size();)
    if (go_on(index))
      index = 0;
    else
      ++index;
}

/// Its machine wants to hear now: what has not begun does not begin, what was done is told.
void Manager::State::cut_rounds_short(const std::string& runner) {
  for (auto& round : notify.rounds) {
    if (round.runner != runner) continue;
    if (round.phase == Phase::before) never_begun.push_back({runner, round.action});
    round.waiting.clear();
  }
  std::erase_if(notify.rounds,
                [&](const NotifyRound& round) { return round.runner == runner && round.phase == Phase::before; });
}

/// It was killed here, or its node is lost: the copies that are left hear of it, and nothing waits for that.
void Manager::State::tell_gone(const config::Service& service, const std::string& node) {
  if (!service.notify) return;
  const auto written = service.is_role ? service.name : service.copy->of;
  for (auto step = service.steps.rbegin(); step != service.steps.rend(); ++step) {
    if (step->standard != "ocf") continue;
    NotifyRound round;
    round.phase = Phase::after;
    round.notice = notice_of(written, step->name, service.is_role ? "demote" : "stop", node, service.name);
    notify.rounds.push_back(std::move(round));
    announce(notify.rounds.size() - 1, "post");
  }
}

/// Of the leader, once its leases have certainly ended: its roles first. A new leader does not tell old news.
void Manager::State::tell_copies_of_lost(const std::string& node) {
  if (liveness.age(node, now) > config.timing.restart_lease + seconds(30)) return;
  for (const bool roles : {true, false})
    for (const auto& service : config.services) {
      const auto agreed = store.state().services.find(service.name);
      const bool had_it = agreed != store.state().services.end() && agreed->second.owner == node;
      if (had_it && service.is_role == roles) tell_gone(service, node);
    }
}

Instant Manager::State::notify_deadline() const {
  Instant next = never;
  for (const auto& round : notify.rounds)
    if (!round.waiting.empty()) next = std::min({next, round.send_again, round.give_up});
  return next;
}

}  // namespace bascule::manager
