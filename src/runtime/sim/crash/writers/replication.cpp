// Superblock, activity log and bitmap of two replicas, written by core/replication.

#include "core/replication/canary.h"
#include "runtime/sim/crash/volumes_moment.h"
#include "runtime/sim/crash/writers/all.h"
#include "runtime/sim/crash/writers/replica_pair.h"

namespace bascule::sim {
namespace {

namespace canary = replication::detail::canary;
using replication::Engine;

enum Operation : std::size_t {
  write_cold,
  write_hot,
  write_many,
  flush,
  lose_connection,
  lose_in_write,
  connect,
  lose_in_resync,
  demote,
  kill_alice,
  kill_bob
};

ReplicaPair::Faults faults_of(const std::string& name) {
  if (name == "activity-log-lost") return {.canaries = canary::kForgetActivityLog};
  if (name == "unacknowledged-forgotten") return {.canaries = canary::kForgetUnacknowledged};
  if (name == "start-without-flush") return {.start_without_flush = true};
  if (name == "bitmap-write-lost") return {.lose_bitmap_writes = true};
  return {};
}

/// The engine as it is when the power is back and the disk is attached.
Engine recovered(const std::string& name, const CrashVolume& metadata) {
  const Instant now = instant_from_ns(1);
  Engine engine(ReplicaPair::config_of(name), ReplicaPair::restored_from(metadata), now);
  std::vector<replication::Input> inputs{replication::input::Tick{}};
  for (std::size_t turn = 0; turn < inputs.size(); ++turn) {
    replication::Effects effects;
    engine.step(inputs[turn], now, effects);
    for (const auto& effect : effects)
      if (const auto* write = std::get_if<replication::effect::MetadataWrite>(&effect))
        inputs.emplace_back(replication::input::DiskDone{write->operation, 0});
  }
  return engine;
}

class Replication final : public CrashSubject {
 public:
  Replication(Explorer& explorer, const std::string& fault) : explorer_(explorer), pair_(faults_of(fault)) {
    pair_.promote();
    pair_.run(seconds(1));
    pair_.changed = [this](const std::string& what) { power_may_fail(what); };
  }

  bool perform(std::size_t operation) override {
    using enum drbd::ConnectionState;
    const bool connected = pair_.alice.engine->status().connection >= Connected;
    const bool primary = pair_.alice.engine->status().role == drbd::Role::Primary;
    const bool writes = operation <= flush || operation == lose_in_write || operation == demote;
    if (writes && !primary) return false;
    if ((operation == lose_connection || operation == lose_in_write) && !connected) return false;
    if ((operation == connect || operation == lose_in_resync) && connected) return false;
    if (operation == write_cold) write_in_next_extent();
    if (operation == write_hot) pair_.write(extent_ * ReplicaPair::extent_blocks + ++block_);
    if (operation == write_many)
      for (int i = 0; i < 3; ++i) write_in_next_extent();
    if (operation == flush) pair_.flush();
    if (operation == lose_in_write) lose_the_connection_in_a_write();
    if (operation == lose_connection) pair_.cut();
    if (operation == connect) return reconnect();
    if (operation == lose_in_resync) return lose_the_connection_in_a_resync();
    if (operation == demote) pair_.demote();
    if (operation == kill_alice) return revive(pair_.alice);
    if (operation == kill_bob) return revive(pair_.bob);
    pair_.run(milliseconds(200));
    return true;
  }

 private:
  void write_in_next_extent() {
    constexpr std::uint64_t extents = ReplicaPair::data_bytes / (4 << 20);
    extent_ = (extent_ + 11) % extents;  // so that different sectors and pages of the bitmap are met
    pair_.write(extent_ * ReplicaPair::extent_blocks + block_);
  }
  void lose_the_connection_in_a_write() {
    write_in_next_extent();
    write_in_next_extent();
    const auto newest = extent_ * ReplicaPair::extent_blocks + block_;
    pair_.run(milliseconds(200), [&] { return pair_.bob.newest(newest) != 0; });
    pair_.cut();
  }
  bool reconnect() {
    pair_.mend();
    pair_.run(seconds(3));
    return pair_.alice.engine->status().connection == drbd::ConnectionState::Connected;
  }
  bool lose_the_connection_in_a_resync() {
    pair_.mend();
    bool syncing = false;
    pair_.run(seconds(3), [&] {
      const auto status = pair_.bob.engine->status();
      syncing = status.connection == drbd::ConnectionState::SyncTarget && status.resync_done_bytes > 0;
      return syncing;
    });
    pair_.cut();
    pair_.run(milliseconds(200));
    return syncing;
  }
  bool revive(ReplicaPair::Node& node) {
    pair_.restart(node);
    pair_.run(milliseconds(200));
    if (&node == &pair_.alice) pair_.promote();
    pair_.run(seconds(2));
    return true;
  }

  void power_may_fail(const std::string& what) {
    explorer_.renew();  // the data have changed, and with them what must be marked
    const std::vector<VolumesMoment::Named> disks{{&pair_.alice.metadata, "alice's metadata"},
                                                  {&pair_.bob.metadata, "bob's metadata"}};
    const VolumesMoment::Check check = [this](const auto& found) { return fault_of(found); };
    explorer_.point(
        what, 0, [&](std::uint64_t cell_bytes) { return std::make_unique<VolumesMoment>(disks, cell_bytes, check); });
  }

  /// The power of both has failed.
  std::string fault_of(const std::vector<CrashVolume>& found) const {
    const Engine alice = recovered("alice", found[0]), bob = recovered("bob", found[1]);
    for (const ReplicaPair::Node* node : {&pair_.alice, &pair_.bob})
      for (const auto& [block, versions] : node->blocks)
        if (may_differ(block) && !alice.bitmap().test(block) && !bob.bitmap().test(block))
          return "block " + std::to_string(block) + " may differ, and is not marked";
    for (const auto& [block, stamp] : pair_.acknowledged) {
      const bool alone = pair_.alice.newest(block) == stamp && pair_.bob.newest(block) != stamp;
      if (alone && alice.status().bitmap_uuid == 0)
        return "block " + std::to_string(block) + " was acknowledged without the peer, in a generation that is lost";
    }
    return "";
  }
  [[nodiscard]] bool may_differ(std::uint64_t block) const {
    static const std::vector<ReplicaPair::Stamp> untouched{0};
    const auto versions = [&](const ReplicaPair::Node& node) -> const std::vector<ReplicaPair::Stamp>& {
      const auto there = node.blocks.find(block);
      return there == node.blocks.end() ? untouched : there->second;
    };
    const auto &one = versions(pair_.alice), &other = versions(pair_.bob);
    return one.size() != 1 || other.size() != 1 || one != other;
  }

  Explorer& explorer_;
  ReplicaPair pair_;
  std::uint64_t extent_ = 0, block_ = 0;
};

}  // namespace

CrashWriter replication_writer() {
  return {
      "replication",
      "what two replicas may differ in is marked in a bitmap or an activity log, and a generation that was "
      "acknowledged is known",
      {"write to a cold extent", "write to a hot extent", "write to three cold extents", "flush", "lose the connection",
       "lose it in the middle of a write", "connect, and resync", "connect, and lose it in the middle of the resync",
       "demote alice", "kill alice's blockd", "kill bob's blockd"},
      3,
      [](Explorer& explorer, const std::string& fault) -> std::unique_ptr<CrashSubject> {
        return std::make_unique<Replication>(explorer, fault);
      }};
}

}  // namespace bascule::sim
