#include "runtime/sim/consensus/cluster.h"

#include <fmt/format.h>

#include <algorithm>

namespace bascule::sim {
namespace {

constexpr Duration trouble = seconds(60);
constexpr Duration peace = seconds(17);
constexpr std::size_t events_kept = 200;

WorldTime world_at(Duration since_start) { return WorldTime{since_start}; }

std::size_t draw_server_count(const Profile& profile, std::uint64_t seed) {
  if (profile.members) return 5;
  if (profile.two_nodes) return 2;
  return Prng(seed).chance(1, 2) ? 3 : 5;
}

}  // namespace

Outcome run_seed(const Profile& profile, std::uint64_t seed, const RunOptions& options) {
  return Cluster(profile, seed, options).run();
}

Cluster::Cluster(const Profile& profile, std::uint64_t seed, const RunOptions& options)
    : profile_(profile),
      options_(options),
      scheduler_(seed),
      prng_(scheduler_.prng().next()),
      server_count_(draw_server_count(profile, seed)),
      judge_(server_count_),
      network_(scheduler_, server_count_, profile.transport,
               [this](std::size_t from, std::size_t to, const raft::Message& message) { deliver(from, to, message); }),
      world_{scheduler_,
             judge_,
             [this](std::size_t from, std::size_t to, const raft::Message& message) {
               if (to < server_count_) network_.send(from, to, message);
             },
             [this](std::size_t server, const std::string& line) { trace(server, line); },
             options.trace,
             [this](std::size_t server) { restart_later(server); }} {
  outcome_.seed = seed;
  draw_mood();
  build_servers();
}

void Cluster::draw_mood() {
  const auto ms = [this](std::int64_t low, std::int64_t high) {
    return Duration{milliseconds(prng_.between(low, high))};
  };
  mood_.crash_every = ms(1000, 2400);
  mood_.cut_every = profile_.members ? ms(500, 3000) : ms(1000, 6000);
  mood_.pause_every = profile_.clocks ? ms(500, 3000) : ms(5000, 20000);
  mood_.disk_fault_every = profile_.disk_faults ? ms(500, 3000) : Duration{0};
  mood_.transfer_every = ms(2000, 20000);
  mood_.member_change_every = profile_.members ? ms(200, 2000) : Duration{0};
  mood_.fence_every = profile_.two_nodes ? ms(100, 1500) : Duration{0};
  mood_.propose_every = ms(100, 300);
  mood_.read_every = ms(150, 600);
  mood_.down_max = prng_.chance(1, 2) ? ms(5, 60) : ms(100, 2000);
  mood_.storm_permille = static_cast<std::uint32_t>(prng_.below(250));
  mood_.pause_max = profile_.clocks ? ms(100, 4000) : ms(20, 400);
  mood_.links.delay_min = microseconds(50);
  mood_.links.delay_max = Duration{microseconds(prng_.between(200, 8000))};
  mood_.links.slow_permille = static_cast<std::uint32_t>(prng_.below(prng_.chance(1, 4) ? 300 : 50));
  mood_.links.slow_max = ms(20, 600);
  if (profile_.transport == Transport::Datagram) {
    mood_.links.loss_permille = static_cast<std::uint32_t>(prng_.below(150));
    mood_.links.duplicate_permille = static_cast<std::uint32_t>(prng_.below(150));
  }
  network_.set_all_faults(mood_.links);
}

consensus::Configuration Cluster::first_members() const {
  consensus::Configuration members;
  const std::size_t voters = profile_.members ? 3 : server_count_;
  for (std::size_t i = 1; i <= voters; ++i) members.voters.push_back(static_cast<raft::ServerId>(i));
  return members;
}

Server::Options Cluster::draw_server_options() {
  Server::Options options;
  // The margin allows two clocks that differ by a tenth; without the profile, clocks are as bad as real ones.
  const std::int32_t drift = profile_.clocks ? 50'000 : 500;
  options.drift_ppm = static_cast<std::int32_t>(prng_.between(-drift, drift));
  options.disk_latency.usual_max = microseconds(prng_.between(200, 6000));
  options.disk_latency.slow_permille = static_cast<std::uint32_t>(prng_.below(prng_.chance(1, 4) ? 500 : 60));
  if (profile_.snapshots) {
    options.snapshot_every = static_cast<Index>(prng_.between(4, 30));
    options.snapshot_bytes = prng_.below(3000);
    options.config.snapshot_chunk_bytes = static_cast<std::size_t>(prng_.between(200, 1500));
    options.config.snapshot_tail_entries = prng_.below(12);
  }
  return options;
}

void Cluster::build_servers() {
  const bool lease_reads = prng_.chance(1, 2);
  const raft::ServerId preferred = static_cast<raft::ServerId>(prng_.below(2 * server_count_) + 1);
  const auto members = first_members();
  for (std::size_t number = 0; number < server_count_; ++number) {
    Server::Options options = draw_server_options();
    options.config.lease_reads = lease_reads;
    options.config.canary = options_.canary;
    if (preferred <= server_count_) options.config.leader_preference = {preferred};
    if (members.is_voter(static_cast<raft::ServerId>(number + 1))) options.config.bootstrap = members;
    servers_.push_back(std::make_unique<Server>(world_, number, options));
    scheduler_.after(milliseconds(prng_.between(0, 300)), [this, number] { restart(number); });
  }
}

Outcome Cluster::run() {
  repeat(mood_.crash_every, &Cluster::crash_some);
  repeat(mood_.cut_every, &Cluster::cut_some);
  repeat(mood_.pause_every, &Cluster::pause_one);
  repeat(mood_.disk_fault_every, &Cluster::fault_a_disk);
  repeat(mood_.transfer_every, &Cluster::transfer_once);
  repeat(mood_.member_change_every, &Cluster::change_members);
  repeat(mood_.fence_every, &Cluster::fence_once);
  repeat(mood_.fence_every, &Cluster::readmit);
  repeat(4 * mood_.fence_every, &Cluster::take_the_other_vote);
  repeat(mood_.propose_every, &Cluster::propose_once);
  repeat(mood_.read_every, &Cluster::read_once);
  scheduler_.at(world_at(trouble), [this] { make_peace(); });
  while (!judge_.violation() && scheduler_.now() < world_at(trouble + peace) && scheduler_.run_next()) {
  }
  if (!judge_.violation() && !came_to_rest()) judge_.accuse("no progress: the cluster did not come to rest in peace");
  outcome_.violation = judge_.violation();
  outcome_.last_events.assign(events_.begin(), events_.end());
  outcome_.simulated_ms = static_cast<std::uint64_t>(to_ms(scheduler_.now().time_since_epoch()));
  outcome_.elections = judge_.elections();
  outcome_.commits = judge_.commits();
  outcome_.reads = judge_.reads();
  for (const auto& server : servers_) outcome_.snapshots_restored += server->snapshots_restored();
  outcome_.event_hash = mixed(outcome_.event_hash, scheduler_.events_run());
  return outcome_;
}

void Cluster::repeat(Duration every, void (Cluster::*action)()) {
  if (every == Duration{0}) return;
  scheduler_.after(around(every), [this, every, action] {
    if (peace_) return;
    (this->*action)();
    repeat(every, action);
  });
}

// ---- trouble ------------------------------------------------------------------------------------------------------

/// The leader more often than the others: there the trouble is.
Server& Cluster::any_victim() {
  Server* leader = any_leader();
  return leader != nullptr && prng_.chance(1, 3) ? *leader : any_server();
}

void Cluster::crash_some() {
  if (!prng_.chance(mood_.storm_permille, 1000)) return crash(any_victim());
  for (const auto& server : servers_)
    if (prng_.chance(2, 3)) crash(*server);
}

void Cluster::crash(Server& victim) {
  if (!victim.alive()) return;
  ++outcome_.crashes;
  victim.crash(prng_.chance(4, 5));
  network_.reset_node(victim.number());
  restart_later(victim.number());
}

void Cluster::restart_later(std::size_t server) {
  scheduler_.after(Duration{prng_.between(1'000'000, mood_.down_max.count())}, [this, server] { restart(server); });
}

void Cluster::restart(std::size_t server) {
  if (!servers_[server]->alive()) servers_[server]->start();
}

void Cluster::cut_some() {
  if (prng_.chance(1, 2)) return network_.heal_all();
  const std::size_t one = any_victim().number();
  for (std::size_t other = 0; other < server_count_; ++other) {
    if (other == one || prng_.chance(1, 4)) continue;
    const std::uint64_t ways = prng_.below(3);  // both, out, in
    if (ways != 2) network_.cut(one, other);
    if (ways != 1) network_.cut(other, one);
  }
}

void Cluster::pause_one() {
  Server& victim = any_victim();
  if (!victim.alive() || victim.paused()) return;
  victim.pause();
  scheduler_.after(Duration{prng_.between(5'000'000, mood_.pause_max.count())},
                   [this, number = victim.number()] { servers_[number]->resume(); });
}

void Cluster::fault_a_disk() {
  Server& victim = any_server();
  switch (prng_.below(3)) {
    case 0:
      return victim.disk().fail_writes(1);
    case 1:
      return victim.disk().fail_flushes(1);
    default:
      return victim.disk().set_full(true);
  }
}

void Cluster::transfer_once() {
  if (Server* leader = any_leader(); leader != nullptr && !leader->paused())
    leader->transfer(prng_.below(server_count_));
}

/// At whoever thinks that it leads, so that changes are also begun that must be rolled back.
void Cluster::change_members() {
  Server* leader = &any_server();
  if (!leader->is_leader()) leader = any_leader();
  if (leader == nullptr || leader->paused()) return;
  consensus::Configuration members = leader->raft().status().configuration;
  const auto id = static_cast<raft::ServerId>(prng_.below(server_count_) + 1);
  const auto drop = [id](std::vector<raft::ServerId>& from) { std::erase(from, id); };
  const bool was_voter = members.is_voter(id), was_learner = members.is_learner(id);
  drop(members.voters);
  drop(members.learners);
  auto& into = was_learner && prng_.chance(3, 4) ? members.voters : members.learners;
  const bool keep = (!was_voter && !was_learner) || prng_.chance(was_learner ? 7 : 4, 8);
  if (keep) into.insert(std::lower_bound(into.begin(), into.end(), id), id);
  ++outcome_.member_changes;
  leader->propose_configuration(members);
}

/// The fence agent is an oracle that kills, sooner or later, or not at all; and it answers later still. Meanwhile the
/// victim may be back, and whoever asked may be dead: its order is carried out all the same.
void Cluster::fence_once() {
  Server& by = any_server();
  if (!by.alive() || by.paused()) return;
  const auto status = by.raft().status();
  // A manager asks may_reform first. The core must refuse whoever does not.
  if (!status.may_reform && prng_.chance(3, 4)) return;
  if (by.is_leader() && prng_.chance(3, 4)) return;
  Server& victim = *servers_[1 - by.number()];
  const auto fate = prng_.below(10);  // 0: it does nothing and says so; 1: it kills and reports a failure
  scheduler_.after(
      Duration{prng_.between(0, 600'000'000)},
      [this, &victim, &by, life = by.life(), since = by.local_now(), fate] { fence(victim, by, life, since, fate); });
}

void Cluster::fence(Server& victim, Server& by, std::uint64_t life, Instant since, std::uint64_t fate) {
  if (fate == 0) return;
  if (victim.alive()) crash(victim);
  if (fate == 1) return;
  const bool late = prng_.chance(1, 3);
  scheduler_.after(Duration{prng_.between(0, late ? 2'000'000'000 : 50'000'000)}, [this, &victim, &by, life, since] {
    if (!by.alive() || by.paused() || by.life() != life) return;
    ++outcome_.fencings;
    by.go_on_without(victim.number(), since);
  });
}

/// The other one said goodbye.
void Cluster::take_the_other_vote() {
  Server& at = any_server();
  if (!at.is_leader() || at.paused() || at.raft().status().configuration.voters.size() != 2) return;
  ++outcome_.votes_taken;
  const auto self = static_cast<raft::ServerId>(at.number() + 1);
  at.propose_configuration({{self}, {static_cast<raft::ServerId>(3 - self)}});
}

/// A survivor takes the other one in again: as a learner, then as a voter.
void Cluster::readmit() {
  Server& at = any_server();
  if (!at.is_leader() || at.paused()) return;
  consensus::Configuration members = at.raft().status().configuration;
  if (members.voters.size() != 1) return;
  ++outcome_.turns_alone;
  const auto other = static_cast<raft::ServerId>(2 - at.number());
  if (members.is_learner(other)) {
    members.learners.clear();
    members.voters = {1, 2};
  } else {
    members.learners = {other};
  }
  at.propose_configuration(members);
}

/// A deposed leader that does not know it yet gets its share: that is how logs come to differ.
void Cluster::propose_once() {
  Server* leader = any_leader();
  Server& anyone = any_server();
  Server& at = leader != nullptr && !anyone.is_leader() && prng_.chance(5, 6) ? *leader : anyone;
  if (!at.alive() || at.paused()) return;
  for (std::uint64_t burst = prng_.chance(1, 6) ? prng_.below(8) : 1; burst > 0 && at.alive(); --burst)
    at.propose(next_proposal_++);
}

void Cluster::read_once() {
  Server& at = any_server();
  if (at.alive() && !at.paused()) at.read();
}

// ---- peace --------------------------------------------------------------------------------------------------------

void Cluster::make_peace() {
  peace_ = true;
  network_.heal_all();
  LinkFaults gentle;
  gentle.delay_max = milliseconds(2);
  network_.set_all_faults(gentle);
  for (const auto& server : servers_) {
    server->resume();
    server->disk().set_full(false);
    server->disk().fail_writes(0);
    server->disk().fail_flushes(0);
    if (!server->alive()) server->start();
  }
  scheduler_.after(seconds(8), [this] { propose_in_peace(); });
}

void Cluster::propose_in_peace() {
  // A process that noticed its disk's failure only now has ended once more.
  for (const auto& server : servers_)
    if (!server->alive()) server->start();
  Server* leader = any_leader();
  if (leader != nullptr && (proposed_in_peace_ == 0 || judge_.newest_proposal() != proposed_in_peace_)) {
    proposed_in_peace_ = next_proposal_++;
    leader->propose(proposed_in_peace_);
  }
  scheduler_.after(milliseconds(500), [this] { propose_in_peace(); });
}

/// The last proposal is applied everywhere where it should be.
bool Cluster::came_to_rest() const {
  Server* leader = any_leader();
  if (leader == nullptr || leader->applied_index() == 0) return false;
  const auto members = leader->raft().status().configuration;
  const bool fresh = judge_.read_floor() == leader->applied_index() && proposed_in_peace_ != 0 &&
                     judge_.newest_proposal() == proposed_in_peace_;
  return fresh && std::all_of(servers_.begin(), servers_.end(), [&](const auto& server) {
           if (!members.is_member(static_cast<raft::ServerId>(server->number() + 1))) return true;
           return server->alive() && server->applied_index() == leader->applied_index();
         });
}

// ---- plumbing -----------------------------------------------------------------------------------------------------

Server* Cluster::any_leader() const {
  Server* found = nullptr;
  for (const auto& server : servers_) {
    if (!server->is_leader()) continue;
    if (found == nullptr || server->raft().leadership().term > found->raft().leadership().term) found = server.get();
  }
  return found;
}

void Cluster::deliver(std::size_t from, std::size_t to, const raft::Message& message) {
  outcome_.event_hash = mixed(outcome_.event_hash, message.index() << 16 | from << 8 | to);
  if (++delivered_ % 16 != 0) return servers_[to]->receive(from, message);
  const Bytes bytes = raft::encode(message);
  const auto decoded = raft::decode(bytes);
  if (!decoded || bytes.size() > raft::message_bytes_max) return judge_.accuse("a message does not survive its codec");
  servers_[to]->receive(from, *decoded);
}

void Cluster::trace(std::size_t server, const std::string& line) {
  const auto now_us = std::chrono::duration_cast<microseconds>(scheduler_.now().time_since_epoch()).count();
  events_.push_back(fmt::format("{:>12.3f} ms  {}  {}", static_cast<double>(now_us) / 1000, server + 1, line));
  if (events_.size() > events_kept) events_.pop_front();
}

}  // namespace bascule::sim
