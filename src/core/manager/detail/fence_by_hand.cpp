// What people ask of fencing, and what status says of it.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/manager/detail/state.h"
#include "core/store/fence_history.h"

namespace bascule::manager {

void Manager::State::answer_fence(RequestId request, const std::string& refusal) {
  out->push_back(effect::ChangeDone{request, refusal.empty(), refusal});
}

void Manager::State::fence_by_hand(const input::Change& change) {
  const auto& order = std::get<message::FenceByHand>(change.command);
  if (auto valid = store::validate(change.command, config); !valid)
    return answer_fence(change.request, valid.error().text());
  if (order.node == self->name)
    return answer_fence(change.request, "this is " + self->name + " itself: ask another node");
  if (order.act == "test") return begin_trial(change, order);
  if (order.act == "confirm" || order.act == "start-alone") return off_by_hand(change, order);
  fence_asked(change, order);
}

/// With a leader it is agreed first, so that no lease is given meanwhile; the order of the log then begins it.
void Manager::State::fence_asked(const input::Change& change, const message::FenceByHand& order) {
  if (const auto at_work = fence.running.find(order.node); at_work != fence.running.end())
    return void(at_work->second.requests.push_back(change.request));
  fence.not_before.erase(order.node);
  Fencing fencing;
  fencing.reason = order.act == "fence" ? "a person asked for it" : "a person tries it out";
  fencing.trial = order.act == "test-really";
  fencing.requests = {change.request};
  if (raft.leadership().leader == 0) return begin_fencing(order.node, std::move(fencing), {});
  fencing.order = prng.next() | 1;
  fencing.give_up = now + seconds(10);
  const message::RequestFencing wish{order.node, self->name, fencing.order, fencing.reason};
  fence.running[order.node] = std::move(fencing);
  propose(wish);
}

// ---- tests ----------------------------------------------------------------------------------------------------------

void Manager::State::begin_trial(const input::Change& change, const message::FenceByHand& order) {
  if (fence.trial) return answer_fence(change.request, "another test is under way");
  FenceTrial trial;
  trial.request = change.request;
  trial.node = order.node;
  for (const auto* device : config.fences_of(order.node))
    if (order.device.empty() || device->name == order.device) trial.left.push_back(*device);
  fence.trial = std::move(trial);
  next_trial();
}

/// `status` of the node's plug: it needs the same way, name and password as switching it off.
void Manager::State::next_trial() {
  auto& trial = *fence.trial;
  if (trial.left.empty()) {
    const auto done = std::move(trial);
    fence.trial.reset();
    return answer_fence(done.request, done.failures);
  }
  const auto& device = trial.left.front();
  const auto known = fence.abilities.find(device.agent);
  const bool has_status = known == fence.abilities.end() || known->second.knows("status");
  const std::string action = has_status ? "status" : "monitor";
  trial.run = (std::uint64_t{1} << 61) + ++fence.last_run;
  out->push_back(effect::RunFenceAgent{trial.node,
                                       {trial.run, device.name, device.agent, action,
                                        fencing::agent_input(device, trial.node, action), device.timeout}});
}

void Manager::State::trial_done(const fencing::input::AgentDone& done) {
  auto& trial = *fence.trial;
  const auto device = trial.left.front();
  trial.left.pop_front();
  const bool passed = done.code == 0 || done.code == 2;
  const std::string text =
      passed ? fmt::format("{} answers for {}: {}", device.name, trial.node, done.code == 0 ? "on" : "off")
             : fmt::format("{} does not answer for {}: {}", device.name, trial.node, done.output);
  if (!passed) trial.failures += (trial.failures.empty() ? "" : "; ") + text;
  record(message::RecordFenceTest{device.name, trial.node, self->name, passed, text, wall_now_ms(),
                                  config::definition_of(device)});
  next_trial();
}

// ---- a person's word ------------------------------------------------------------------------------------------------

void Manager::State::off_by_hand(const input::Change& change, const message::FenceByHand& order) {
  const bool start = order.act == "start-alone";
  if (liveness.presence(order.node, now) != membership::Presence::lost)
    return answer_fence(change.request, fmt::format("{} was heard {} ms ago: it is not off", order.node,
                                                    to_ms(liveness.age(order.node, now))));
  const std::string how = "a person said that " + order.node + " is off";
  const bool alone = the_other() != nullptr && raft.leadership().leader == 0;
  if (!alone && start) return answer_fence(change.request, "there is a majority: nothing has to be started alone");
  if (!alone) {
    confirm_with_majority(order.node, how);
    return answer_fence(change.request, "");
  }
  if (!start && !raft.status().may_reform)
    return answer_fence(
        change.request,
        fmt::format("{} has not been up to date since it started: {} may have gone on without it and have "
                    "newer data. Start {}, or, if that is lost for good: bascule start-alone",
                    self->name, order.node, order.node));
  fence.reform_requests.push_back(change.request);
  record(message::RecordFencing{order.node, self->name, 0, start ? "start-alone" : "confirmed by a person", true,
                                order.node + " is off, as a person has confirmed", how, 0, wall_now_ms()});
  go_on_without(order.node, now, start, how);
}

/// An order and its end: the leader does not lease anything to the node in between, so that the word holds from there.
void Manager::State::confirm_with_majority(const std::string& node, const std::string& how) {
  const auto open = store.state().fencing.orders.find(node);
  const bool is_open = open != store.state().fencing.orders.end();
  const auto number = is_open ? open->second.order : prng.next() | 1;
  message::RecordFencing word{
      node, self->name, number,       "confirmed by a person", true, node + " is off, as a person has confirmed",
      how,  0,          wall_now_ms()};
  if (is_open) return record(std::move(word));
  fence.confirmed.emplace(number, std::move(word));
  propose(message::RequestFencing{node, self->name, number, how});
}

// ---- status ---------------------------------------------------------------------------------------------------------

namespace {

using FenceJson = nlohmann::ordered_json;

/// A test of other parameters or plugs tells nothing about these.
bool is_tested(const config::FenceDevice& device, const store::FencingState& agreed) {
  const auto test = agreed.tests.find(device.name);
  return test != agreed.tests.end() && test->second.definition == config::definition_of(device);
}

FenceJson fence_device_json(const config::FenceDevice& device, const store::FencingState& agreed) {
  FenceJson nodes = FenceJson::array();
  for (const auto& [node, plug] : device.plugs) nodes.push_back(node);
  const auto test = agreed.tests.find(device.name);
  const bool tried = is_tested(device, agreed);
  return {{"name", device.name},
          {"agent", device.agent},
          {"level", device.level},
          {"nodes", nodes},
          {"passed", tried && test->second.passed},
          {"passed_at_ms", tried ? test->second.passed_at_ms : 0},
          {"tried_at_ms", tried ? test->second.tried_at_ms : 0},
          {"text", tried ? test->second.text : "never tested"}};
}

/// A device that nobody has seen working is no fencing.
void add_fence_problems(const config::ClusterConfig& config, const store::FencingState& agreed, FenceJson& problems) {
  for (const auto& device : config.fences) {
    const auto test = agreed.tests.find(device.name);
    const auto& node = device.plugs.begin()->first;
    if (!is_tested(device, agreed))
      problems.push_back(fmt::format("fence device {} was never tested (bascule fence test {} --device {})",
                                     device.name, node, device.name));
    else if (!test->second.passed)
      problems.push_back(fmt::format("fence device {} failed its last test: {}", device.name, test->second.text));
  }
}

}  // namespace

void Manager::State::fencing_json(FenceJson& status) const {
  const auto& agreed = store.state().fencing;
  FenceJson devices = FenceJson::array(), at_work = FenceJson::array();
  for (const auto& device : config.fences) devices.push_back(fence_device_json(device, agreed));
  for (const auto& [node, fencing] : fence.running)
    if (fencing.fencer)
      at_work.push_back({{"node", node}, {"state", fencing::text(fencing.fencer->state())}, {"why", fencing.reason}});
  auto& problems = status["problems"];
  add_fence_problems(config, agreed, problems);
  for (auto& sentence : config.fence_reactions_without_device()) problems.push_back(std::move(sentence));
  if (!unfenced()) problems.push_back(self->name + " was not switched on by its fence device: nothing starts there");
  if (const auto sentence = config.no_takeover(); !sentence.empty()) {
    problems.insert(problems.begin(), sentence + " (add a witness, or [fence.NAME] for both)");
    status["summary"] = sentence + ". " + status["summary"].get<std::string>();
  }
  if (!problems.empty()) status["healthy"] = false;
  status["fencing"] = {{"devices", devices}, {"running", at_work}, {"history", store::fence_history_json(agreed)}};
}

}  // namespace bascule::manager
