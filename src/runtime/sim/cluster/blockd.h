#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/manager/manager.h"
#include "runtime/sim/cluster/process.h"
#include "runtime/sim/replication/application.h"
#include "runtime/sim/replication/replica.h"
#include "runtime/watchdog/lease_page.h"

namespace bascule::sim::cluster {

class Machine;
class Volume;

/// bascule-blockd of one volume on one machine: the product's engine, and around it what runtime/block_host does with
/// promotion, demotion, the lease and the manager's requests (README.md says what is imitated).
class Blockd final : public Replica {
 public:
  Blockd(ReplicaWorld& around, Volume& volume, Machine& machine, std::size_t index, std::uint64_t data_sectors,
         std::uint64_t metadata_bytes);

  /// The process starts, on what the disk has.
  void begin();
  /// The process ends; `power`: with the machine.
  void end(bool power);

  // -- what its manager asks; answers come as inputs of that manager
  void promote(std::uint64_t epoch, bool initial);
  void demote(bool force);
  void fail_io();
  void in_sync(std::uint64_t version, bool self_member, bool peer_member);
  void peer_lost(const std::string& reason);

  // -- what the engine and its driver tell
  std::optional<replication::input::LeaseRead> read_lease();
  void answered(const replication::effect::Complete& effect);
  void happened(const replication::effect::Event& event);
  void turned();
  void changed() { state_changed_ = true; }

  // -- what applications see
  [[nodiscard]] const std::string& device() const { return device_; }
  [[nodiscard]] bool primary() const { return primary_; }
  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }
  [[nodiscard]] Application& application() { return *application_; }
  [[nodiscard]] const Application& application() const { return *application_; }
  [[nodiscard]] Machine& machine() { return machine_; }
  [[nodiscard]] const Machine& machine() const { return machine_; }
  [[nodiscard]] const std::string& machine_name() const;
  [[nodiscard]] bool lease_valid() const;

  [[nodiscard]] manager::VolumeState state() const;
  void tell_whole_state();

 private:
  enum class Device : std::uint8_t { Detached, Attaching, Attached, Detaching };
  struct Transition {
    bool promote;
    std::uint64_t epoch;
  };
  void promoted();
  void demoted();
  void attach_device();
  void abandon_device();
  void demote_gently();
  void finish(const std::string& refusal);
  void deliver(const replication::effect::Complete& effect);
  void deliver_withheld();
  void fail_withheld();
  void tell_state();
  void tell(manager::Input input);
  void keep_for_later(const replication::effect::Complete& effect);
  void write_what_was_kept();

  Volume& volume_;
  Machine& machine_;
  std::optional<Application> application_;
  watchdog::Lease lease_;
  bool primary_ = false;
  std::uint64_t epoch_ = 0;
  std::optional<Transition> transition_;
  Device device_state_ = Device::Detached;
  std::uint32_t device_turn_ = 0;
  std::string device_;
  std::uint64_t in_sync_version_ = 0;
  bool failed_io_ = false;
  std::vector<replication::effect::Complete> withheld_;
  std::vector<std::uint64_t> kept_;  ///< stamps of writes that Plant::HeldWritesAfterTakeover does again
  bool state_changed_ = false;
  bool counters_changed_ = false;
  bool counters_timer_ = false;
  WorldTime next_counters_{};
  manager::VolumeState told_;
};

}  // namespace bascule::sim::cluster
