#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/manager/manager.h"
#include "runtime/sim/cluster/process.h"
#include "runtime/sim/consensus/storage.h"

namespace bascule::sim::cluster {

class Machine;
class World;
/// What one step of a manager says to one other, in one packet.
using Datagram = std::vector<message::Message>;

/// bascule-managerd of one machine: the product's manager under a driver that does what runtime/manager_host does.
class ManagerProcess final : public Process {
 public:
  ManagerProcess(World& world, Machine& machine);
  ~ManagerProcess() override;

  /// On what its disk has, with the configuration file of the machine.
  void start();
  /// `power_loss`: with what was not flushed of its log.
  void end(bool power_loss);

  void receive(std::uint32_t from, Datagram datagram);
  void step(manager::Input input);
  [[nodiscard]] const manager::Manager& manager() const { return *manager_; }
  /// The blockd of this volume has ended, and its socket with it.
  void block_lost(const std::string& volume);
  /// It is connected to the blockd of this volume.
  [[nodiscard]] bool hears(const std::string& volume) const;
  [[nodiscard]] Disk& disk() { return storage_.disk(); }
  /// A person's change here; `done` is told "" or the refusal, if this life lasts until then.
  void change(message::Command command, std::function<void(const std::string&)> done);

 private:
  struct Block {  ///< the connection to one blockd
    bool up = false;
    std::uint32_t turn = 0;  ///< counts connections: what was said over an earlier one is lost
  };
  void run(const manager::Input& input);
  void carry_out(manager::Effect& effect);
  bool carry_out_for_block(manager::Effect& effect);
  bool carry_out_here(manager::Effect& effect);
  void configured(const manager::effect::Configured& now);
  void attend(const std::string& volume, bool open);
  void connect(const std::string& volume, std::uint32_t turn);
  void run_fence_agent(const manager::effect::RunFenceAgent& effect);
  void tell_abilities();
  void send_releases();
  void flush();
  void arm_timer();
  void fired();
  void resumed() override;
  void persisted(const consensus::Input& report);

  World& world_;
  Machine& machine_;
  RaftStorage storage_;
  std::unique_ptr<manager::Manager> manager_;
  std::map<std::string, Block> blocks_;
  std::vector<manager::effect::ReleaseLease> releases_;  ///< not delivered yet
  std::vector<manager::Input> queued_;
  bool stepping_ = false;
  bool stopping_ = false;
  manager::Effects effects_;
  std::map<std::uint32_t, Datagram> outgoing_;  ///< of the step under way
  std::map<manager::RequestId, std::function<void(const std::string&)>> waiting_;
  manager::RequestId next_request_ = 1;
  Scheduler::EventId timer_{};
  Instant timer_at_ = never;
};

}  // namespace bascule::sim::cluster
