#include "core/replication/detail/role_change.h"

#include <cerrno>

#include "core/replication/detail/generation.h"

namespace bascule::replication::detail {

RoleChange::RoleChange(Core& core, Metadata& metadata, ActivityLog& activity_log, Handshake& handshake, Writes& writes,
                       PeerWrites& peer_writes)
    : core_(core),
      metadata_(metadata),
      activity_log_(activity_log),
      handshake_(handshake),
      writes_(writes),
      peer_writes_(peer_writes) {}

// ---- promotion --------------------------------------------------------------------------------------------------

std::string RoleChange::initial_refusal() const {
  const bool peer_has_data = is_connected(core_.connection) && core_.peer.uuids.current != drbd::kUuidJustCreated &&
                             core_.peer.disk >= DiskState::Inconsistent;
  return peer_has_data ? "the peer already has data: this replica is to be synced from it, not the other way" : "";
}

std::string RoleChange::refusal(const input::Promote& promote) const {
  if (core_.disk == DiskState::Attaching) return "the disk is still being attached";
  if (!core_.disk_usable()) return "this node has no usable disk (" + std::string(drbd::name_of(core_.disk)) + ")";
  if (promote.initial && core_.just_created()) return initial_refusal();
  if (core_.disk != DiskState::UpToDate)
    return "this replica is " + std::string(drbd::name_of(core_.disk)) + ": it may lack acknowledged writes";
  if (core_.canary_set(canary::kPromoteNonMember)) return "";
  if (!core_.in_sync.known && !promote.initial) return "the in-sync set is not known yet";
  if (core_.in_sync.known && !core_.in_sync.self)
    return "this replica is not in the in-sync set (version " + std::to_string(core_.in_sync.version) +
           "): it may lack acknowledged writes";
  return "";
}

void RoleChange::refuse(std::string why) {
  core_.why = "cannot be promoted: " + why;
  core_.changed();
  core_.event("takeover-refused", std::move(why));
}

void RoleChange::promote(const input::Promote& promote) {
  if (phase_ == Phase::Finishing || phase_ == Phase::Saving) return refuse("a demotion is under way");
  if (phase_ == Phase::Settled && core_.primary()) {
    core_.epoch = promote.epoch;
    core_.failing_io = false;
    return core_.event("volume-promoted", "epoch " + std::to_string(promote.epoch));
  }
  if (std::string why = refusal(promote); !why.empty()) return refuse(std::move(why));
  wanted_ = promote;
  if (phase_ != Phase::Settled) {
    core_.epoch = promote.epoch;
    return;
  }
  phase_ = Phase::Draining;
  // Whoever was primary until now may not know that it no longer is.
  if (core_.session.open && (core_.peer.role == Role::Primary || !is_connected(core_.connection)))
    core_.drop(ConnectionState::NetworkFailure, "this node becomes Primary");
}

void RoleChange::create_first_generation() {
  if (core_.superblock.effective_sectors == 0) metadata_.set_size(core_.usable_sectors());
  core_.become(DiskState::UpToDate, "the first primary of a new volume");
  new_generation(core_);
}

void RoleChange::become_primary() {
  if (core_.session.open && !is_connected(core_.connection))
    return core_.drop(ConnectionState::NetworkFailure, "this node becomes Primary");
  if (std::string why = refusal(wanted_); !why.empty()) {
    phase_ = Phase::Settled;
    return refuse(std::move(why));
  }
  core_.role = Role::Primary;
  core_.epoch = wanted_.epoch;
  core_.failing_io = false;
  const bool alone = !is_connected(core_.connection) || core_.peer.disk < DiskState::Inconsistent;
  if (core_.just_created())
    create_first_generation();
  else if (alone && !core_.in_sync.peer_counts() && core_.superblock.bitmap_uuid == 0)
    new_generation(core_);
  mark_primary_bit(core_, true);
  version_ = metadata_.superblock_changed();
  phase_ = Phase::Publishing;
}

void RoleChange::serve() {
  phase_ = Phase::Settled;
  core_.serving = true;
  core_.why.clear();
  core_.event("volume-promoted", "epoch " + std::to_string(core_.epoch));
  if (is_connected(core_.connection)) {
    handshake_.send_uuids();
    handshake_.send_state();
  }
}

// ---- demotion ---------------------------------------------------------------------------------------------------

void RoleChange::demote(const input::Demote& demote) {
  if (phase_ == Phase::Draining) {
    phase_ = Phase::Settled;
    refuse("a demotion came first");
  }
  if (!core_.primary()) return core_.event("volume-demoted", "it was Secondary");
  forced_ = forced_ || demote.force;
  if (forced_) {
    core_.serving = false;
    writes_.fail_all(EIO);
    // What the peer has not flushed may be missing there; nothing waits for it.
    if (core_.session.open && !writes_.peer_idle())
      core_.drop(ConnectionState::NetworkFailure, "this node is demoted by force");
  }
  if (phase_ == Phase::Saving) return;
  phase_ = Phase::Finishing;
  writes_.close_epoch();
}

void RoleChange::save() {
  core_.serving = false;
  // Blocks that only this node has, in a generation that the peer shares: as after a crash, the bitmap counts.
  if (core_.bitmap.count() != 0 && core_.superblock.bitmap_uuid == 0) core_.crashed_primary = true;
  metadata_.write_all_bits();
  phase_ = Phase::Saving;
  version_ = 0;
}

void RoleChange::become_secondary() {
  core_.role = Role::Secondary;
  mark_primary_bit(core_, false);
  version_ = metadata_.superblock_changed();
}

void RoleChange::advance() {
  if (core_.dropping) return;
  if (phase_ == Phase::Draining && peer_writes_.idle() && activity_log_.ready()) become_primary();
  if (phase_ == Phase::Publishing && metadata_.superblock_durable(version_)) serve();
  if (phase_ == Phase::Publishing && !core_.disk_usable()) {
    core_.role = Role::Secondary;
    phase_ = Phase::Settled;
    refuse("the disk failed");
  }
  if (phase_ == Phase::Finishing && writes_.idle() && writes_.local_idle() && writes_.peer_idle()) save();
  if (phase_ != Phase::Saving) return;
  const bool lost_disk = !core_.disk_usable();
  if (version_ == 0 && (lost_disk || metadata_.bits_durable(0, core_.bitmap.size()))) become_secondary();
  if (version_ == 0 || !(lost_disk || metadata_.superblock_durable(version_))) return;
  phase_ = Phase::Settled;
  forced_ = false;
  core_.event("volume-demoted", "the bitmap and the superblock are on disk");
  core_.changed();
}

}  // namespace bascule::replication::detail
