#include "runtime/sim/consensus/server.h"

#include <utility>

#include "core/consensus/story.h"

namespace bascule::sim {
namespace {

constexpr std::uint64_t cluster_hash = 0x5eed;

}  // namespace

Server::Server(World& world, std::size_t number, const Options& options)
    : world_(world),
      number_(number),
      options_(options),
      clock_(world.scheduler.now(), Instant{seconds(1000 * (number + 1))}, options.drift_ppm),
      storage_(world.scheduler, {cluster_hash, static_cast<raft::ServerId>(number + 1)}, options.disk_latency,
               [this](const consensus::Input& report) { paused_ ? missed_.push_back(report) : step(report); }) {
  options_.config.id = static_cast<raft::ServerId>(number + 1);
}

void Server::start() {
  BASCULE_ASSERT(!alive());
  auto restored = storage_.recover();
  if (!restored) return world_.judge.accuse("server " + std::to_string(number_ + 1) + ": " + restored.error().text());
  world_.judge.started(number_, *restored);
  options_.config.seed = world_.scheduler.prng().next();
  ++life_;
  state_ = {};
  snapshot_index_ = restored->snapshot.index;
  raft_ = std::make_unique<consensus::Raft>(options_.config, std::move(*restored));
  timer_at_ = never;
  if (world_.tracing) world_.trace(number_, "starts");
  step(consensus::Tick{});
}

void Server::crash(bool power_loss) {
  if (world_.tracing) world_.trace(number_, power_loss ? "loses power" : "is killed");
  raft_.reset();
  storage_.crash(power_loss);
  outbox_.clear();
  reads_.clear();
  missed_.clear();
  world_.scheduler.cancel(timer_);
  timer_at_ = never;
  paused_ = stopping_ = false;
  world_.judge.stopped(number_);
  world_.judge.paused(number_, false);
}

void Server::pause() {
  if (world_.tracing) world_.trace(number_, "stands still");
  paused_ = true;
  world_.judge.paused(number_, true);
}

void Server::resume() {
  if (!std::exchange(paused_, false)) return;
  world_.judge.paused(number_, false);
  observe();  // what it believes before it has done anything
  for (const auto& report : std::exchange(missed_, {}))
    if (alive()) step(report);
  if (alive()) step(consensus::Tick{});
}

void Server::receive(std::size_t from, const raft::Message& message) {
  if (alive() && !paused_) step(consensus::MessageReceived{static_cast<raft::ServerId>(from + 1), message});
}

void Server::propose(std::uint64_t proposal) {
  Bytes payload;
  ByteWriter(payload).big(proposal).zeros(proposal % 24);
  step(consensus::Propose{proposal, std::move(payload)});
}

void Server::propose_configuration(const consensus::Configuration& configuration) {
  step(consensus::ProposeConfiguration{0, configuration});
}

void Server::read() {
  const std::uint64_t id = next_read_++;
  reads_[id] = world_.judge.read_floor();
  step(consensus::ReadIndex{id});
}

void Server::transfer(std::size_t to) { step(consensus::TransferLeadership{static_cast<raft::ServerId>(to + 1)}); }

void Server::go_on_without(std::size_t other, Instant since) {
  step(consensus::Reform{0, static_cast<raft::ServerId>(other + 1), since, false});
}

void Server::step(const consensus::Input& input) {
  if (world_.tracing) world_.trace(number_, story_of(input));
  if (const auto* persisted = std::get_if<consensus::Persisted>(&input))
    outbox_.durable(persisted->sequence,
                    [this](const consensus::Send& send) { world_.send(number_, send.to - 1, send.message); });
  effects_.clear();
  raft_->step(input, local_now(), effects_);
  // The judge knows the log before it hears what was applied from it.
  for (const auto& effect : effects_)
    if (const auto* persist = std::get_if<consensus::Persist>(&effect))
      world_.judge.persisting(number_, persist->change);
  for (const auto& effect : effects_) carry_out(effect);
  if (stopping_) {
    crash(false);
    return world_.ended(number_);
  }
  observe();
  if (options_.snapshot_every > 0 && state_.applied >= snapshot_index_ + options_.snapshot_every) take_snapshot();
  schedule_timer();
}

void Server::carry_out(const consensus::Effect& effect) {
  if (world_.tracing) world_.trace(number_, "    " + story_of(effect));
  std::visit([this](const auto& each) { on(each); }, effect);
}

void Server::on(const consensus::Send& send) {
  outbox_.add(send, [this](const consensus::Send& now) { world_.send(number_, now.to - 1, now.message); });
}

void Server::on(const consensus::Persist& persist) { storage_.persist(persist); }

void Server::on(const consensus::Apply& apply) {
  state_.applied = apply.index;
  state_.hash = mixed(mixed(state_.hash, apply.index), proposal_of(apply.payload));
  world_.judge.applied(number_, apply, raft_->leadership().term, state_.hash);
}

void Server::on(const consensus::RestoreSnapshot& restore) {
  ByteReader reader(*restore.bytes);
  state_.applied = restore.index;
  state_.hash = reader.big<std::uint64_t>();
  snapshot_index_ = restore.index;
  ++snapshots_restored_;
  world_.judge.restored(number_, restore.index, state_.hash);
}

void Server::on(const consensus::ProposalDone& done) {
  if (done.outcome == consensus::ProposalOutcome::Committed && done.id != 0)
    world_.judge.acknowledged(done.id, done.index);
}

void Server::on(const consensus::ReadReady& ready) {
  const auto open = reads_.find(ready.id);
  if (open == reads_.end()) return world_.judge.accuse("an answer to a read that nobody asked");
  if (raft_->status().applied_index < ready.index) world_.judge.accuse("a read is ready before its index is applied");
  world_.judge.read_done(open->second, state_.applied);
  reads_.erase(open);
}

void Server::observe() {
  if (!alive()) return;
  const auto leadership = raft_->leadership();
  std::optional<WorldTime> lease;
  if (leadership.lease_until) lease = clock_.world(*leadership.lease_until);
  world_.judge.observed(number_, leadership.role, leadership.term, lease, world_.scheduler.now());
}

void Server::take_snapshot() {
  Bytes bytes;
  ByteWriter(bytes).big(state_.hash).zeros(options_.snapshot_bytes);
  snapshot_index_ = state_.applied;
  step(consensus::SnapshotTaken{state_.applied, std::make_shared<const Bytes>(std::move(bytes))});
}

/// The deadline mostly moves away, with every heartbeat: the timer is left alone then, and looks again when it fires.
void Server::schedule_timer() {
  if (!alive()) return;
  const Instant deadline = raft_->next_deadline();
  if (deadline >= timer_at_) return;
  world_.scheduler.cancel(timer_);
  timer_at_ = deadline;
  timer_ = world_.scheduler.at(clock_.world(deadline), [this] { timer_fired(); });
}

void Server::timer_fired() {
  timer_at_ = never;
  if (!alive() || paused_) return;
  if (local_now() >= raft_->next_deadline()) return step(consensus::Tick{});
  schedule_timer();
}

}  // namespace bascule::sim
