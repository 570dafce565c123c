#include "core/replication/detail/state/role_change.h"

#include <cerrno>

#include "core/replication/detail/disk/generation.h"

namespace bascule::replication::detail {
namespace {

using Result = drbd::StateChangeResult;

}  // namespace

RoleChange::RoleChange(Core& core, Metadata& metadata, ActivityLog& activity_log, Handshake& handshake, Writes& writes,
                       PeerWrites& peer_writes, StateChanges& state_changes, Fencing& fencing)
    : core_(core),
      metadata_(metadata),
      activity_log_(activity_log),
      handshake_(handshake),
      writes_(writes),
      peer_writes_(peer_writes),
      state_changes_(state_changes),
      fencing_(fencing) {}

// ---- who may become Primary -------------------------------------------------------------------------------------

Refusal RoleChange::initial_refusal() const {
  const bool peer_has_data = is_connected(core_.connection) && core_.peer.uuids.current != drbd::kUuidJustCreated &&
                             core_.peer.disk >= DiskState::Inconsistent;
  if (!peer_has_data) return {};
  return {Result::NoUpToDateDisk, "the peer already has data: this replica is to be synced from it, not the other way"};
}

Refusal RoleChange::cluster_refusal(const input::Promote& promote) const {
  if (!core_.disk_usable())
    return {Result::NoUpToDateDisk, "this node has no usable disk (" + std::string(drbd::name_of(core_.disk)) + ")"};
  if (promote.initial && core_.just_created()) return initial_refusal();
  if (core_.disk != DiskState::UpToDate)
    return {Result::NoUpToDateDisk,
            "this replica is " + std::string(drbd::name_of(core_.disk)) + ": it may lack acknowledged writes"};
  if (core_.canary_set(canary::kPromoteNonMember)) return {};
  if (!core_.in_sync.known && !promote.initial) return {Result::PrimaryNotOutdated, "the in-sync set is not known yet"};
  if (Refusal loss = loss_refusal(); loss.refused()) return loss;
  if (core_.in_sync.known && !core_.in_sync.self)
    return {Result::NoUpToDateDisk, "this replica is not in the in-sync set (version " +
                                        std::to_string(core_.in_sync.version) + "): it may lack acknowledged writes"};
  return {};
}

/// `primary --force` makes any data count (DRBD 8.4: Inconsistent up to Consistent).
bool RoleChange::may_force(const input::Promote& promote) const {
  return (promote.force || promote.initial) && core_.disk >= DiskState::Inconsistent &&
         core_.disk < DiskState::UpToDate && core_.disk != DiskState::DUnknown;
}

drbd::StateChange RoleChange::wanted_change(const input::Promote& promote) const {
  const bool peer_has_it = is_connected(core_.connection) && core_.peer.disk == DiskState::UpToDate;
  const bool forced = may_force(promote) && !peer_has_it;
  const bool taken = takes_consistent_ && core_.disk == DiskState::Consistent;
  const auto change = change_of(Role::Primary);
  return forced || taken ? change | change_of(DiskState::UpToDate) : change;
}

Refusal RoleChange::operator_refusal(const input::Promote& promote) const {
  if (promote.initial && core_.just_created())
    if (Refusal refused = initial_refusal(); refused.refused()) return refused;
  const Refusal refused = refusal_of(judge(core_, wanted_change(promote)));
  if (refused.result != Result::NoUpToDateDisk) return refused;
  return {refused.result,
          "this replica is " + std::string(drbd::name_of(core_.disk)) + " and no up-to-date data is accessible"};
}

/// Protocol A and B acknowledge before the peer has written: who takes over without it may lack the tail.
bool RoleChange::may_lack_tail() const {
  const bool peer_may_have_more = core_.in_sync.known && core_.in_sync.peer_counts() &&
                                  (!is_connected(core_.connection) || core_.peer.role == Role::Primary);
  return core_.config.options.net.protocol != drbd_config::Protocol::C && peer_may_have_more && !core_.just_created();
}

Refusal RoleChange::loss_refusal() const {
  if (!may_lack_tail() || core_.config.accept_loss) return {};
  return {
      Result::NoUpToDateDisk,
      "protocol A or B: the last writes that the peer acknowledged may be missing here, and accept-loss is not set"};
}

void RoleChange::tell_possible_loss() {
  if (core_.operator_rules() || !may_lack_tail()) return;
  const std::uint64_t fill_bytes = std::uint64_t{core_.config.options.net.congestion_fill_sectors} * 512;
  const std::string amount = fill_bytes != 0
                                 ? "about " + std::to_string(fill_bytes) + " bytes at most (congestion-fill)"
                                 : std::string("an unknown amount (congestion-fill is not set)");
  core_.event("takeover-may-lose", amount + " that the peer acknowledged may never have come here");
}

Refusal RoleChange::refusal(const input::Promote& promote) const {
  if (core_.disk == DiskState::Attaching || core_.disk == DiskState::Negotiating)
    return {Result::InTransientState, "the disk is still being attached"};
  return core_.operator_rules() ? operator_refusal(promote) : cluster_refusal(promote);
}

void RoleChange::refuse(const Refusal& refusal) {
  core_.why = "cannot be promoted: " + refusal.why;
  core_.changed();
  core_.event("takeover-refused", refusal.why);
  for (const CommandId command : promoting_) core_.answer(command, refusal.result, refusal.why);
  promoting_.clear();
}

// ---- promotion --------------------------------------------------------------------------------------------------

void RoleChange::promote(const input::Promote& promote) {
  promoting_.push_back(promote.command);
  if (phase_ == Phase::Finishing || phase_ == Phase::Saving)
    return refuse({Result::InTransientState, "a demotion is under way"});
  if (phase_ == Phase::Settled && core_.primary()) {
    core_.epoch = promote.epoch;
    core_.failing_io = false;
    promoting_.clear();
    core_.answer(promote.command, Result::NothingToDo);
    return core_.event("volume-promoted", "epoch " + std::to_string(promote.epoch));
  }
  // A handshake, the fence-peer handler, or patience may change an operator's answer.
  if (const Refusal refused = refusal(promote); refused.refused() && !core_.operator_rules()) return refuse(refused);
  if (phase_ == Phase::Settled) return begin_promotion(promote);
  wanted_ = promote;
  if (phase_ == Phase::Publishing || phase_ == Phase::Draining) core_.epoch = promote.epoch;
}

void RoleChange::begin_promotion(const input::Promote& promote) {
  wanted_ = promote;
  phase_ = Phase::Draining;
  asked_twice_ = fenced_once_ = takes_consistent_ = false;
  again_at_ = Instant{};
  if (core_.operator_rules()) return;
  // Whoever was primary until now may not know that it no longer is.
  if (core_.session.open && (core_.peer.role == Role::Primary || !is_connected(core_.connection)))
    core_.drop(ConnectionState::NetworkFailure, "this node becomes Primary");
}

/// DRBD's second and third step: a handler may find out that the peer is out of the way, and --force says that it is.
bool RoleChange::may_help(const Refusal& refused) {
  const bool unknown_peer = refused.result == Result::PrimaryNotOutdated;
  const bool undecided = refused.result == Result::NoUpToDateDisk && core_.disk == DiskState::Consistent;
  if (is_connected(core_.connection) || fenced_once_ || !(unknown_peer || undecided)) return false;
  fenced_once_ = true;
  phase_ = Phase::AwaitingFence;
  fencing_.fence("this node is to become Primary and does not know what the peer has");
  return true;
}

void RoleChange::fenced(bool peer_is_fenced) {
  phase_ = Phase::Draining;
  takes_consistent_ = peer_is_fenced;
  if (!peer_is_fenced && wanted_.force && !is_connected(core_.connection)) core_.peer.disk = DiskState::Outdated;
}

/// Nothing of the peer is on its way to the disk, no handshake is under way: now, or the peer has to agree first.
void RoleChange::decide() {
  if (!core_.operator_rules()) return become_primary();
  if (core_.handshaking() || again_at_ > core_.now) return;
  if (const Refusal refused = refusal(wanted_); refused.refused()) {
    if (refused.result == Result::TwoPrimaries && !asked_twice_) return wait_for_demotion();
    if (may_help(refused)) return;
    phase_ = Phase::Settled;
    return refuse(refused);
  }
  if (!is_connected(core_.connection)) return become_primary();
  if (state_changes_.busy()) return;
  phase_ = Phase::Asking;
  state_changes_.ask(wanted_change(wanted_), false);
}

/// The peer may be about to become Secondary.
void RoleChange::wait_for_demotion() {
  asked_twice_ = true;
  again_at_ = core_.now + core_.config.ping_timeout + milliseconds(100);
}

void RoleChange::answered(Result result) {
  phase_ = Phase::Draining;
  if (result >= Result::Success) return become_primary();
  if (result == Result::Unknown) return;  // judged anew, without the peer
  if (result == Result::TwoPrimaries && !asked_twice_) return wait_for_demotion();
  phase_ = Phase::Settled;
  const bool both = result == Result::TwoPrimaries;
  refuse({both ? result : Result::RefusedByPeer, std::string("the peer says: ") + words_of(result)});
}

void RoleChange::become_primary() {
  if (core_.handshaking()) return core_.drop(ConnectionState::NetworkFailure, "this node becomes Primary");
  if (const Refusal refused = refusal(wanted_); refused.refused()) {
    phase_ = Phase::Settled;
    return refuse(refused);
  }
  tell_possible_loss();
  const bool forced = core_.operator_rules() && (wanted_change(wanted_).mask & drbd::kDiskField.mask) != 0;
  core_.role = Role::Primary;
  core_.epoch = wanted_.epoch;
  core_.failing_io = false;
  core_.wish.discard_my_data = false;
  begin_generation(!is_connected(core_.connection) || core_.peer.disk < DiskState::Inconsistent, forced);
  mark_primary_bit(core_, true);
  version_ = metadata_.superblock_changed();
  phase_ = Phase::Publishing;
}

void RoleChange::begin_generation(bool alone, bool forced) {
  if (!core_.disk_usable()) return;
  if (core_.just_created() && (forced || wanted_.initial)) return create_first_generation();
  if (forced) core_.become(DiskState::UpToDate, takes_consistent_ ? "the peer is fenced" : "the operator forces it");
  if (forced || (alone && !core_.in_sync.peer_counts() && core_.superblock.bitmap_uuid == 0)) new_generation(core_);
}

void RoleChange::create_first_generation() {
  if (core_.superblock.effective_sectors == 0) metadata_.set_size(core_.usable_sectors());
  core_.become(DiskState::UpToDate, "the first primary of a new volume");
  new_generation(core_);
}

void RoleChange::serve() {
  phase_ = Phase::Settled;
  core_.serving = true;
  core_.why.clear();
  core_.event("volume-promoted", "epoch " + std::to_string(core_.epoch));
  for (const CommandId command : promoting_) core_.answer(command, Result::Success);
  promoting_.clear();
  if (is_connected(core_.connection)) {
    handshake_.tell_generations();
    handshake_.send_state();
  }
}

// ---- demotion ---------------------------------------------------------------------------------------------------

void RoleChange::demote(const input::Demote& demote) {
  if (phase_ == Phase::Draining || phase_ == Phase::AwaitingFence || phase_ == Phase::Asking) {
    if (phase_ == Phase::Asking) {
      state_changes_.forget();
      handshake_.send_state();  // the peer may have agreed already
    }
    phase_ = Phase::Settled;
    refuse({Result::InTransientState, "a demotion came first"});
  }
  if (!core_.primary()) {
    core_.answer(demote.command, Result::NothingToDo);
    return core_.event("volume-demoted", "it was Secondary");
  }
  demoting_.push_back(demote.command);
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

/// The bits are durable and no Primary is recorded: the extents mean nothing any more. A later Primary that crashes is
/// to resync what it wrote, not also what was written before it.
void RoleChange::cool_down() {
  if (core_.disk_usable() && !core_.metadata_held && !activity_log_.empty() && activity_log_.unused())
    activity_log_.reset();
}

void RoleChange::advance_promotion() {
  if (phase_ == Phase::Asking)
    if (const auto result = state_changes_.take()) answered(*result);
  if (phase_ == Phase::AwaitingFence && (is_connected(core_.connection) || !fencing_.running()))
    fenced(fencing_.take().value_or(false));
  if (phase_ == Phase::Draining && peer_writes_.idle() && activity_log_.ready()) decide();
  if (phase_ != Phase::Publishing) return;
  const bool without_disk = core_.operator_rules() && core_.peer_has_data();
  if (core_.disk_usable() ? metadata_.superblock_durable(version_) : without_disk) return serve();
  if (core_.disk_usable()) return;
  core_.role = Role::Secondary;
  phase_ = Phase::Settled;
  refuse({Result::NoUpToDateDisk, "the disk failed"});
}

void RoleChange::advance() {
  if (core_.dropping) return;
  advance_promotion();
  if (phase_ == Phase::Finishing && writes_.idle() && writes_.local_idle() && writes_.peer_idle()) save();
  if (phase_ != Phase::Saving) return;
  const bool lost_disk = !core_.disk_usable();
  if (version_ == 0 && (lost_disk || metadata_.bits_durable(0, core_.bitmap.size()))) become_secondary();
  if (version_ == 0 || !(lost_disk || metadata_.superblock_durable(version_))) return;
  demoted();
}

void RoleChange::demoted() {
  phase_ = Phase::Settled;
  forced_ = false;
  cool_down();
  core_.event("volume-demoted", "the bitmap and the superblock are on disk");
  for (const CommandId command : demoting_) core_.answer(command, Result::Success);
  demoting_.clear();
  core_.changed();
}

}  // namespace bascule::replication::detail
