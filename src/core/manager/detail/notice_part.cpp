// What the copies on this node hear of the operations of others, and what is told of one.

#include <algorithm>

#include "core/agents/metadata.h"
#include "core/agents/notification.h"
#include "core/agents/ocf.h"
#include "core/manager/detail/state.h"

namespace bascule::manager {

namespace {

constexpr std::size_t answered_max = 4096;  // rounds of which a repetition is recognised
constexpr std::size_t heard_max = 256;      // that wait for their agents; more are not taken before these have ended

const message::StepReport* step_in(const message::ServiceReport& service, const std::string& name) {
  const auto found = std::find_if(service.steps.begin(), service.steps.end(),
                                  [&](const message::StepReport& step) { return step.name == name; });
  return found == service.steps.end() ? nullptr : &*found;
}

/// Until its stop has ended it is there.
bool is_there(const message::ServiceReport& service, const std::string& name) {
  const auto* step = step_in(service, name);
  return step != nullptr && (step->state == "Started" || step->state == "Stopping");
}

}  // namespace

const config::Step* Manager::State::step_of(const message::Notice& notice) const {
  for (const auto* service : config.services_of(notice.service))
    for (const auto& step : service->steps)
      if (step.name == notice.step) return &step;
  return nullptr;
}

/// Whether the agent of this copy runs something that can hear: not before its start has ended, nor since its stop
/// began.
bool Manager::State::can_hear(const Runner& runner, const std::string& step_name) const {
  for (const auto& round : notify.rounds) {
    if (round.runner != runner.name || round.notice.step != step_name) continue;
    const bool stops = round.notice.operation == "stop";
    return round.phase == NotifyRound::Phase::before ? stops : round.phase == NotifyRound::Phase::after && !stops;
  }
  for (const auto& one : deferred)
    if (one.runner == runner.name && one.action.operation == "stop" &&
        runner.definition.steps.at(one.action.step_index).name == step_name)
      return true;
  const auto report = runner.machine->report();
  const auto* step = step_in(report, step_name);
  return step != nullptr && step->state == "Started";
}

/// As this node knows it.
bool Manager::State::is_there_on(const std::string& node, const std::string& service, const std::string& step) const {
  if (node == self->name) {
    const auto found =
        std::find_if(runners.begin(), runners.end(), [&](const Runner& one) { return one.name == service; });
    if (found == runners.end()) return false;
    return found->definition.is_role ? is_there(found->machine->report(), step) : can_hear(*found, step);
  }
  // A report may be older than the log, where a role is given back before another node gets it.
  const auto agreed = store.state().services.find(service);
  if (agreed == store.state().services.end() || agreed->second.owner != node) return false;
  const auto* report = is_away(node) ? nullptr : liveness.newest_report(node);
  if (report == nullptr) return false;
  return std::any_of(report->services.begin(), report->services.end(),
                     [&](const auto& one) { return one.name == service && is_there(one, step); });
}

/// `acting`: the copy or the role on `node` whose operation it is. All is told as it was before.
message::Notice Manager::State::notice_of(const std::string& written, const std::string& step,
                                          const std::string& operation, const std::string& node,
                                          const std::string& acting) const {
  message::Notice notice;
  notice.service = written;
  notice.step = step;
  notice.operation = operation;
  for (const auto& service : config.services) {
    if (!service.copy || service.copy->of != written) continue;
    notice.promotable = service.promotable;
    message::NoticedCopy copy;
    copy.number = service.copy->number;
    copy.node = service.copy->node;
    const auto agreed = store.state().services.find(service.name);
    if (copy.node.empty() && agreed != store.state().services.end()) copy.node = agreed->second.owner.value_or("");
    copy.acts = service.name == acting || (acting == written && copy.node == node);
    if (service.name == acting) copy.node = node;
    copy.active = copy.acts ? operation != "start" : is_there_on(copy.node, service.name, step);
    copy.promoted = copy.acts ? operation == "demote" : service.promotable && is_there_on(copy.node, written, step);
    if (!copy.active && service.copy->node.empty()) copy.node = copy.acts ? node : "";
    notice.copies.push_back(std::move(copy));
  }
  for (const auto& one : config.nodes) {
    if (one.role != config::NodeRole::data) continue;
    const auto agreed = store.state().nodes.find(one.name);
    const bool standby = agreed != store.state().nodes.end() && agreed->second.standby;
    notice.nodes.push_back({one.name, !standby && !is_away(one.name)});
  }
  return notice;
}

/// A repetition of what is under way is not taken again, and one of what was answered is answered again.
void Manager::State::hear(std::uint32_t from, const message::Notice& notice) {
  if (linked_node(from) == nullptr) return;
  const std::pair key{from, notice.round};
  if (std::find(notify.answered.begin(), notify.answered.end(), key) != notify.answered.end())
    return answer(from, notice.round);
  const bool under_way_already = std::any_of(notify.heard.begin(), notify.heard.end(), [&](const HeardNotice& one) {
    return one.from == from && one.notice.round == notice.round;
  });
  if (under_way_already || notify.heard.size() >= heard_max) return;
  for (auto& runner : runners) {
    const auto& definition = runner.definition;
    if (!definition.notify || !definition.copy || definition.copy->of != notice.service) continue;
    for (std::size_t index = 0; index < definition.steps.size(); ++index) {
      const auto& step = definition.steps[index];
      const bool offers = step.standard == "ocf" && !notify.without.contains(agents::agent_name(step));
      if (step.name != notice.step || !offers || !agents::is_usable(notice) || !can_hear(runner, step.name)) continue;
      return void(notify.heard.push_back({from, notice, runner.name, index, 0}));
    }
  }
  answer(from, notice.round);
}

void Manager::State::answer(std::uint32_t from, std::uint64_t round) {
  if (std::find(notify.answered.begin(), notify.answered.end(), std::pair{from, round}) == notify.answered.end())
    notify.answered.emplace_back(from, round);
  if (notify.answered.size() > answered_max) notify.answered.pop_front();
  if (from == self->id) return notice_answered(from, round);
  send_to(from, message::NoticeDone{round});
}

/// One after the other for each copy, and none beside another action of its agent.
void Manager::State::begin_notices() {
  std::set<std::string> occupied;
  for (std::size_t index = 0; index < notify.heard.size();) {
    auto& one = notify.heard[index];
    auto* runner = find_runner(one.runner);
    const bool waits = one.action != 0 || occupied.contains(one.runner) || (runner != nullptr && is_busy(*runner));
    if (waits || (runner != nullptr && can_hear(*runner, one.notice.step))) {
      occupied.insert(one.runner);
      if (!waits) begin_notice(*runner, one);
      ++index;
    } else {
      const auto gone = one;
      notify.heard.erase(notify.heard.begin() + static_cast<std::ptrdiff_t>(index));
      answer(gone.from, gone.notice.round);
    }
  }
}

void Manager::State::begin_notice(Runner& runner, HeardNotice& heard) {
  heard.action = notify_action | ++notify.last_action;
  transition::effect::RunAction action;
  action.action = heard.action;
  action.step_index = heard.step_index;
  action.operation = "notify";
  action.timeout = runner.definition.steps.at(heard.step_index).notify_timeout;
  auto notice = heard.notice;
  std::erase_if(notice.copies,
                [&](const auto& copy) { return !copy.node.empty() && config.node(copy.node) == nullptr; });
  std::erase_if(notice.nodes, [&](const auto& node) { return config.node(node.name) == nullptr; });
  action.environment = agents::notification_environment(notice);
  run_action(runner, action);
}

/// True: it was a notification. That it failed is told, and is no failure of the service.
bool Manager::State::notice_ended(const transition::input::ActionDone& done) {
  const auto found = std::find_if(notify.heard.begin(), notify.heard.end(),
                                  [&](const HeardNotice& one) { return one.action == done.action; });
  if ((done.action & notify_action) == 0) return false;
  std::erase_if(under_way, [&](const auto& one) { return one.first.second == done.action; });
  if (found == notify.heard.end()) return true;
  const auto heard = *found;
  notify.heard.erase(found);
  if (done.return_code != agents::ocf::success)
    story("notification-failed", heard.runner,
          heard.notice.step + " notify (" + heard.notice.type + " " + heard.notice.operation +
              "): " + agents::describe(done.return_code) + (done.reason.empty() ? "" : ": " + done.reason) +
              "; this changes nothing",
          {{"step", heard.notice.step}, {"rc", std::to_string(done.return_code)}, {"output", done.output}});
  answer(heard.from, heard.notice.round);
  return true;
}

void Manager::State::forget_notices(const std::string& runner) {
  std::erase_if(notify.rounds, [&](const NotifyRound& round) { return round.runner == runner; });
  std::vector<HeardNotice> gone;
  for (const auto& one : notify.heard)
    if (one.runner == runner) gone.push_back(one);
  std::erase_if(notify.heard, [&](const HeardNotice& one) { return one.runner == runner; });
  for (const auto& one : gone) answer(one.from, one.notice.round);
}

}  // namespace bascule::manager
