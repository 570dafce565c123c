#pragma once

#include <functional>
#include <memory>

#include "core/consensus/outbox.h"
#include "core/consensus/raft.h"
#include "runtime/sim/clock.h"
#include "runtime/sim/consensus/judge.h"
#include "runtime/sim/consensus/storage.h"

namespace bascule::sim {

/// One simulated server: the core, its driver, its files, its clock, and a state machine that hashes its commands.
class Server {
 public:
  /// What it needs from the world. All outlive it.
  struct World {
    Scheduler& scheduler;
    Judge& judge;
    std::function<void(std::size_t from, std::size_t to, const raft::Message&)> send;
    /// One line of the story; called only when `tracing`.
    std::function<void(std::size_t server, std::string line)> trace;
    bool tracing = false;
    /// The process ended by itself.
    std::function<void(std::size_t server)> ended;
  };
  struct Options {
    consensus::Config config;  ///< id and seed are set by the server
    RaftStorage::Latency disk_latency;
    std::int32_t drift_ppm = 0;
    Index snapshot_every = 0;  ///< applied entries between snapshots; 0: never
    std::size_t snapshot_bytes = 16;
  };

  /// `number` counts from 0; its consensus id is number + 1.
  Server(World& world, std::size_t number, const Options& options);

  void start();
  void crash(bool power_loss);
  /// The process stands still, its clock goes on.
  void pause();
  void resume();
  void receive(std::size_t from, const raft::Message& message);
  void propose(std::uint64_t proposal);
  void propose_configuration(const consensus::Configuration& configuration);
  void read();
  void transfer(std::size_t to);
  /// The process, as opposed to the server: what began in an earlier one is nobody's.
  [[nodiscard]] std::uint64_t life() const { return life_; }
  [[nodiscard]] Instant local_now() const { return clock_.local(world_.scheduler.now()); }
  void go_on_without(std::size_t other, Instant since);

  [[nodiscard]] bool alive() const { return raft_ != nullptr; }
  [[nodiscard]] bool paused() const { return paused_; }
  [[nodiscard]] bool is_leader() const { return alive() && raft_->leadership().role == consensus::Role::Leader; }
  [[nodiscard]] const consensus::Raft& raft() const { return *raft_; }
  [[nodiscard]] Index applied_index() const { return state_.applied; }
  [[nodiscard]] Disk& disk() { return storage_.disk(); }
  [[nodiscard]] std::size_t number() const { return number_; }
  [[nodiscard]] std::size_t snapshots_restored() const { return snapshots_restored_; }

 private:
  struct State {
    Index applied = 0;
    std::uint64_t hash = 0;
  };

  void step(const consensus::Input& input);
  void carry_out(const consensus::Effect& effect);
  void on(const consensus::Send& send);
  void on(const consensus::Persist& persist);
  void on(const consensus::Apply& apply);
  void on(const consensus::RestoreSnapshot& restore);
  void on(const consensus::ProposalDone& done);
  void on(const consensus::ReadReady& ready);
  void on(const consensus::ReadFailed& failed) { reads_.erase(failed.id); }
  void on(const consensus::LeaderChanged&) {}
  void on(const consensus::ConfigurationChanged&) {}
  void on(const consensus::Stop&) { stopping_ = true; }
  void observe();
  void take_snapshot();
  void schedule_timer();
  void timer_fired();

  World& world_;
  std::size_t number_;
  Options options_;
  Clock clock_;
  RaftStorage storage_;
  consensus::Outbox outbox_;
  std::unique_ptr<consensus::Raft> raft_;
  State state_;
  Index snapshot_index_ = 0;
  std::size_t snapshots_restored_ = 0;
  std::map<std::uint64_t, Index> reads_;  ///< open reads and what each must see
  std::uint64_t next_read_ = 1;
  consensus::Effects effects_;
  std::vector<consensus::Input> missed_;  ///< reports of the disk while paused
  Instant timer_at_ = never;
  Scheduler::EventId timer_;
  std::uint64_t life_ = 0;
  bool paused_ = false;
  bool stopping_ = false;
};

}  // namespace bascule::sim
