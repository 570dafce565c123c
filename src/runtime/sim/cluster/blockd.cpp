#include "runtime/sim/cluster/blockd.h"

#include <cerrno>
#include <utility>

#include "runtime/sim/cluster/machine.h"
#include "runtime/sim/cluster/volume.h"
#include "runtime/sim/cluster/world.h"

namespace bascule::sim::cluster {

using namespace replication;  // NOLINT: this file drives that room

namespace {

constexpr Duration counter_interval = milliseconds(50);  ///< as runtime/block_host
constexpr RequestId planted_request = RequestId{1} << 63;
constexpr const char* another_change = "another change is under way";

/// What a listener is told at once when it changes; the rest are counters.
bool same_but_counters(const manager::VolumeState& one, const manager::VolumeState& other) {
  const auto& a = one.report;
  const auto& b = other.report;
  return a.epoch == b.epoch && a.attached == b.attached && a.role == b.role && a.connection == b.connection &&
         a.disk == b.disk && a.peer_disk == b.peer_disk && a.just_created == b.just_created &&
         a.size_bytes == b.size_bytes && a.device == b.device && a.why == b.why &&
         a.resync_total_bytes == b.resync_total_bytes && (a.writes_held != 0) == (b.writes_held != 0) &&
         one.promoted_epoch == other.promoted_epoch && one.in_sync_version == other.in_sync_version &&
         one.wants_shrink == other.wants_shrink && one.wants_grow == other.wants_grow;
}

}  // namespace

Blockd::Blockd(ReplicaWorld& around, Volume& volume, Machine& machine, std::size_t which, std::uint64_t data_sectors,
               std::uint64_t metadata_bytes)
    : Replica(around, machine.world.scheduler(), machine.clock, which, data_sectors, metadata_bytes),
      volume_(volume),
      machine_(machine) {}

const std::string& Blockd::machine_name() const { return machine_.name(); }

// ---- life -------------------------------------------------------------------------------------------------------

void Blockd::begin() {
  if (alive || !machine_.on) return;
  if (machine_.frozen) return machine_.when_it_goes_on([this] { begin(); });
  if (!application_) application_.emplace(volume_.make_application(*this));
  lease_ = {};
  told_ = {};
  in_sync_version_ = 0;
  state_changed_ = true;
  start(volume_.engine_config(*this), volume_.restored(*this));
}

void Blockd::end(bool power) {
  if (!alive) {
    if (!power) return;
    power_loss();
    return volume_.ended(*this, true);
  }
  stop();
  if (power) power_loss();
  application_->forget();
  primary_ = false;
  transition_.reset();
  withheld_.clear();
  failed_io_ = counters_timer_ = counters_changed_ = false;
  device_state_ = Device::Detached;
  ++device_turn_;
  device_.clear();
  volume_.ended(*this, power);
  if (!power) machine_.agents.device_gone(volume_.name());
  machine_.manager.later(control_delay, [this] { machine_.manager.block_lost(volume_.name()); });
}

// ---- promotion --------------------------------------------------------------------------------------------------

void Blockd::promote(std::uint64_t epoch, bool initial) {
  if (transition_) return tell(manager::input::VolumeRefused{volume_.name(), "promote", another_change});
  transition_ = Transition{true, epoch};
  step(input::Promote{epoch, initial, false, 0});
}

void Blockd::promoted() {
  primary_ = true;
  epoch_ = transition_ && transition_->promote ? transition_->epoch : engine->status().epoch;
  state_changed_ = true;
  volume_.promoted(*this);
  write_what_was_kept();
  if (device_state_ == Device::Attached) return finish("");
  attach_device();
}

void Blockd::attach_device() {
  device_state_ = Device::Attaching;
  later(between(milliseconds(3), milliseconds(25)), [this, turn = ++device_turn_] {
    if (turn != device_turn_) return;
    device_state_ = Device::Attached;
    device_ = "/dev/loop-" + volume_.name() + "-" + std::to_string(epoch_);
    state_changed_ = true;
    finish("");
    tell_state();
  });
}

// ---- demotion ---------------------------------------------------------------------------------------------------

void Blockd::demote(bool force) {
  if (force && transition_) finish(another_change);
  if (transition_) return tell(manager::input::VolumeRefused{volume_.name(), "demote", another_change});
  transition_ = Transition{false, 0};
  if (!primary_ && !force) return finish("");
  if (!force) return demote_gently();
  abandon_device();
  fail_withheld();
  step(input::Demote{true, 0});
}

void Blockd::abandon_device() {
  ++device_turn_;
  device_state_ = Device::Detached;
  if (std::exchange(device_, "").empty()) return;
  state_changed_ = true;
  machine_.agents.device_gone(volume_.name());
}

/// The device goes first, while its last writes can still be served.
void Blockd::demote_gently() {
  device_state_ = Device::Detaching;
  later(between(milliseconds(1), milliseconds(10)), [this, turn = ++device_turn_] {
    if (turn != device_turn_ || !transition_ || transition_->promote) return;
    const bool in_use = machine_.agents.uses(volume_.name()) || !application_->idle();
    device_state_ = in_use ? Device::Attached : Device::Detached;
    state_changed_ = true;
    if (in_use) return finish("the device is open");
    device_.clear();
    step(input::Demote{false, 0});
  });
}

void Blockd::demoted() {
  primary_ = false;
  fail_withheld();
  state_changed_ = true;
  abandon_device();
  if (transition_ && transition_->promote) return finish("it was demoted meanwhile");
  finish("");
}

void Blockd::finish(const std::string& refusal) {
  if (!transition_) return;
  const Transition finished = *std::exchange(transition_, std::nullopt);
  if (!refusal.empty())
    tell(manager::input::VolumeRefused{volume_.name(), finished.promote ? "promote" : "demote", refusal});
}

// ---- other requests ---------------------------------------------------------------------------------------------

void Blockd::fail_io() {
  step(input::FailHeldIo{});
  fail_withheld();
}

void Blockd::in_sync(std::uint64_t version, bool self_member, bool peer_member) {
  in_sync_version_ = std::max(in_sync_version_, version);
  state_changed_ = true;
  step(input::InSyncCommitted{version, self_member, peer_member});
  if (volume_.plant() != Plant::CarelessManager || self_member) return;
  later(seconds(1), [this] { step(input::Promote{volume_.agreed_state().epoch, false, false, 0}); });
}

void Blockd::peer_lost(const std::string& reason) { step(input::PeerLostHint{reason}); }

// ---- what the engine tells --------------------------------------------------------------------------------------

void Blockd::happened(const effect::Event& event) {
  state_changed_ = true;
  if (event.kind == "volume-promoted") promoted();
  if (event.kind == "volume-demoted") demoted();
  if (event.kind == "takeover-refused") finish(event.text);
  if (event.kind == "demote-refused") {
    finish(event.text);
    if (primary_ && device_state_ == Device::Detached) attach_device();
  }
}

bool Blockd::lease_valid() const {
  const watchdog::Lease lease = machine_.lease(volume_.slot());
  return lease.epoch == epoch_ && local() < lease.end;
}

std::optional<input::LeaseRead> Blockd::read_lease() {
  const watchdog::Lease lease = machine_.lease(volume_.slot());
  if (lease.epoch == lease_.epoch && lease.end == lease_.end) return std::nullopt;
  lease_ = lease;
  return input::LeaseRead{lease.epoch, lease.end};
}

// The engine allowed this answer a moment ago; the last look at the lease is here.
void Blockd::answered(const effect::Complete& effect) {
  if ((effect.request & planted_request) != 0) return;
  if (volume_.plant() == Plant::NoSecondLookAtTheLease) return deliver(effect);
  const bool changes = effect.error_number == 0 && !application_->reads(effect.request);
  if (!changes || lease_valid()) return deliver(effect);
  if (primary_) {
    withheld_.push_back(effect);
    state_changed_ = true;
  } else {
    deliver({effect.request, EIO});
  }
}

void Blockd::deliver(const effect::Complete& effect) {
  if (effect.error_number != 0) keep_for_later(effect);
  counters_changed_ = true;
  volume_.completed(*this, effect);
  if (effect.error_number == 0) return;
  failed_io_ = true;
  machine_.agents.io_failed(volume_.name());
}

void Blockd::keep_for_later(const effect::Complete& effect) {
  const auto stamp = application_->stamp_of(effect.request);
  if (volume_.plant() == Plant::HeldWritesAfterTakeover && stamp) kept_.push_back(*stamp);
}

void Blockd::write_what_was_kept() {
  for (const std::uint64_t stamp : std::exchange(kept_, {})) {
    const auto& write = volume_.write_of(stamp);
    const BufferId buffer = new_buffer(Stamps(write.sectors, stamp));
    step(input::Write{planted_request | stamp, write.sector * sector_bytes,
                      static_cast<std::uint32_t>(write.sectors * sector_bytes), buffer, false});
  }
}

void Blockd::deliver_withheld() {
  if (withheld_.empty() || !lease_valid()) return;
  for (const auto& answer : std::exchange(withheld_, {})) deliver(answer);
  state_changed_ = true;
}

void Blockd::fail_withheld() {
  for (const auto& answer : std::exchange(withheld_, {})) deliver({answer.request, EIO});
}

void Blockd::turned() {
  deliver_withheld();
  tell_state();
}

// ---- listeners --------------------------------------------------------------------------------------------------

manager::VolumeState Blockd::state() const {
  const Status status = engine->status();
  manager::VolumeState state;
  auto& report = state.report;
  report.name = volume_.name();
  report.epoch = status.epoch;
  report.attached = status.disk > drbd::DiskState::Failed;
  report.role = drbd::name_of(status.role);
  report.connection = drbd::name_of(status.connection);
  report.disk = drbd::name_of(status.disk);
  report.peer_disk = drbd::name_of(status.peer_disk);
  report.just_created = status.just_created;
  report.size_bytes = status.size_bytes;
  report.out_of_sync_bytes = status.out_of_sync_bytes;
  report.resync_done_bytes = status.resync_done_bytes;
  report.resync_total_bytes = status.resync_total_bytes;
  report.writes_acknowledged = status.writes_acknowledged;
  report.writes_held = status.writes_held + static_cast<std::uint32_t>(withheld_.size());
  report.device = device_;
  report.why = status.why;
  if (status.role == drbd::Role::Primary) state.promoted_epoch = status.epoch;
  state.peer = volume_.other_than(*this).machine().name();
  state.in_sync_version = in_sync_version_;
  state.wants_shrink = status.wants_shrink;
  state.wants_grow = status.wants_grow;
  state.failed_io = failed_io_;
  return state;
}

void Blockd::tell(manager::Input input) {
  auto& manager = machine_.manager;
  manager.later(control_delay, [&manager, input = std::move(input)] { manager.step(input); });
}

void Blockd::tell_whole_state() {
  told_ = state();
  counters_changed_ = false;
  next_counters_ = scheduler.now() + counter_interval;
  tell(manager::input::VolumeChanged{volume_.name(), true, told_});
}

/// What people act on is told at once, counters at most every 50 ms.
void Blockd::tell_state() {
  if (!machine_.manager.hears(volume_.name())) {
    state_changed_ = counters_changed_ = false;
    return;
  }
  if (std::exchange(state_changed_, false)) {
    counters_changed_ = true;
    if (!same_but_counters(state(), told_)) return tell_whole_state();
  }
  if (!counters_changed_ || counters_timer_) return;
  if (scheduler.now() >= next_counters_) return tell_whole_state();
  counters_timer_ = true;
  later(next_counters_ - scheduler.now(), [this] {
    counters_timer_ = false;
    if (counters_changed_) tell_whole_state();
  });
}

}  // namespace bascule::sim::cluster
