#include "runtime/sim/cluster/volume.h"

#include <algorithm>

#include "runtime/block_host/engine_config.h"
#include "runtime/sim/cluster/machine.h"
#include "runtime/sim/cluster/world.h"
#include "wire/drbd_metadata/metadata.h"

namespace bascule::sim::cluster {

using namespace replication;  // NOLINT: this file drives that room

namespace {

constexpr std::uint32_t hot_extents = 2;  ///< few, so that extents of a small disk are evicted

}  // namespace

Volume::Volume(World& world, const config::Volume& volume, std::array<Machine*, 2> machines)
    : world_(world),
      name_(volume.name),
      slot_("volume:" + volume.name),
      backing_bytes_(backing_bytes_with_metadata(data_bytes)),
      checker_(data_bytes / sector_bytes) {
  layout_ = drbd_metadata::internal_layout(backing_bytes_).value();
  ReplicaWorld& around = *this;
  for (std::size_t index = 0; index < 2; ++index) {
    blockds_[index] =
        std::make_unique<Blockd>(around, *this, *machines[index], index, data_bytes / sector_bytes, backing_bytes_);
    machines[index]->blockds.push_back(blockds_[index].get());
    format(blockds_[index]->metadata, layout_,
           drbd_metadata::to_superblock(drbd_metadata::create({}, layout_).value()));
  }
  link_.emplace(world.scheduler(), around, std::array<Replica*, 2>{blockds_[0].get(), blockds_[1].get()});
}

Blockd* Volume::on(const Machine& machine) {
  for (const auto& blockd : blockds_)
    if (&blockd->machine() == &machine) return blockd.get();
  return nullptr;
}

Application Volume::make_application(Blockd& blockd) { return {blockd, checker_, numbers_, counts_}; }

Config Volume::engine_config(const Blockd& blockd) {
  const block_host::Options options{world_.scenario().config, blockd.machine_name(), name_, "", ""};
  Config config = block_host::engine_config(block_host::plan_of(options).value(), blockd.machine_name());
  config.backing_bytes = backing_bytes_;
  config.al_extents = hot_extents;
  config.seed = world_.prng().next();
  config.canaries = world_.scenario().engine_canaries;
  return config;
}

Plant Volume::plant() const { return world_.scenario().plant; }

Restored Volume::restored(const Blockd& blockd) const { return restored_from(blockd.metadata, layout_); }

// ---- what happens -----------------------------------------------------------------------------------------------

void Volume::ended(Blockd& blockd, bool power) {
  link_->forget_sockets(blockd.index);
  if (power)
    checker_.power_lost(blockd.index);
  else
    checker_.stopped(blockd.index, false);
  link_->kill(!power || world_.prng().chance(1, 3));
  check_coverage("a blockd ended");
  judge();
}

void Volume::promoted(Blockd& blockd) {
  const Status status = blockd.engine->status();
  world_.promoted(blockd.machine(), *this);
  const bool own_disk = status.disk == drbd::DiskState::UpToDate;
  checker_.promoted(blockd.index, status.epoch, own_disk ? &blockd.data.current() : nullptr);
  judge();
}

void Volume::completed(Blockd& blockd, const effect::Complete& effect) {
  const Status status = blockd.engine->status();
  const Machine& machine = blockd.machine();
  const bool member = agreed_.in_sync.contains(other_than(blockd).machine().name());
  Application::Facts facts;
  facts.epoch = status.epoch;
  facts.lease_valid = machine.lease(slot_).epoch == status.epoch && machine.holds(slot_);
  facts.own_disk = status.disk > drbd::DiskState::Failed;
  facts.on_peer = facts.durable_on_peer = member;
  (void)blockd.application().completed(effect, facts);
  judge();
}

std::optional<input::LeaseRead> Volume::lease(Replica& replica) { return blockd_of(replica).read_lease(); }

void Volume::complete(Replica& replica, const effect::Complete& effect) { blockd_of(replica).answered(effect); }

void Volume::request_shrink(Replica& replica, const effect::RequestShrink&) { blockd_of(replica).changed(); }
void Volume::request_grow(Replica& replica, const effect::RequestGrow&) { blockd_of(replica).changed(); }

void Volume::run_handler(Replica& replica, const effect::RunHandler& effect) {
  if (effect.number == 0) return;
  replica.later(milliseconds(1), [&replica, number = effect.number] { replica.step(input::HandlerDone{number, -1}); });
}

void Volume::event(Replica& replica, const effect::Event& effect) {
  Blockd& blockd = blockd_of(replica);
  world_.volume_told(blockd.machine(), *this, effect);
  const Status status = blockd.engine->status();
  const Blockd& other = other_than(blockd);
  const bool other_connected = other.alive && other.engine->status().connection >= drbd::ConnectionState::Connected;
  if (effect.kind == "peer-connected" && !other_connected) checker_.met();
  if (effect.kind == "resync-started" && status.connection == drbd::ConnectionState::SyncTarget)
    checker_.resync_started(blockd.index, {});
  if (effect.kind == "resync-finished" && status.disk == drbd::DiskState::UpToDate && other.alive &&
      status.role == drbd::Role::Secondary && status.connection == drbd::ConnectionState::Connected &&
      other.engine->status().connection == drbd::ConnectionState::SyncSource)
    checker_.resync_finished(blockd.index, {&blockds_[0]->data.current(), &blockds_[1]->data.current()},
                             ReplicationChecker::Reach::Flushed);
  blockd.happened(effect);
  judge();
}

void Volume::disk_write(Replica& replica, DiskMoment moment, std::uint64_t sector, const StampDisk::Stamps& stamps) {
  if (moment == DiskMoment::Begins) blockd_of(replica).application().begun(sector, stamps);
}

ReplicaWorld::Reach Volume::reach(const Replica& from, const Replica& to) {
  Machine& here = blockds_[from.index]->machine();
  Machine& there = blockds_[to.index]->machine();
  if (!there.on || !world_.linked(here, there) || !world_.linked(there, here)) return Reach::Silent;
  return to.alive ? Reach::Up : Reach::Refused;
}

// ---- what is checked --------------------------------------------------------------------------------------------

void Volume::violation(std::string text) { world_.violation("B", "volume " + name_ + ": " + std::move(text)); }

void Volume::judge() {
  if (!checker_.first_violation().empty()) world_.violation("B", "volume " + name_ + ": " + checker_.first_violation());
}

void Volume::agreed(const store::VolumeState& state) {
  agreed_ = state;
  std::array<bool, 2> members{};
  std::size_t owner = 0;
  for (std::size_t index = 0; index < 2; ++index) {
    members[index] = state.in_sync.contains(blockds_[index]->machine_name());
    if (state.owner == blockds_[index]->machine_name()) owner = index;
  }
  checker_.committed(owner, members);
}

void Volume::check_coverage(const char* when) {
  if (const auto difference = unmarked_difference(placed(0), placed(1), data_bytes))
    world_.violation("B5", "volume " + name_ + ": " + when + ": " + *difference);
}

bool Volume::at_rest() const {
  if (link_->packets_under_way() != 0) return false;
  return std::all_of(blockds_.begin(), blockds_.end(), [](const auto& blockd) {
    if (!blockd->alive || blockd->paused || !blockd->application().idle() || !blockd->in_flight.empty()) return false;
    const Status status = blockd->engine->status();
    return status.disk == drbd::DiskState::UpToDate && status.connection == drbd::ConnectionState::Connected &&
           status.out_of_sync_bytes == 0;
  });
}

void Volume::settled() {
  checker_.settled({&blockds_[0]->data.current(), &blockds_[1]->data.current()});
  judge();
}

void Volume::after_blackout() {
  for (const auto& blockd : blockds_) checker_.after_blackout(blockd->index, blockd->data.current());
  judge();
}

std::string Volume::text() const {
  std::string text = name_ + ":";
  for (const auto& blockd : blockds_) {
    text += " [" + blockd->machine_name();
    if (!blockd->alive) {
      text += " down]";
      continue;
    }
    const Status status = blockd->engine->status();
    text += std::string(" ") + drbd::name_of(status.role) + " " + drbd::name_of(status.connection) + " " +
            drbd::name_of(status.disk) + "/" + drbd::name_of(status.peer_disk) + " out of sync " +
            std::to_string(status.out_of_sync_bytes) + ", open " + std::to_string(blockd->application().open_writes()) +
            ", why: " + status.why + "]";
  }
  return text;
}

}  // namespace bascule::sim::cluster
