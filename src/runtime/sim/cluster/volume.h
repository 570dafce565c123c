#pragma once

#include <array>
#include <memory>
#include <optional>

#include "core/store/state.h"
#include "runtime/sim/cluster/blockd.h"
#include "runtime/sim/cluster/scenario.h"
#include "runtime/sim/replication/checker.h"
#include "runtime/sim/replication/on_disk.h"
#include "runtime/sim/replication/pair_link.h"

namespace bascule::sim::cluster {

class World;

/// One volume: two blockds with their disks, the connections between them, and the checker of its data.
class Volume final : private ReplicaWorld {
 public:
  static constexpr std::uint64_t data_bytes = 8ULL << 20;

  /// `machines`: where its two copies are; the engine's canaries are switched on by the world's scenario.
  Volume(World& world, const config::Volume& volume, std::array<Machine*, 2> machines);

  [[nodiscard]] const std::string& name() const { return name_; }
  /// Of its lease.
  [[nodiscard]] const std::string& slot() const { return slot_; }
  /// Null: this machine has no copy.
  [[nodiscard]] Blockd* on(const Machine& machine);
  [[nodiscard]] Blockd& other_than(const Blockd& blockd) { return *blockds_[1 - blockd.index]; }
  [[nodiscard]] const std::array<std::unique_ptr<Blockd>, 2>& blockds() const { return blockds_; }
  [[nodiscard]] PairLink& link() { return *link_; }
  [[nodiscard]] const PairLink& link() const { return *link_; }

  // -- for Blockd
  [[nodiscard]] Application make_application(Blockd& blockd);
  [[nodiscard]] replication::Config engine_config(const Blockd& blockd);
  [[nodiscard]] replication::Restored restored(const Blockd& blockd) const;
  void ended(Blockd& blockd, bool power);
  void promoted(Blockd& blockd);
  [[nodiscard]] Plant plant() const;
  [[nodiscard]] const ReplicationChecker::Submitted& write_of(std::uint64_t stamp) const {
    return checker_.write_of(stamp);
  }
  void completed(Blockd& blockd, const replication::effect::Complete& effect);

  // -- what is checked
  /// The cluster has agreed on this.
  void agreed(const store::VolumeState& state);
  void check_coverage(const char* when);
  /// Both copies are whole, equal and known to be so, and nothing is on its way.
  [[nodiscard]] bool at_rest() const;
  void settled();
  void after_blackout();
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::uint64_t acknowledged_writes() const { return checker_.acknowledged_writes(); }
  [[nodiscard]] const Application::Counts& counts() const { return counts_; }
  [[nodiscard]] const store::VolumeState& agreed_state() const { return agreed_; }

 private:
  static Blockd& blockd_of(Replica& replica) { return static_cast<Blockd&>(replica); }
  std::optional<replication::input::LeaseRead> lease(Replica& replica) override;
  void complete(Replica& replica, const replication::effect::Complete& effect) override;
  void request_shrink(Replica& replica, const replication::effect::RequestShrink& effect) override;
  void request_grow(Replica& replica, const replication::effect::RequestGrow& effect) override;
  void command_done(Replica&, const replication::effect::CommandDone&) override {}
  void run_handler(Replica& replica, const replication::effect::RunHandler& effect) override;
  void event(Replica& replica, const replication::effect::Event& effect) override;
  void status_changed(Replica& replica) override { blockd_of(replica).changed(); }
  void turn_ended(Replica& replica) override { blockd_of(replica).turned(); }
  void disk_write(Replica& replica, DiskMoment moment, std::uint64_t sector, const StampDisk::Stamps& stamps) override;
  Reach reach(const Replica& from, const Replica& to) override;
  void violation(std::string text) override;

  [[nodiscard]] Placed placed(std::size_t index) const { return {*blockds_[index], layout_}; }
  void judge();

  World& world_;
  std::string name_;
  std::string slot_;
  drbd_metadata::Layout layout_;
  std::uint64_t backing_bytes_;
  ReplicationChecker checker_;
  Application::Numbers numbers_;
  Application::Counts counts_;
  std::array<std::unique_ptr<Blockd>, 2> blockds_;
  std::optional<PairLink> link_;
  store::VolumeState agreed_;
};

}  // namespace bascule::sim::cluster
