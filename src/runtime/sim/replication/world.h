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
#include "runtime/sim/disk.h"
#include "runtime/sim/replication/checker.h"
#include "runtime/sim/replication/majority.h"
#include "runtime/sim/replication/stamp_disk.h"
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
class ReplicationWorld {
 public:
  explicit ReplicationWorld(const ReplicationScenario& scenario);
  ~ReplicationWorld();
  ReplicationResult run();

 private:
  static constexpr std::size_t nodes = 2;
  using SocketId = replication::input::SocketId;
  using Stamps = StampDisk::Stamps;

  /// One TCP connection. `ends[0]` opened it.
  struct Tcp {
    struct End {
      std::size_t node;
      std::uint32_t life;
      SocketId socket;
      bool known = false;  ///< the engine has heard of it
      bool closed = false;
      drbd::Socket kind = drbd::Socket::Data;
      drbd::WireOptions options{};
    };
    std::array<End, 2> ends;
    std::array<WorldTime, 2> last_arrival{};
    bool dead = false;  ///< nothing arrives any more
  };
  struct Node {
    std::size_t index = 0;
    std::uint32_t life = 0;  ///< counts starts; effects of an earlier one are void
    bool alive = false;
    std::unique_ptr<replication::Engine> engine;
    StampDisk data;
    Disk metadata;
    std::unordered_map<replication::BufferId, Stamps> buffers;
    replication::BufferId next_buffer = 1;
    std::map<SocketId, std::shared_ptr<Tcp>> sockets;
    SocketId next_accepted = replication::input::kAcceptedSocketBit;
    std::map<replication::RequestId, std::uint64_t> open_writes;  ///< request -> stamp
    std::set<replication::RequestId> fua;
    std::set<replication::RequestId> open_flushes;
    struct OpenZeroing {
      std::uint64_t sector, sectors, stamp;
    };
    std::map<replication::RequestId, OpenZeroing> open_zeroings;  ///< also in open_writes
    struct OpenRead {
      replication::BufferId buffer;
      std::uint64_t sector;
      Stamps floor;  ///< what it must show at least
    };
    std::map<replication::RequestId, OpenRead> open_reads;
    std::map<replication::OperationId, std::pair<std::uint64_t, std::uint64_t>> disk_writes;  ///< sectors being written
    struct InFlight {
      std::uint64_t sector;
      Stamps stamps;
    };
    std::map<replication::OperationId, InFlight> in_flight;
    Scheduler::EventId timer{};
    Instant timer_at = never;
    Instant last_tick{};
    std::uint32_t ticks_at_once = 0;   ///< an engine whose deadline does not move spins
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
    std::uint32_t failing_io = 0;            ///< so many of the next disk requests fail
    std::uint64_t backing_bytes = 0;         ///< size of the disk, which grows
    std::vector<std::uint64_t> known_sizes;  ///< of it, oldest first: where the metadata may be; survives everything
    explicit Node(std::uint64_t data_sectors, std::uint64_t metadata_bytes)
        : data(data_sectors), metadata(metadata_bytes) {}
  };

  [[nodiscard]] Instant local() const { return Instant{scheduler_.now().time_since_epoch()}; }
  Prng& prng() { return scheduler_.prng(); }
  Duration between(Duration low, Duration high) { return Duration{prng().between(low.count(), high.count())}; }
  void later(Node& node, Duration delay, std::function<void()> action);

  // -- life
  void format();
  void start(Node& node);
  void stop(Node& node, bool power);
  void step(Node& node, const replication::Input& input);
  void rearm(Node& node);

  // -- effects
  void carry_out(Node& node, replication::Effects& effects);
  void carry_out(Node& node, const replication::effect::DiskWrite& effect);
  void carry_out(Node& node, const replication::effect::DiskZero& effect);
  void carry_out(Node& node, const replication::effect::DiskRead& effect);
  void carry_out(Node& node, const replication::effect::DiskFlush& effect);
  void carry_out(Node& node, const replication::effect::MetadataWrite& effect);
  void carry_out(Node& node, const replication::effect::MetadataMoved& effect);
  void carry_out(Node& node, const replication::effect::Connect& effect);
  void carry_out(Node& node, const replication::effect::CloseSocket& effect);
  void carry_out(Node& node, const replication::effect::UseWire& effect);
  void carry_out(Node& node, const replication::effect::Send& effect);
  void carry_out(Node& node, const replication::effect::TakeBuffer& effect);
  void carry_out(Node& node, const replication::effect::ReleaseBuffer& effect);
  void carry_out(Node& node, const replication::effect::CopyBuffer& effect);
  void carry_out(Node& node, const replication::effect::Complete& effect);
  void carry_out(Node& node, const replication::effect::RequestShrink& effect);
  void carry_out(Node& node, const replication::effect::RequestGrow& effect);
  void carry_out(Node& node, const replication::effect::CommandDone& effect);
  void carry_out(Node& node, const replication::effect::RunHandler& effect);
  void carry_out(Node& node, const replication::effect::Event& effect);
  void carry_out(Node&, const replication::effect::StatusChanged&) {}  // status() is asked where it matters
  void put(Node& node, replication::OperationId operation, std::uint64_t sector, Stamps stamps, bool durable);
  void note_begun(Node& node, std::uint64_t sector, const Stamps& stamps);
  void resync_event(Node& node, const std::string& kind);
  Duration disk_delay();
  void trace_write(const Node& node, const char* what, std::uint64_t sector, const Stamps& stamps) const;
  void check_overlap(Node& node, replication::OperationId operation, std::uint64_t sector, std::uint64_t sectors);

  // -- network
  void transmit(const std::shared_ptr<Tcp>& tcp, std::size_t from, Bytes bytes, Stamps payload);
  void deliver(const std::shared_ptr<Tcp>& tcp, std::size_t to, const Bytes& bytes, Stamps payload);
  void report_closed(const std::shared_ptr<Tcp>& tcp, std::size_t end, Duration delay);
  void kill_connections(bool tell);
  void kill_connections_of(std::size_t node, bool tell);

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
  void submit_write(Node& node);
  void submit_read(Node& node);
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
  [[nodiscard]] Bitmap marked_by(const Node& node) const;
  void count_crash(const Node& node);

  ReplicationScenario scenario_;
  Scheduler scheduler_;
  Majority majority_;
  ReplicationChecker checker_;
  std::array<std::unique_ptr<Node>, nodes> nodes_;
  std::vector<std::shared_ptr<Tcp>> connections_;
  std::uint64_t packets_under_way_ = 0;
  bool link_up_ = true;
  bool working_ = true;
  bool finishing_ = false;
  std::size_t wanted_owner_ = 0;              ///< by the operator
  std::array<bool, nodes> alone_{};           ///< was Primary without the other since they were last equal
  std::optional<std::size_t> first_primary_;  ///< of two empty replicas: the one whose data count
  replication::CommandId next_command_ = 1;
  std::uint64_t next_request_ = 1;
  std::uint64_t next_stamp_ = 1;
  ReplicationResult result_;
};

}  // namespace bascule::sim
