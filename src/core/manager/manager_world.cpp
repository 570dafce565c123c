#include "core/manager/manager_world.h"

#include <algorithm>
#include <limits>

#include "base/assert.h"
#include "core/decisions/record.h"

namespace bascule::manager::test {

namespace {
/// What a kill of a service's processes leaves as it is: it has none.
bool has_processes(const config::Step& step) { return step.type != "IPaddr2" && step.type != "Filesystem"; }

void apply_to_disk(raft::Restored& disk, const raft::LogChange& change) {
  if (change.hard_state) disk.hard_state = *change.hard_state;
  if (change.snapshot) {
    disk.snapshot = change.snapshot->snapshot;
    disk.base_index = change.snapshot->base_index;
    disk.base_term = change.snapshot->base_term;
    disk.entries.clear();
  }
  if (change.truncate_from)
    std::erase_if(disk.entries, [&](const raft::Entry& entry) { return entry.index >= *change.truncate_from; });
  disk.entries.insert(disk.entries.end(), change.entries.begin(), change.entries.end());
}

}  // namespace

config::ClusterConfig shop_config(bool autostart) {
  config::ClusterConfig config;
  config.name = "test";
  config.nodes = {{"alice", config::NodeRole::data, "10.0.0.1", 1},
                  {"bob", config::NodeRole::data, "10.0.0.2", 2},
                  {"carol", config::NodeRole::witness, "10.0.0.3", 3}};
  config::Volume volume;
  volume.name = "data";
  volume.size_bytes = 1 << 30;
  volume.disk = {{"alice", "/a"}, {"bob", "/b"}};
  volume.port = 7789;
  config.volumes = {volume};
  config::Service service;
  service.name = "shop";
  service.volume = "data";
  service.addresses = {"10.0.0.10"};
  service.preferred_node = "alice";
  service.autostart = autostart;
  for (const char* type : {"Filesystem", "IPaddr2", "apache"}) {
    config::Step step;
    step.name = step.type = type;
    step.standard = "ocf";
    step.provider = "heartbeat";
    service.steps.push_back(step);
  }
  config.services = {service};
  return config;
}

World::World(config::ClusterConfig config, std::function<void(fencing::Abilities&)> say_abilities)
    : say_abilities_(std::move(say_abilities)) {
  for (const auto& node : config.nodes) {
    auto& host = hosts_[node.name];
    host.name = node.name;
    host.file = config;
    give_volumes(host);
    names_[node.id] = node.name;
    ids_[node.name] = node.id;
  }
  for (const auto& node : config.nodes) power_on(node.name);
}

World::World(const std::string& text) : World(*config::parse(text, "test")) {
  for (auto& [name, host] : hosts_) {
    host.file_text = text;
    host.disk = {};
    power_on(name);
  }
}

const config::ClusterConfig& World::parsed(const std::string& text) {
  const auto known = parsed_.find(text);
  return known != parsed_.end() ? known->second : parsed_.emplace(text, *config::parse(text, "test")).first->second;
}

void World::add_host(const std::string& name, const std::string& text) {
  auto& host = hosts_[name];
  const auto boots = host.boot;
  host = Host{};
  host.boot = boots;  // what an earlier machine of this name waited for stays lost
  host.name = name;
  host.file = parsed(text);
  give_volumes(host);
  host.file_text = text;
  host.joined = true;
  const auto id = host.file.node(name)->id;
  names_[id] = name;
  ids_[name] = id;
}

void World::begin(Host& host) {
  host.runners.clear();
  host.manager = std::make_unique<Manager>(host.file, host.name, host.disk, seed_++, 0, now_,
                                           Startup{host.file_text, host.joined});
  step(host, input::Tick{});
  tell_abilities(host);
}

std::string World::leader() {
  for (auto& [name, host] : hosts_) {
    if (!host.manager) continue;
    const auto status = host.manager->status_json(now_);
    if (status.find("\"leader\":\"" + name + "\"") != std::string::npos) return name;
  }
  return {};
}

void World::power_on(const std::string& name) {
  auto& host = hosts_.at(name);
  host.on = true;
  ++host.boot;
  host.leases.clear();
  host.agents.clear();
  for (auto& [volume, block] : host.blockds) {
    block.promoted_epoch.reset();
    block.grow_wanted = block.shrink_wanted = false;
    block.members.clear();
    block.in_sync_version = 0;
  }
  begin(host);
  tell_block_states_of(host);
}

void World::tell_abilities(Host& host) {
  for (const auto& device : host.file.fences) {
    fencing::Abilities abilities;
    if (say_abilities_) say_abilities_(abilities);
    step(host, input::FenceAbilities{device.agent, abilities});
  }
}

/// The agent takes a while, and switches the power off and on.
void World::run_fence_agent(Host& host, const effect::RunFenceAgent& run) {
  later(host, milliseconds(200), [this, run](Host& h) {
    auto& target = hosts_.at(run.node.starts_with("unfence:") ? h.name : run.node);
    int code = fence_code;
    if (code == 0 && run.run.action == "off") {
      switched_off_.push_back(target.name + " by " + h.name);
      power_off(target.name);
    }
    if (code == 0 && run.run.action == "on" && !target.on) power_on(target.name);
    if (code == 0 && run.run.action == "status") code = target.on ? 0 : 2;
    step(h, input::FenceAgentDone{run.node, {run.run.run, code, "said so"}});
  });
}

void World::power_off(const std::string& name) {
  auto& host = hosts_.at(name);
  host.on = false;
  host.manager.reset();
  for (const auto& [name_of_runner, service] : host.runners) service_may_have_changed(host, name_of_runner);
}

void World::manager_down(const std::string& name) {
  auto& host = hosts_.at(name);
  host.manager.reset();
  ++host.boot;  // what it waited for is lost
}

void World::manager_up(const std::string& name) {
  auto& host = hosts_.at(name);
  begin(host);
  tell_block_states_of(host);
}

bool World::prepare_restart(const std::string& name, Duration patience) {
  auto& host = hosts_.at(name);
  host.restart_ready = false;
  step(host, input::PrepareRestart{});
  return run_until([&] { return host.restart_ready; }, patience);
}

void World::cut(const std::string& a, const std::string& b) { cuts_.insert({std::min(a, b), std::max(a, b)}); }
void World::cut_one_way(const std::string& from, const std::string& to) { one_way_cuts_.insert({from, to}); }
void World::heal() { cuts_.clear(), one_way_cuts_.clear(); }
bool World::arrives(const std::string& from, const std::string& to) const {
  return cuts_.count({std::min(from, to), std::max(from, to)}) == 0 && one_way_cuts_.count({from, to}) == 0;
}

void World::later(Host& host, Duration delay, std::function<void(Host&)> act) {
  agenda_.push_back({now_ + delay, order_++, &host, host.boot, std::move(act)});
  std::push_heap(agenda_.begin(), agenda_.end());
}

void World::run(Duration duration) {
  const Instant end = now_ + duration;
  (void)run_until([] { return false; }, end - now_);
}

bool World::run_until(const std::function<bool()>& done, Duration patience) {
  const Instant end = now_ + patience;
  while (now_ < end) {
    if (done()) return true;
    now_ = std::max(now_, next_moment(end));
    act_due();
    tick_due();
    synchronise_replicas();
    synchronise_secondaries();
  }
  return done();
}

Instant World::next_moment(Instant end) const {
  Instant next = agenda_.empty() ? end : std::min(end, agenda_.front().at);
  for (const auto& [name, host] : hosts_)
    if (host.manager) next = std::min(next, std::max(now_ + microseconds(100), host.deadline));
  return next;
}

void World::act_due() {
  while (!agenda_.empty() && agenda_.front().at <= now_) {
    std::pop_heap(agenda_.begin(), agenda_.end());
    const Later entry = std::move(agenda_.back());
    agenda_.pop_back();
    if (entry.host->on && entry.host->boot == entry.boot) entry.act(*entry.host);
  }
}

void World::tick_due() {
  for (auto& [name, host] : hosts_)
    if (host.manager && host.deadline <= now_) step(host, input::Tick{}), ++ticks_;
}

void World::step(Host& host, const Input& input) {
  if (!host.manager) return;
  Effects effects;
  host.manager->step(input, now_, effects);
  host.deadline = host.manager->next_deadline();
  count(host, effects);
  for (auto& effect : effects) carry_out(host, effect);
}

void World::count(Host& host, const Effects& effects) {
  std::set<std::uint32_t> receivers;
  for (const auto& effect : effects) {
    const auto* send = std::get_if<effect::Send>(&effect);
    if (send == nullptr) continue;
    ++host.sent.messages;
    if (std::holds_alternative<message::Notice>(send->message) ||
        std::holds_alternative<message::NoticeDone>(send->message))
      ++notices_;
    receivers.insert(send->to);
    if (counts_bytes) host.sent.bytes += message::encode({ids_.at(host.name), send->message}, host.file.name).size();
  }
  host.sent.datagrams += receivers.size();
}

void World::send(Host& host, effect::Send& send) {
  const auto to = names_.find(send.to);
  if (to == names_.end() || !arrives(host.name, to->second)) return;
  later(hosts_.at(to->second), network_delay,
        [this, from = ids_.at(host.name), message = std::move(send.message)](Host& receiver) mutable {
          step(receiver, input::Received{from, std::move(message)});
        });
}

void World::carry_out(Host& host, Effect& effect) {
  if (auto* message = std::get_if<effect::Send>(&effect)) return send(host, *message);
  if (auto* write = std::get_if<effect::Persist>(&effect)) return persist(host, *write);
  if (auto* run = std::get_if<effect::RunAction>(&effect)) return run_action(host, *run);
  if (auto* kill = std::get_if<effect::KillCgroup>(&effect)) return kill_cgroup(host, kill->runner);
  if (auto* unmount = std::get_if<effect::Unmount>(&effect)) {
    if (!unmount->volume.empty()) unmounted_.push_back(unmount->volume + " on " + host.name);
    for (const auto& step : host.runners.at(unmount->runner).steps)
      if (step.type == "Filesystem") host.agents[step.name].running = false;
    return later(host, block_delay, [this, runner = unmount->runner](Host& h) {
      step(h, input::ForRunner{runner, transition::input::Unmounted{true}});
    });
  }
  if (auto* grant = std::get_if<effect::GrantLease>(&effect)) {
    host.leases[grant->slot] = {grant->epoch, grant->end};
    const std::string service = "service:";
    if (grant->slot.starts_with(service)) service_may_have_changed(host, grant->slot.substr(service.size()));
    return;
  }
  if (auto* release = std::get_if<effect::ReleaseLease>(&effect)) return void(host.leases.erase(release->slot));
  if (auto* done = std::get_if<effect::ChangeDone>(&effect)) {
    answers_[done->request] = done->accepted ? "" : done->why;
    return;
  }
  if (auto* defined = std::get_if<effect::DefineRunner>(&effect)) {
    host.runners[defined->runner] = defined->service;
    return;
  }
  if (auto* closed = std::get_if<effect::CloseRunner>(&effect)) return void(host.runners.erase(closed->runner));
  if (auto* now = std::get_if<effect::Configured>(&effect)) return configured(host, *now);
  if (std::holds_alternative<effect::RestartReady>(effect)) return void(host.restart_ready = true);
  if (auto* kept = std::get_if<effect::KeepDecision>(&effect)) return replay(host, kept->json);
  if (auto* story = std::get_if<effect::Story>(&effect)) return story_.push_back(story->event);
  if (const auto* run = std::get_if<effect::RunFenceAgent>(&effect)) return run_fence_agent(host, *run);
  block_effect(host, effect);
}

/// Whoever reads what was kept comes to the same decision.
void World::replay(const Host& host, const std::string& kept) {
  if (host.file_text.empty()) return;  // a configuration without a text
  const auto record = decisions::read(kept);
  if (!record)
    breaches_.push_back("a decision of " + host.name + " cannot be read: " + record.error().text());
  else if (!decisions::replay(*record).same)
    breaches_.push_back("a decision of " + host.name + " is another one when it is taken again: " + kept);
  else
    ++replayed_;
}

void World::configured(Host& host, const effect::Configured& configured) {
  host.file_text = configured.text;
  host.file = parsed(configured.text);
  give_volumes(host);
  later(host, milliseconds(5), [this](Host& h) { tell_abilities(h); });
}

void World::kill_cgroup(Host& host, const std::string& runner) {
  for (const auto& step : host.runners.at(runner).steps)
    if (has_processes(step)) host.agents[step.name].running = host.agents[step.name].promoted = false;
  service_may_have_changed(host, runner);
  later(host, block_delay, [this, runner](Host& h) {
    step(h, input::ForRunner{runner, transition::input::CgroupKilled{}});
  });
}

void World::persist(Host& host, effect::Persist& persist) {
  later(host, disk_delay, [this, sequence = persist.sequence, change = std::move(persist.change)](Host& h) {
    apply_to_disk(h.disk, change);
    step(h, input::Persisted{sequence});
  });
}

std::string AgentRun::text() const {
  if (operation != "notify") return operation;
  const auto value = [this](const std::string& name) { return environment.at("OCF_RESKEY_CRM_meta_notify_" + name); };
  return value("type") + " " + value("operation") + " " + value(value("operation") + "_uname");
}

void World::agent_says(const std::string& name, const std::string& agent, bool offers_notify) {
  step(hosts_.at(name), input::AgentSays{agent, offers_notify});
}

/// Its place in agent_runs(), or one that there is not.
std::size_t World::note_run(const Host& host, const effect::RunAction& run) {
  const bool noted = run.action.operation != "monitor" && host.runners.at(run.runner).notify;
  if (!noted) return std::numeric_limits<std::size_t>::max();
  agent_runs_.push_back({host.name, run.runner, run.action.operation, run.action.environment, now_});
  return agent_runs_.size() - 1;
}

void World::run_action(Host& host, const effect::RunAction& run) {
  const auto& name = host.runners.at(run.runner).steps.at(run.action.step_index).name;
  const bool notifies = run.action.operation == "notify";
  const Duration takes = std::min(notifies ? host.agents[name].notify_takes : agent_delay, run.action.timeout);
  const bool in_time = !notifies || host.agents[name].notify_takes < run.action.timeout;
  later(host, takes, [this, run, name, in_time, noted = note_run(host, run)](Host& h) {
    const int code = in_time ? act(h, run, h.agents[name]) : -1;
    if (noted < agent_runs_.size()) agent_runs_[noted].ended = now_, agent_runs_[noted].code = code;
    if (run.action.operation != "monitor") service_may_have_changed(h, run.runner);
    step(h, input::ForRunner{run.runner, transition::input::ActionDone{run.action.action, code, "", agent_delay}});
  });
}

/// What an agent does, and its answer.
int World::act(Host& host, const effect::RunAction& run, PretendedAgent& agent) {
  const auto& operation = run.action.operation;
  int code = 0;
  if (operation == "notify") return agent.notify_code;
  if (operation == "start") code = agent.start_code;
  if (operation == "start" && code == 0) agent.running = true;
  const bool role = operation == "promote" || operation == "demote";
  if (operation == "stop" && agent.running && agent.promoted)
    breaches_.push_back(host.name + " stopped what was promoted");
  if (operation == "stop") agent.running = false;
  if (!agent.running) agent.promoted = false;
  if (role && !agent.running) code = 7;
  if (role && agent.running) agent.promoted = operation == "promote";
  if (operation == "monitor") code = agent.running ? agent.monitor_code : 7;
  if (operation == "monitor" && code == 0 && agent.promoted) code = 8;
  return code;
}

RequestId World::send_change(const std::string& name, message::Command command) {
  const auto request = next_request_++;
  answers_[request];
  step(hosts_.at(name), input::Change{request, std::move(command)});
  return request;
}

std::string World::change(const std::string& name, message::Command command) {
  const auto request = send_change(name, std::move(command));
  (void)run_until([&] { return answers_[request].has_value(); }, seconds(20));
  return answers_[request].value_or("no answer");
}

void World::machine(const std::string& name, const std::string& boot, std::uint64_t wall_ms) {
  step(hosts_.at(name), input::Machine{boot, wall_ms});
}

void World::attribute(const std::string& name, input::AgentAttribute attribute) { step(hosts_.at(name), attribute); }

std::uint64_t World::applied_index(const std::string& name) {
  const std::string text = status(name), key = "\"applied_index\":";
  return std::stoull(text.substr(text.find(key) + key.size()));
}

namespace {

std::ptrdiff_t running_steps(const Host& host, const std::vector<config::Step>& steps) {
  return std::count_if(steps.begin(), steps.end(), [&](const config::Step& step) {
    const auto agent = host.agents.find(step.name);
    return agent != host.agents.end() && agent->second.running;
  });
}

}  // namespace

bool World::runs(const Host& host, const std::string& service) {
  const auto runner = host.runners.find(service);
  if (!host.on || runner == host.runners.end()) return false;
  return running_steps(host, runner->second.steps) == std::ssize(runner->second.steps);
}

bool World::runs_partly(const Host& host, const std::string& service) {
  const auto runner = host.runners.find(service);
  return host.on && runner != host.runners.end() && running_steps(host, runner->second.steps) > 0;
}

std::optional<Instant> World::lease_end(const Host& host, const std::string& service) {
  const auto lease = host.leases.find("service:" + service);
  if (lease == host.leases.end()) return std::nullopt;
  return lease->second.second;
}

bool World::serves(const std::string& name, const std::string& service) {
  const auto& host = hosts_.at(name);
  return runs(host, service) && lease_end(host, service).value_or(Instant{}) > now_;
}

void World::service_may_have_changed(const Host& host, const std::string& service) {
  check_never_two(service);
  if (on_service_change) on_service_change(host, service);
}

/// What runs under a lease, of a role what is promoted, is what clients meet. The end of a lease makes no second one,
/// so it is enough to look when something begins.
void World::check_never_two(const std::string& service) {
  int meeting_clients = 0;
  for (auto& [name, host] : hosts_) {
    const auto runner = host.runners.find(service);
    if (!host.on || runner == host.runners.end() || lease_end(host, service).value_or(Instant{}) <= now_) continue;
    const auto meets_clients = [&](const config::Step& step) {
      const auto& agent = host.agents[step.name];
      return runner->second.is_role ? agent.promoted : agent.running;
    };
    if (std::any_of(runner->second.steps.begin(), runner->second.steps.end(), meets_clients)) ++meeting_clients;
  }
  if (meeting_clients > 1)
    breaches_.push_back("two nodes serve " + service + " at " + std::to_string(to_ms(now_.time_since_epoch())) + " ms");
}

std::string World::status(const std::string& name) { return hosts_.at(name).manager->status_json(now_); }

bool World::told(const std::string& kind, const std::string& subject) const {
  return std::any_of(story_.begin(), story_.end(),
                     [&](const message::Event& event) { return event.kind == kind && event.subject == subject; });
}

}  // namespace bascule::manager::test
