#include "runtime/sim/cluster/manager_process.h"

#include <algorithm>

#include "base/crc32c.h"
#include "runtime/sim/cluster/machine.h"
#include "runtime/sim/cluster/world.h"

namespace bascule::sim::cluster {

namespace me = manager::effect;

namespace {

constexpr Duration connect_again_after = milliseconds(100);
constexpr Duration longest_timer = seconds(1);
constexpr RaftStorage::Latency storage_latency{
    .usual_max = milliseconds(4), .slow_permille = 10, .slow_max = milliseconds(60)};

raft::FileOwner owner_of(const World& world, const Machine& machine) {
  return {crc32c(view_of(world.scenario().config.name)), machine.node.id};
}

std::uint64_t index_of(const message::Event& event) {
  const auto found = event.fields.find("index");
  return found == event.fields.end() ? 0 : std::strtoull(found->second.c_str(), nullptr, 10);
}

}  // namespace

ManagerProcess::ManagerProcess(World& world, Machine& machine)
    : Process(world.scheduler()),
      world_(world),
      machine_(machine),
      storage_(world.scheduler(), owner_of(world, machine), storage_latency,
               [this](const consensus::Input& report) { bring([this, report] { persisted(report); }); }) {}

ManagerProcess::~ManagerProcess() = default;

// ---- life -------------------------------------------------------------------------------------------------------

void ManagerProcess::start() {
  auto restored = storage_.recover();
  if (!restored) return world_.violation("M6", machine_.name() + ": " + restored.error().text());
  begin_life();
  manager_ = std::make_unique<manager::Manager>(machine_.file, machine_.name(), std::move(*restored), prng().next(),
                                                machine_.told_index, machine_.local(),
                                                manager::Startup{machine_.file_text, false});
  step(manager::input::Tick{});
  tell_abilities();
  const std::uint64_t wall_ms =
      1'700'000'000'000ULL +
      static_cast<std::uint64_t>(to_ms(world_.scheduler().now().time_since_epoch()) + machine_.wall_offset_ms);
  step(manager::input::Machine{"boot-" + std::to_string(machine_.boot()), wall_ms});
}

void ManagerProcess::end(bool power_loss) {
  if (alive()) machine_.agents.manager_ended();
  end_life();
  manager_.reset();
  storage_.crash(power_loss);
  for (auto& [volume, block] : blocks_) ++block.turn;
  blocks_.clear();
  releases_.clear();
  queued_.clear();
  outgoing_.clear();
  waiting_.clear();
  stopping_ = false;
  scheduler().cancel(timer_);
  timer_at_ = never;
}

void ManagerProcess::resumed() {
  timer_at_ = never;
  step(manager::input::Tick{});
}

void ManagerProcess::persisted(const consensus::Input& report) {
  if (const auto* done = std::get_if<consensus::Persisted>(&report)) step(manager::input::Persisted{done->sequence});
  if (const auto* failed = std::get_if<consensus::PersistFailed>(&report))
    step(manager::input::PersistFailed{failed->why});
}

void ManagerProcess::tell_abilities() {
  for (const auto& device : machine_.file.fences) step(manager::input::FenceAbilities{device.agent, {}});
}

void ManagerProcess::receive(std::uint32_t from, Datagram datagram) {
  if (!alive()) return;
  if (paused()) {
    bring([this, from, datagram = std::move(datagram)]() mutable { receive(from, std::move(datagram)); });
    return;
  }
  for (auto& message : datagram)
    if (alive()) step(manager::input::Received{from, std::move(message), 0});
}

void ManagerProcess::change(message::Command command, std::function<void(const std::string&)> done) {
  if (!alive()) return;
  const auto request = next_request_++;
  waiting_.emplace(request, std::move(done));
  step(manager::input::Change{request, std::move(command)});
}

// ---- steps ------------------------------------------------------------------------------------------------------

void ManagerProcess::step(manager::Input input) {
  if (!alive()) return;
  queued_.push_back(std::move(input));
  if (stepping_) return;
  if (paused()) return;
  stepping_ = true;
  while (!queued_.empty() && alive()) {
    const auto inputs = std::exchange(queued_, {});
    for (const auto& next : inputs)
      if (alive() && !stopping_) run(next);
  }
  stepping_ = false;
  if (stopping_) return world_.manager_stopped(machine_);
  flush();
  if (!releases_.empty()) send_releases();
  arm_timer();
  world_.judge().stepped(machine_);
}

void ManagerProcess::run(const manager::Input& input) {
  manager::Effects effects = std::exchange(effects_, {});
  manager_->step(input, machine_.local(), effects);
  for (auto& effect : effects) carry_out(effect);
  effects.clear();
  effects_ = std::move(effects);
}

void ManagerProcess::flush() {
  for (auto& [to, datagram] : outgoing_)
    if (!datagram.empty()) world_.send(machine_, to, std::exchange(datagram, {}));
}

void ManagerProcess::arm_timer() {
  const Instant deadline = std::min(manager_->next_deadline(), machine_.local() + longest_timer);
  if (deadline >= timer_at_) return;
  scheduler().cancel(timer_);
  timer_at_ = deadline;
  timer_ = scheduler().at(machine_.clock.world(deadline), [this] { fired(); });
}

/// The deadline mostly moves away: the timer is left alone then, and looks again when it fires.
void ManagerProcess::fired() {
  timer_at_ = never;
  if (!alive() || paused()) return;
  if (machine_.local() >= manager_->next_deadline()) return step(manager::input::Tick{});
  arm_timer();
}

// ---- effects ----------------------------------------------------------------------------------------------------

void ManagerProcess::carry_out(manager::Effect& effect) {
  if (auto* send = std::get_if<me::Send>(&effect)) return outgoing_[send->to].push_back(std::move(send->message));
  if (carry_out_for_block(effect)) return;
  if (carry_out_here(effect)) return;
  if (auto* e = std::get_if<me::Persist>(&effect)) return storage_.persist({e->sequence, std::move(e->change)});
  if (auto* e = std::get_if<me::RunFenceAgent>(&effect)) return run_fence_agent(*e);
  if (auto* e = std::get_if<me::ChangeDone>(&effect)) {
    const auto found = waiting_.extract(e->request);
    if (found && found.mapped()) found.mapped()(e->accepted ? "" : e->why);
    return;
  }
  if (auto* e = std::get_if<me::Story>(&effect)) {
    machine_.told_index = std::max(machine_.told_index, index_of(e->event));
    return world_.told(machine_, e->event);
  }
  if (auto* e = std::get_if<me::KeepDecision>(&effect)) return world_.judge().decided(machine_, e->json);
  if (auto* e = std::get_if<me::Configured>(&effect)) return configured(*e);
  if (auto* e = std::get_if<me::Stop>(&effect)) {
    world_.say(machine_, "the manager cannot go on: " + e->reason);
    stopping_ = true;
  }
}

bool ManagerProcess::carry_out_here(manager::Effect& effect) {
  auto& agents = machine_.agents;
  if (auto* e = std::get_if<me::GrantLease>(&effect)) {
    const bool too_long = world_.scenario().plant == Plant::LeasesLastTooLong;
    const Instant end = too_long ? machine_.local() + 3 * machine_.file.timing.lease : e->end;
    (void)machine_.watchdog.tell(watchdog::LeaseUpdate::Kind::grant, e->slot, e->epoch, end);
  } else if (auto* released = std::get_if<me::ReleaseLease>(&effect)) {
    releases_.push_back(*released);
    send_releases();
  } else if (auto* run = std::get_if<me::RunAction>(&effect)) {
    agents.run(run->runner, run->action);
  } else if (auto* cancel = std::get_if<me::CancelActions>(&effect)) {
    agents.cancel(cancel->runner);
  } else if (auto* kill = std::get_if<me::KillCgroup>(&effect)) {
    agents.kill(kill->runner);
  } else if (auto* unmount = std::get_if<me::Unmount>(&effect)) {
    agents.unmount(unmount->runner, unmount->volume);
  } else if (auto* defined = std::get_if<me::DefineRunner>(&effect)) {
    agents.define(defined->service);
  } else {
    return std::holds_alternative<me::CloseRunner>(effect) || std::holds_alternative<me::RestartReady>(effect);
  }
  return true;
}

void ManagerProcess::send_releases() {
  std::erase_if(releases_, [&](const auto& release) {
    return machine_.watchdog.tell(watchdog::LeaseUpdate::Kind::release, release.slot, release.epoch, Instant{});
  });
}

void ManagerProcess::configured(const me::Configured& now) {
  machine_.file_text = now.text;
  auto parsed = config::parse(now.text, "cluster.toml");
  if (!parsed) return world_.violation("M6", "the agreed configuration cannot be read: " + parsed.error().text());
  machine_.file = std::move(*parsed);
  machine_.watchdog.configure(machine_.file);
  later(milliseconds(5), [this] { tell_abilities(); });
}

// ---- blockd -----------------------------------------------------------------------------------------------------

bool ManagerProcess::carry_out_for_block(manager::Effect& effect) {
  const auto with = [this](const std::string& volume, auto request) {
    const auto found = blocks_.find(volume);
    Blockd* blockd = world_.blockd(volume, machine_);
    if (found == blocks_.end() || !found->second.up || blockd == nullptr) return;  // it asks again when blockd is back
    blockd->later(control_delay, [blockd, request] { request(*blockd); });
  };
  if (auto* e = std::get_if<me::Promote>(&effect)) {
    with(e->volume, [epoch = e->epoch, initial = e->initial](Blockd& blockd) { blockd.promote(epoch, initial); });
  } else if (auto* demote = std::get_if<me::Demote>(&effect)) {
    with(demote->volume, [force = demote->force](Blockd& blockd) { blockd.demote(force); });
  } else if (auto* fail = std::get_if<me::FailIo>(&effect)) {
    with(fail->volume, [](Blockd& blockd) { blockd.fail_io(); });
  } else if (auto* set = std::get_if<me::InSync>(&effect)) {
    const auto* volume = world_.volume(set->volume);
    Blockd* blockd = world_.blockd(set->volume, machine_);
    if (volume == nullptr || blockd == nullptr) return true;
    const auto has = [&](Machine& machine) {
      return std::find(set->members.begin(), set->members.end(), machine.name()) != set->members.end();
    };
    const bool own = has(machine_);
    const bool peer = has(volume->blockds()[1 - blockd->index]->machine());
    with(set->volume, [version = set->version, own, peer](Blockd& b) { b.in_sync(version, own, peer); });
  } else if (auto* lost = std::get_if<me::PeerLost>(&effect)) {
    with(lost->volume, [reason = lost->reason](Blockd& blockd) { blockd.peer_lost(reason); });
  } else if (auto* attended = std::get_if<me::AttendVolume>(&effect)) {
    attend(attended->volume, attended->open);
  } else {
    return false;
  }
  return true;
}

void ManagerProcess::attend(const std::string& volume, bool open) {
  Block& block = blocks_[volume];
  block.up = false;
  const auto turn = ++block.turn;
  if (!open) return void(blocks_.erase(volume));
  later(control_delay, [this, volume, turn] { connect(volume, turn); });
}

void ManagerProcess::connect(const std::string& volume, std::uint32_t turn) {
  const auto found = blocks_.find(volume);
  if (found == blocks_.end() || found->second.turn != turn) return;
  Blockd* blockd = world_.blockd(volume, machine_);
  if (blockd == nullptr || !blockd->alive)
    return later(connect_again_after, [this, volume, turn] { connect(volume, turn); });
  found->second.up = true;
  blockd->later(control_delay, [blockd] { blockd->tell_whole_state(); });
}

bool ManagerProcess::hears(const std::string& volume) const {
  const auto found = blocks_.find(volume);
  return found != blocks_.end() && found->second.up;
}

void ManagerProcess::block_lost(const std::string& volume) {
  const auto found = blocks_.find(volume);
  if (found == blocks_.end()) return;
  if (std::exchange(found->second.up, false)) step(manager::input::VolumeChanged{volume, false, {}});
  if (!alive()) return;
  const auto turn = ++blocks_[volume].turn;
  later(connect_again_after, [this, volume, turn] { connect(volume, turn); });
}

// ---- fencing ----------------------------------------------------------------------------------------------------

void ManagerProcess::run_fence_agent(const me::RunFenceAgent& effect) {
  const auto node = effect.node;
  world_.run_fence_agent(machine_, effect, [this, life = life(), node, run = effect.run.run](int code) {
    if (!alive() || life != this->life()) return;
    bring([this, node, run, code] { step(manager::input::FenceAgentDone{node, {run, code, "said so"}}); });
  });
}

}  // namespace bascule::sim::cluster
