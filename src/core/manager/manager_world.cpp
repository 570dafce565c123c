#include "core/manager/manager_world.h"

#include <algorithm>

#include "base/assert.h"
#include "core/decisions/record.h"

namespace bascule::manager::test {

namespace {
constexpr Duration network_delay = milliseconds(1);
constexpr Duration disk_delay = milliseconds(2);
constexpr Duration agent_delay = milliseconds(20);
constexpr Duration block_delay = milliseconds(5);
constexpr const char* volume_name = "data";

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
  volume.name = volume_name;
  volume.size_bytes = 1 << 30;
  volume.disk = {{"alice", "/a"}, {"bob", "/b"}};
  volume.port = 7789;
  config.volumes = {volume};
  config::Service service;
  service.name = "shop";
  service.volume = volume_name;
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
    : config_(std::move(config)), say_abilities_(std::move(say_abilities)) {
  for (const auto& node : config_.nodes) {
    auto& host = hosts_[node.name];
    host.name = node.name;
    host.file = config_;
    names_[node.id] = node.name;
    ids_[node.name] = node.id;
  }
  for (const auto& node : config_.nodes) power_on(node.name);
}

World::World(const std::string& text) : World(*config::parse(text, "test")) {
  for (auto& [name, host] : hosts_) {
    host.file_text = text;
    host.disk = {};
    power_on(name);
  }
}

void World::add_host(const std::string& name, const std::string& text) {
  auto& host = hosts_[name];
  host = Host{};
  host.name = name;
  host.file = *config::parse(text, "test");
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

bool World::has_blockd(const Host& host) const { return host.name == "alice" || host.name == "bob"; }

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
  host.blockd.promoted_epoch.reset();
  host.blockd.grow_wanted = host.blockd.shrink_wanted = false;
  host.blockd.members.clear();
  host.blockd.in_sync_version = 0;
  begin(host);
  if (has_blockd(host)) tell_block_state(host);
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
}

void World::manager_down(const std::string& name) {
  auto& host = hosts_.at(name);
  host.manager.reset();
  ++host.boot;  // what it waited for is lost
}

void World::manager_up(const std::string& name) {
  auto& host = hosts_.at(name);
  begin(host);
  if (has_blockd(host)) tell_block_state(host);
}

bool World::prepare_restart(const std::string& name, Duration patience) {
  auto& host = hosts_.at(name);
  host.restart_ready = false;
  step(host, input::PrepareRestart{});
  return run_until([&] { return host.restart_ready; }, patience);
}

void World::cut(const std::string& a, const std::string& b) { cuts_.insert({std::min(a, b), std::max(a, b)}); }
void World::heal() { cuts_.clear(); }
bool World::linked(const std::string& a, const std::string& b) const {
  return cuts_.count({std::min(a, b), std::max(a, b)}) == 0;
}

void World::later(Host& host, Duration delay, std::function<void(Host&)> act) {
  agenda_.push_back({now_ + delay, order_++, host.name, host.boot, std::move(act)});
}

void World::run(Duration duration) {
  const Instant end = now_ + duration;
  (void)run_until([] { return false; }, end - now_);
}

bool World::run_until(const std::function<bool()>& done, Duration patience) {
  const Instant end = now_ + patience;
  while (now_ < end) {
    if (done()) return true;
    Instant next = end;
    for (const auto& entry : agenda_) next = std::min(next, entry.at);
    for (const auto& [name, host] : hosts_)
      if (host.manager) next = std::min(next, std::max(now_ + microseconds(100), host.manager->next_deadline()));
    now_ = std::max(now_, next);
    std::vector<Later> due;
    for (auto& entry : agenda_)
      if (entry.at <= now_) due.push_back(entry);
    std::erase_if(agenda_, [&](const Later& entry) { return entry.at <= now_; });
    std::sort(due.begin(), due.end(),
              [](const Later& a, const Later& b) { return std::tie(a.at, a.order) < std::tie(b.at, b.order); });
    for (auto& entry : due)
      if (auto& host = hosts_.at(entry.host); host.on && host.boot == entry.boot) entry.act(host);
    for (auto& [name, host] : hosts_)
      if (host.manager && host.manager->next_deadline() <= now_) step(host, input::Tick{}), ++ticks_;
    synchronise_replicas();
    synchronise_secondaries();
    check_never_two();
  }
  return done();
}

void World::step(Host& host, const Input& input) {
  if (!host.manager) return;
  Effects effects;
  host.manager->step(input, now_, effects);
  for (auto& effect : effects) carry_out(host, effect);
}

void World::carry_out(Host& host, Effect& effect) {
  if (auto* send = std::get_if<effect::Send>(&effect)) {
    const auto to = names_.find(send->to);
    if (to == names_.end() || !linked(host.name, to->second)) return;
    const auto from = ids_.at(host.name);
    return later(hosts_.at(to->second), network_delay,
                 [this, from, message = std::move(send->message)](Host& receiver) {
                   step(receiver, input::Received{from, message});
                 });
  }
  if (auto* write = std::get_if<effect::Persist>(&effect)) return persist(host, *write);
  if (auto* run = std::get_if<effect::RunAction>(&effect)) return run_action(host, *run);
  if (auto* kill = std::get_if<effect::KillCgroup>(&effect)) {
    for (auto& [step_name, agent] : host.agents)
      if (step_name != "IPaddr2" && step_name != "Filesystem") agent.running = agent.promoted = false;
    return later(host, block_delay, [this, runner = kill->runner](Host& h) {
      step(h, input::ForRunner{runner, transition::input::CgroupKilled{}});
    });
  }
  if (auto* unmount = std::get_if<effect::Unmount>(&effect)) {
    host.agents["Filesystem"].running = false;
    return later(host, block_delay, [this, runner = unmount->runner](Host& h) {
      step(h, input::ForRunner{runner, transition::input::Unmounted{true}});
    });
  }
  if (auto* grant = std::get_if<effect::GrantLease>(&effect)) {
    host.leases[grant->slot] = {grant->epoch, grant->end};
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
  if (auto* configured = std::get_if<effect::Configured>(&effect)) {
    host.file_text = configured->text;
    host.file = *config::parse(configured->text, "test");
    return later(host, milliseconds(5), [this](Host& h) { tell_abilities(h); });
  }
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

void World::persist(Host& host, effect::Persist& persist) {
  later(host, disk_delay, [this, sequence = persist.sequence, change = std::move(persist.change)](Host& h) {
    apply_to_disk(h.disk, change);
    step(h, input::Persisted{sequence});
  });
}

void World::run_action(Host& host, const effect::RunAction& run) {
  const auto& steps = host.runners.at(run.runner).steps;
  later(host, agent_delay, [this, run, name = steps.at(run.action.step_index).name](Host& h) {
    auto& agent = h.agents[name];
    int code = 0;
    if (run.action.operation == "start") code = agent.start_code;
    if (run.action.operation == "start" && code == 0) agent.running = true;
    const bool role = run.action.operation == "promote" || run.action.operation == "demote";
    if (run.action.operation == "stop" && agent.running && agent.promoted)
      breaches_.push_back(h.name + " stopped what was promoted");
    if (run.action.operation == "stop") agent.running = false;
    if (!agent.running) agent.promoted = false;
    if (role && !agent.running) code = 7;
    if (role && agent.running) agent.promoted = run.action.operation == "promote";
    if (run.action.operation == "monitor") code = agent.running ? agent.monitor_code : 7;
    if (run.action.operation == "monitor" && code == 0 && agent.promoted) code = 8;
    step(h, input::ForRunner{run.runner, transition::input::ActionDone{run.action.action, code, "", agent_delay}});
  });
}

void World::block_effect(Host& host, const Effect& effect) {
  auto& block = host.blockd;
  if (const auto* promote = std::get_if<effect::Promote>(&effect)) {
    const bool allowed = block.members.count(host.name) != 0 && (block.up_to_date || promote->initial);
    if (!allowed) breaches_.push_back(host.name + " was told to promote a copy that may be old");
    block.promoted_epoch = promote->epoch;
    block.just_created = false;
    block.up_to_date = true;
  } else if (std::holds_alternative<effect::Demote>(effect)) {
    block.promoted_epoch.reset();
    block.grow_wanted = block.shrink_wanted = false;
  } else if (const auto* in_sync = std::get_if<effect::InSync>(&effect)) {
    block.members = {in_sync->members.begin(), in_sync->members.end()};
    block.in_sync_version = in_sync->version;
  } else {
    return;
  }
  later(host, block_delay, [this](Host& h) { tell_block_state(h); });
}

/// Of two secondaries the member brings the other one up to date, and says so.
void World::synchronise_secondaries() {
  for (auto* name : {"alice", "bob"}) {
    auto& host = hosts_.at(name);
    auto& peer = hosts_.at(host.name == "alice" ? "bob" : "alice");
    if (!host.on || host.blockd.promoted_epoch || !host.blockd.up_to_date) continue;
    const bool reachable = peer.on && peer.blockd.up && linked(host.name, peer.name) && !peer.blockd.promoted_epoch;
    const bool vouches = reachable && host.blockd.members == std::set<std::string>{host.name};
    if (vouches) peer.blockd.up_to_date = true, peer.blockd.just_created = false;
    if (vouches == host.blockd.grow_wanted) continue;
    host.blockd.grow_wanted = vouches;
    for (auto* one : {&host, &peer}) later(*one, block_delay, [this](Host& h) { tell_block_state(h); });
  }
}

/// A primary that reaches its peer brings it up to date and asks for it; one that lost a member asks to go on alone.
void World::synchronise_replicas() {
  for (auto* pair : {"alice", "bob"}) {
    auto& host = hosts_.at(pair);
    auto& peer = hosts_.at(host.name == "alice" ? "bob" : "alice");
    if (!host.on || !host.blockd.promoted_epoch) continue;
    const bool reachable = peer.on && peer.blockd.up && linked(host.name, peer.name) && !peer.blockd.promoted_epoch;
    const bool member = host.blockd.members.count(peer.name) != 0;
    if (reachable) {
      peer.blockd.up_to_date = true;
      peer.blockd.just_created = false;
    }
    const bool grow = reachable && !member, shrink = !reachable && member;
    if (grow == host.blockd.grow_wanted && shrink == host.blockd.shrink_wanted) continue;
    host.blockd.grow_wanted = grow;
    host.blockd.shrink_wanted = shrink;
    later(host, block_delay, [this](Host& h) { tell_block_state(h); });
  }
}

void World::tell_block_states() {
  for (auto& [name, host] : hosts_)
    if (host.on && has_blockd(host)) tell_block_state(host);
}

void World::tell_block_state(Host& host) {
  const auto& block = host.blockd;
  VolumeState state;
  state.report.name = volume_name;
  state.report.attached = block.up;
  state.report.role = block.promoted_epoch ? "Primary" : "Secondary";
  state.report.disk = block.up_to_date ? "UpToDate" : "Inconsistent";
  state.report.connection = "Connected";
  state.report.just_created = block.just_created;
  state.report.device = block.promoted_epoch ? "/dev/loop0" : "";
  state.promoted_epoch = block.promoted_epoch;
  state.peer = host.name == "alice" ? "bob" : "alice";
  state.in_sync_version = block.in_sync_version;
  state.wants_grow = block.grow_wanted;
  state.wants_shrink = block.shrink_wanted;
  step(host, input::VolumeChanged{volume_name, block.up, state});
  if (block.grow_wanted || block.shrink_wanted) later(host, milliseconds(50), [this](Host& h) { tell_block_state(h); });
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

bool World::serves(const std::string& name, const std::string& service) {
  auto& host = hosts_.at(name);
  const auto lease = host.leases.find("service:" + service);
  if (!host.on || lease == host.leases.end() || lease->second.second <= now_) return false;
  const auto runner = host.runners.find(service);
  if (runner == host.runners.end()) return false;
  for (const auto& step : runner->second.steps)
    if (!host.agents[step.name].running) return false;
  return true;
}

void World::check_never_two() {
  std::vector<std::string> answering, promoted;
  for (auto& [name, host] : hosts_) {
    const auto lease = host.leases.find("service:shop");
    const bool leased = lease != host.leases.end() && lease->second.second > now_;
    const auto role_lease = host.leases.find("service:db");
    const bool role = role_lease != host.leases.end() && role_lease->second.second > now_;
    if (host.on && role && host.agents["Stateful"].promoted) promoted.push_back(name);
    if (host.on && leased && host.agents["IPaddr2"].running) answering.push_back(name);
  }
  if (promoted.size() > 1)
    breaches_.push_back("two nodes are promoted at " + std::to_string(to_ms(now_.time_since_epoch())) + " ms");
  if (answering.size() > 1)
    breaches_.push_back("two nodes answer at " + std::to_string(to_ms(now_.time_since_epoch())) + " ms");
}

std::string World::status(const std::string& name) { return hosts_.at(name).manager->status_json(now_); }

bool World::told(const std::string& kind, const std::string& subject) const {
  return std::any_of(story_.begin(), story_.end(),
                     [&](const message::Event& event) { return event.kind == kind && event.subject == subject; });
}

}  // namespace bascule::manager::test
