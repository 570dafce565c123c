#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/sim/clock.h"
#include "runtime/sim/cluster/process.h"
#include "runtime/watchdog/ledger.h"
#include "wire/cluster_config/config.h"

namespace bascule::sim::cluster {

/// bascule-watchdogd of one machine. The ledger, the page and the rule of petting are the product's; the page is in
/// memory (tmpfs), so it outlives the process and not the power. The kernel's part of the address lease is here too: it
/// needs no process, and closes an address when its time is over.
class WatchdogProcess final : public Process {
 public:
  /// `reset`: the hardware, when nobody has petted it in time.
  WatchdogProcess(Scheduler& scheduler, const Clock& clock, std::function<void()> reset);
  ~WatchdogProcess() override;

  void start(const config::ClusterConfig& config);
  void kill();
  /// The configuration is another one: new leases get slots.
  void configure(const config::ClusterConfig& config);
  /// The page, the kernel's addresses and the watchdog's count are gone.
  void power_off();

  /// One update of the manager. False: not delivered, the process is away or its queue is full.
  [[nodiscard]] bool tell(watchdog::LeaseUpdate::Kind kind, const std::string& slot, std::uint64_t epoch, Instant end);
  /// What a reader of the page finds; no page or no such slot: no lease.
  [[nodiscard]] watchdog::Lease lease(const std::string& slot) const;
  /// Until when the kernel lets the addresses of this service answer.
  [[nodiscard]] Instant open_until(const std::string& service) const;
  /// Called after each change of a slot that took effect.
  std::function<void(const std::string& slot)> on_change;
  [[nodiscard]] std::uint64_t resets() const { return resets_; }

 private:
  void resumed() override { pet(); }
  void apply(const watchdog::LeaseUpdate& update);
  void add_slots(const config::ClusterConfig& config);
  void pet();
  void keep_petting();
  void count_down();
  [[nodiscard]] const watchdog::LeaseSlot* find(const std::string& slot) const;

  const Clock& clock_;
  std::function<void()> reset_;
  std::unique_ptr<watchdog::LeasePage> page_;
  std::optional<watchdog::Ledger> ledger_;
  config::Timing timing_;
  std::vector<Instant> kernel_;  ///< by slot: until when the addresses are open
  std::uint32_t waiting_ = 0;    ///< updates in the queue of a process that stands still
  std::uint64_t boot_ = 0;
  bool armed_ = false;  ///< the device was opened: it counts
  WorldTime petted_{};
  std::uint64_t resets_ = 0;
};

}  // namespace bascule::sim::cluster
