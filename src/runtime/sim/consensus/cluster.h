#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "runtime/sim/consensus/profile.h"
#include "runtime/sim/consensus/server.h"

namespace bascule::sim {

/// What one seed did.
struct Outcome {
  std::uint64_t seed = 0;
  std::optional<std::string> violation;
  std::vector<std::string> last_events;  ///< only when traced
  std::uint64_t event_hash = 0;          ///< equal for equal runs
  std::uint64_t simulated_ms = 0;
  std::size_t crashes = 0, elections = 0, commits = 0, reads = 0, snapshots_restored = 0, member_changes = 0;
  std::size_t fencings = 0, turns_alone = 0, votes_taken = 0;  ///< of two nodes
};

struct RunOptions {
  bool trace = false;  ///< keep the last 200 events
  consensus::Canary canary = consensus::Canary::None;
};

/// Runs one seed of a profile to its end: a minute of faults, then peace, in which the cluster must come to rest.
[[nodiscard]] Outcome run_seed(const Profile& profile, std::uint64_t seed, const RunOptions& options = {});

/// The world of one seed: servers, links, clients, and the trouble.
class Cluster {
 public:
  Cluster(const Profile& profile, std::uint64_t seed, const RunOptions& options);
  Outcome run();

 private:
  /// How bad this seed is; drawn once.
  struct Mood {
    Duration crash_every, cut_every, pause_every, disk_fault_every, transfer_every, member_change_every, fence_every;
    Duration propose_every, read_every;
    Duration down_max, pause_max;
    std::uint32_t storm_permille;  ///< crashes that take most servers at once
    LinkFaults links;
  };
  void draw_mood();
  void build_servers();
  [[nodiscard]] Server::Options draw_server_options();
  [[nodiscard]] consensus::Configuration first_members() const;

  /// Calls `action` again and again, at random intervals around `every`, until the faults end. Zero: never.
  void repeat(Duration every, void (Cluster::*action)());
  void crash_some();
  void crash(Server& victim);
  [[nodiscard]] Server& any_victim();
  void restart(std::size_t server);
  void restart_later(std::size_t server);
  void cut_some();
  void pause_one();
  void fault_a_disk();
  void transfer_once();
  void change_members();
  void fence_once();
  void fence(Server& victim, Server& by, std::uint64_t life, Instant since, std::uint64_t fate);
  void readmit();
  void take_the_other_vote();
  void propose_once();
  void read_once();

  void make_peace();
  void propose_in_peace();
  [[nodiscard]] bool came_to_rest() const;
  void deliver(std::size_t from, std::size_t to, const raft::Message& message);
  void trace(std::size_t server, const std::string& line);
  [[nodiscard]] Server* any_leader() const;
  [[nodiscard]] Server& any_server() { return *servers_[prng_.below(servers_.size())]; }
  [[nodiscard]] Duration around(Duration every) {
    return Duration{prng_.between(every.count() / 10, every.count() * 19 / 10)};
  }

  Profile profile_;
  RunOptions options_;
  Scheduler scheduler_;
  Prng prng_;
  std::size_t server_count_;
  Judge judge_;
  Network<raft::Message> network_;
  Server::World world_;
  std::vector<std::unique_ptr<Server>> servers_;
  Mood mood_;
  Outcome outcome_;
  std::deque<std::string> events_;
  std::uint64_t next_proposal_ = 1;
  std::uint64_t proposed_in_peace_ = 0;
  std::uint64_t delivered_ = 0;
  bool peace_ = false;
};

}  // namespace bascule::sim
