#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/replication/engine.h"
#include "runtime/sim/replication/application.h"
#include "runtime/sim/replication/checker.h"
#include "runtime/sim/replication/majority.h"
#include "runtime/sim/replication/pair_link.h"
#include "runtime/sim/replication/replica.h"
#include "runtime/sim/scheduler.h"

namespace bascule::sim {

/// What one run does.
struct ReplicationScenario {
  std::uint64_t seed = 1;
  replication::Authority authority = replication::Authority::Cluster;
  drbd_config::Options options;  ///< of both nodes
  bool created_anew = false;     ///< begin with two empty replicas; else with two equal ones
  std::uint32_t canaries = 0;    ///< deliberate faults of the engine
  std::uint64_t data_bytes = 24ULL << 20;
  std::uint64_t grown_bytes = 0;  ///< at some time the disks hold so much, and the owner wants it all; 0: they never do
  std::array<bool, 2> external_metadata{};  ///< of which node they are on a device of their own
  std::uint32_t al_extents = 2;
  Duration fault_time = seconds(6);
  std::uint32_t faults = 10;                  ///< how many
  bool careless_majority = false;             ///< it asks non-members to take over
  bool trace = false;                         ///< print events
  std::optional<std::uint64_t> trace_sector;  ///< and what is written there
};

struct ReplicationResult {
  std::string violation;  ///< empty: everything held
  std::uint64_t acknowledged = 0;
  std::uint64_t promotions = 0;
  std::uint64_t resyncs = 0;
  std::uint64_t power_losses = 0;
  // What was under way when the power failed.
  std::uint64_t during_writes = 0, during_discards = 0, during_metadata = 0, during_resync = 0, during_resize = 0;
  std::uint64_t under_operator = 0, under_a = 0, under_b = 0;  ///< power losses by what the volume obeyed
  std::uint64_t coverage_checks = 0;
  std::uint64_t reads = 0, flushes = 0, zeroings = 0, split_brains = 0, detaches = 0;
  std::uint64_t vouched = 0;  ///< a member without the volume asked for the other copy
  /// Adds the figures of another run.
  void add(const ReplicationResult& other);
};

/// The scenario that a seed of `bascule-sim crash` stands for.
[[nodiscard]] ReplicationScenario scenario_of(std::uint64_t seed);

/// Two engines with their disks, the TCP connections between them, the majority, a workload and faults.
class ReplicationWorld final : private ReplicaWorld {
 public:
  explicit ReplicationWorld(const ReplicationScenario& scenario);
  ~ReplicationWorld() override;
  ReplicationResult run();

 private:
  static constexpr std::size_t nodes = 2;
  using Stamps = StampDisk::Stamps;

  struct Node : Replica {
    using Replica::Replica;
    std::optional<Application> application;
    std::uint64_t released_epoch = 0;  ///< given back: never used again
    bool majority_reachable = true;
    std::uint64_t lease_epoch = 0;
    Instant lease_end{};
    std::uint64_t promoting_epoch = 0;
    WorldTime promoted_ask{};
    bool handing_over = false;
    std::optional<WorldTime> lease_lost{};
    bool device_open = false;
    // -- as the person at the console sees it
    replication::CommandId promoting = 0, attaching = 0;
    std::uint32_t refusals = 0;  ///< promotions in a row
    bool split_brain = false, gives_up = false;
    bool left_alone = false;                 ///< disconnected on purpose
    std::uint64_t backing_bytes = 0;         ///< size of the disk, which grows
    std::vector<std::uint64_t> known_sizes;  ///< of it, oldest first: where the metadata may be; survives everything
  };

  [[nodiscard]] Instant local() const { return Instant{scheduler_.now().time_since_epoch()}; }
  Prng& prng() { return scheduler_.prng(); }
  Duration between(Duration low, Duration high) { return Duration{prng().between(low.count(), high.count())}; }

  // -- life
  void format();
  void start(Node& node);
  void stop(Node& node, bool power);
  // -- what the replicas want
  static Node& node_of(Replica& replica) { return static_cast<Node&>(replica); }
  std::optional<replication::input::LeaseRead> lease(Replica& replica) override;
  void complete(Replica& replica, const replication::effect::Complete& effect) override;
  void request_shrink(Replica& replica, const replication::effect::RequestShrink& effect) override;
  void request_grow(Replica& replica, const replication::effect::RequestGrow& effect) override;
  void command_done(Replica& replica, const replication::effect::CommandDone& effect) override;
  void run_handler(Replica& replica, const replication::effect::RunHandler& effect) override;
  void event(Replica& replica, const replication::effect::Event& effect) override;
  void metadata_moved(Replica& replica, const replication::effect::MetadataMoved& effect) override;
  void disk_write(Replica& replica, DiskMoment moment, std::uint64_t sector, const Stamps& stamps) override;
  void sizes_come(Replica& replica) override { tell_size(node_of(replica)); }
  Reach reach(const Replica& from, const Replica& to) override;
  void violation(std::string text) override { checker_.violation(std::move(text)); }
  Application::Facts facts_of(const Node& node) const;
  void resync_event(Node& node, const std::string& kind);
  void trace_write(const Node& node, const char* what, std::uint64_t sector, const Stamps& stamps) const;

  // -- the node's manager
  void heartbeat(Node& node);
  void informed(Node& node, const Majority::View& view, WorldTime asked_at, bool leased);
  void commit();

  // -- the person at the console, where there is no majority
  [[nodiscard]] bool has_operator() const { return scenario_.authority == replication::Authority::Operator; }
  void tend(Node& node);
  void tend_connection(Node& node, const replication::Status& status);
  void tend_role(Node& node, const replication::Status& status);
  void tend_disk(Node& node, const replication::Status& status);
  void want(std::size_t owner);
  void note_equal();

  // -- disks that grow
  [[nodiscard]] bool external(const Node& node) const { return scenario_.external_metadata[node.index]; }
  [[nodiscard]] std::uint64_t metadata_bytes() const;
  [[nodiscard]] std::uint64_t backing_bytes_for(std::size_t node, std::uint64_t data_bytes) const;
  [[nodiscard]] drbd_metadata::Layout layout_of(const Node& node) const;
  [[nodiscard]] std::uint64_t most_bytes() const { return std::max(scenario_.data_bytes, scenario_.grown_bytes); }
  [[nodiscard]] std::uint64_t place_of(const Node& node) const;
  void tell_size(Node& node);
  void grow_disk(Node& node);
  void tend_size(Node& node);
  void check_size(const Node& node);
  [[nodiscard]] bool grown(const Node& node) const;
  [[nodiscard]] bool resizing(const Node& node) const;

  // -- workload and faults
  void work(Node& node);
  void fault();
  void fault_by_operator();
  void fault_on_link();
  void fault_on_node();
  void heal();
  [[nodiscard]] bool delivered() const;
  [[nodiscard]] bool quiet() const;
  void wait_until_quiet();
  void final_blackout();

  /// May the peer be promoted as it is, so that an acknowledgement has to say something of it?
  [[nodiscard]] bool peer_counts(const Node& node) const;
  [[nodiscard]] drbd_metadata::Superblock superblock_of(const Node& node) const;
  [[nodiscard]] replication::Restored restored(const Node& node) const;
  [[nodiscard]] replication::Config config_of(const Node& node);

  // -- what may differ is marked, at every instant
  void check_coverage(const char* when);
  void count_crash(const Node& node);

  ReplicationScenario scenario_;
  Scheduler scheduler_;
  Majority majority_;
  ReplicationChecker checker_;
  Clock clock_;  ///< of both nodes, and of the world
  std::array<std::unique_ptr<Node>, nodes> nodes_;
  std::optional<PairLink> link_;
  bool link_up_ = true;
  bool working_ = true;
  bool finishing_ = false;
  std::size_t wanted_owner_ = 0;              ///< by the operator
  std::array<bool, nodes> alone_{};           ///< was Primary without the other since they were last equal
  std::optional<std::size_t> first_primary_;  ///< of two empty replicas: the one whose data count
  replication::CommandId next_command_ = 1;
  Application::Numbers numbers_;
  Application::Counts counts_;
  ReplicationResult result_;
};

}  // namespace bascule::sim
