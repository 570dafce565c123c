#include "runtime/sim/cluster/watchdog_process.h"

#include <cstring>

#include "runtime/watchdog/lease_file.h"

namespace bascule::sim::cluster {
namespace {

constexpr Duration device_timeout = seconds(15);  ///< of the hardware
constexpr std::uint32_t queue_max = 64;

}  // namespace

WatchdogProcess::WatchdogProcess(Scheduler& scheduler, const Clock& clock, std::function<void()> reset)
    : Process(scheduler), clock_(clock), reset_(std::move(reset)) {}

WatchdogProcess::~WatchdogProcess() = default;

void WatchdogProcess::start(const config::ClusterConfig& config) {
  begin_life();
  timing_ = config.timing;
  waiting_ = 0;
  if (!page_) {
    page_ = std::make_unique<watchdog::LeasePage>();
    page_->magic = watchdog::lease_page_magic;
    kernel_.assign(watchdog::lease_slots_max, Instant{});
  }
  add_slots(config);
  ledger_.emplace(*page_, std::max(timing_.lease, timing_.restart_lease));
  pet();
  if (!std::exchange(armed_, true)) {
    petted_ = scheduler().now();
    count_down();
  }
  keep_petting();
}

void WatchdogProcess::add_slots(const config::ClusterConfig& config) {
  for (const auto& name : watchdog::slot_names(config)) {
    if (find(name) != nullptr || page_->slot_count >= watchdog::lease_slots_max) continue;
    std::strncpy(page_->slots[page_->slot_count++].name, name.c_str(), watchdog::slot_name_max);
  }
}

void WatchdogProcess::configure(const config::ClusterConfig& config) {
  bring([this, config] { add_slots(config); });
}

void WatchdogProcess::kill() {
  end_life();
  ledger_.reset();
}

void WatchdogProcess::power_off() {
  kill();
  page_.reset();
  kernel_.clear();
  armed_ = false;
  ++boot_;
}

const watchdog::LeaseSlot* WatchdogProcess::find(const std::string& slot) const {
  for (std::uint32_t i = 0; page_ && i < page_->slot_count; ++i)
    if (slot == page_->slots[i].name) return &page_->slots[i];
  return nullptr;
}

watchdog::Lease WatchdogProcess::lease(const std::string& slot) const {
  const auto* found = find(slot);
  return found == nullptr ? watchdog::Lease{} : watchdog::read_slot(*found);
}

Instant WatchdogProcess::open_until(const std::string& service) const {
  const auto* found = find("service:" + service);
  return found == nullptr ? Instant{} : kernel_[static_cast<std::size_t>(found - page_->slots)];
}

bool WatchdogProcess::tell(watchdog::LeaseUpdate::Kind kind, const std::string& slot, std::uint64_t epoch,
                           Instant end) {
  if (!alive() || (paused() && waiting_ >= queue_max)) return false;
  watchdog::LeaseUpdate update{};
  update.magic = watchdog::lease_page_magic;
  update.kind = kind;
  std::strncpy(update.name, slot.c_str(), watchdog::slot_name_max);
  update.epoch = epoch;
  update.lease_end_ns = to_ns(end);
  if (paused()) ++waiting_;
  bring([this, update] { apply(update); });
  return true;
}

void WatchdogProcess::apply(const watchdog::LeaseUpdate& update) {
  waiting_ = 0;
  Bytes datagram(sizeof update);
  std::memcpy(datagram.data(), &update, sizeof update);
  const auto applied = ledger_->apply(datagram, clock_.local(scheduler().now()));
  if (applied != watchdog::Ledger::Applied::granted && applied != watchdog::Ledger::Applied::released) return;
  kernel_ = ledger_->ends();
  if (on_change) on_change(update.name);
}

// ---- the device -------------------------------------------------------------------------------------------------

void WatchdogProcess::pet() {
  const Instant now = clock_.local(scheduler().now());
  if (!watchdog::overdue_slot(ledger_->ends(), timing_.watchdog_deadline, now)) petted_ = scheduler().now();
}

void WatchdogProcess::keep_petting() {
  later(watchdog::pet_interval, [this] {
    pet();
    keep_petting();
  });
}

void WatchdogProcess::count_down() {
  scheduler().at(petted_ + device_timeout, [this, boot = boot_] {
    if (boot != boot_) return;
    if (scheduler().now() - petted_ < device_timeout) return count_down();
    ++resets_;
    reset_();
  });
}

}  // namespace bascule::sim::cluster
