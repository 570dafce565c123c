#include "core/replication/detail/session/agreement.h"

#include <algorithm>

#include "core/replication/detail/data/disk_errors.h"
#include "core/replication/detail/disk/generation.h"

namespace bascule::replication::detail {
namespace {

/// A peer that does not want this disk may say nothing at all, as the kernel does.
constexpr std::int64_t negotiation_pings = 10;

}  // namespace

Agreement::Agreement(Core& core, Metadata& metadata, Handshake& handshake, BitmapExchange& exchange,
                     Membership& membership, const StateChanges& state_changes)
    : core_(core),
      metadata_(metadata),
      handshake_(handshake),
      exchange_(exchange),
      membership_(membership),
      state_changes_(state_changes) {}

void Agreement::session_lost() {
  asked_ = both_inconsistent_ = negotiating_ = core_.gave_up_new_disk = false;
  until_ = never;
}

void Agreement::peer_state_received() {
  const bool exchanging =
      core_.connection == ConnectionState::WFBitMapS || core_.connection == ConnectionState::WFBitMapT;
  if (exchanging && core_.peer.disk <= DiskState::Failed)
    return core_.drop(ConnectionState::NetworkFailure, "the peer's disk is gone before the resync began");
  if (core_.connection != ConnectionState::Connected) return;
  if (core_.peer.attaching) core_.resync_retry_at = never;  // another disk than the one that failed
  if (negotiating_) {
    // What has no disk has no generations.
    asked_ |= handshake_.knows_generations() || core_.peer.disk <= DiskState::Failed;
    return;
  }
  const ConnectionState theirs = core_.peer.connection;
  const bool peer_begins = theirs >= ConnectionState::StartingSyncS && theirs <= ConnectionState::WFBitMapT;
  const bool late = core_.gave_up_new_disk && !core_.disk_usable();
  if (core_.peer.attaching || (peer_begins && !late)) asked_ = true;
}

/// A new primary is looked at when its generation is on disk. While an answer of the peer is awaited its state may have
/// overtaken it: what it begins then is what this node has asked for.
bool Agreement::due() {
  if (core_.connection > ConnectionState::Connected) asked_ = false;
  if (state_changes_.busy()) return false;
  if (core_.connection != ConnectionState::Connected || (core_.primary() && !core_.serving)) return false;
  if (core_.disk == DiskState::Negotiating) return std::exchange(asked_, false);
  if (core_.resync_retry_at != never) return false;  // a resync has just failed
  const DiskState own = core_.own_disk();
  const DiskState peer = core_.peer.disk;
  const bool both = own == DiskState::Inconsistent && peer == DiskState::Inconsistent;
  const bool own_first = own == DiskState::UpToDate && peer == DiskState::Inconsistent;
  const bool peer_first = own == DiskState::Inconsistent && peer == DiskState::UpToDate;
  const bool first_data = both_inconsistent_ && (own_first || peer_first);
  if (both)
    both_inconsistent_ = true;
  else if (first_data || (own != DiskState::Inconsistent && peer != DiskState::Inconsistent))
    both_inconsistent_ = false;
  return std::exchange(asked_, false) || first_data;
}

void Agreement::advance() {
  if (core_.dropping) return;
  begin_generation();
  begin_negotiation();
  if (handshake_.take_ready() || due()) act_on(decide(core_));
  if (handshake_.take_new_area() && core_.connection == ConnectionState::Connected) {
    const bool roles_differ = core_.role != core_.peer.role;
    exchange_.begin_on_new_area(roles_differ ? core_.primary() : core_.session.resolve_conflicts);
  }
  if (handshake_.take_skip_initial_sync()) {
    core_.superblock.current_uuid = core_.peer.uuids.current;
    core_.superblock.bitmap_uuid = 0;
    take_for_equal();
  }
  note_exposed_generation();
  note_only_copy();
}

/// The activity log of a node that writes for a Primary without a disk counts after a crash, as a primary's does.
void Agreement::note_only_copy() {
  const bool holds = core_.holds_only_copy();
  if (holds == core_.wrote_for_primary || !core_.disk_usable()) return;
  if (!holds && !metadata_.bits_durable(0, core_.bitmap.size())) return metadata_.write_all_bits();
  core_.wrote_for_primary = holds;
  settled_version_ = metadata_.superblock_changed();
}

bool Agreement::settled() const {
  return !core_.disk_usable() || (!core_.wrote_for_primary && metadata_.superblock_durable(settled_version_));
}

/// The generation that applications of this node see: its own, or without an UpToDate disk the peer's.
void Agreement::note_exposed_generation() {
  const bool own = core_.disk_usable() && !core_.primary();
  if (core_.disk == DiskState::UpToDate)
    core_.wrote_without_disk = false;
  else if (core_.peer_has_data()) {
    core_.exposed_uuid = core_.peer.uuids.current;
    return;
  }
  if (core_.disk == DiskState::UpToDate || own) core_.exposed_uuid = core_.superblock.current_uuid;
}

// ---- a disk that comes while Connected --------------------------------------------------------------------------

void Agreement::begin_negotiation() {
  if (core_.disk != DiskState::Negotiating) {
    negotiating_ = false;
    until_ = never;
  } else if (!negotiating_ && is_connected(core_.connection)) {
    negotiating_ = true;
    core_.gave_up_new_disk = false;
    asked_ = false;
    until_ = core_.now + negotiation_pings * core_.config.ping_timeout;
    handshake_.tell_new_disk();
  }
}

void Agreement::tick() {
  if (until_ > core_.now) return;
  until_ = never;
  give_up_new_disk("the peer does not take this disk: it says nothing about its generations");
}

/// This Primary has written through the peer, and the generations do not tell.
bool Agreement::would_lose_writes(const Verdict& verdict) const {
  return core_.disk == DiskState::Negotiating && core_.primary() && core_.wrote_without_disk &&
         verdict.kind != Verdict::Kind::Target && core_.peer.disk >= DiskState::Negotiating;
}

/// The peer hears of it before the writes that have waited: it marks what this node has no disk for.
void Agreement::give_up_new_disk(std::string why) {
  give_up_disk(core_, std::move(why));
  core_.gave_up_new_disk = true;
  handshake_.send_state_if_changed();
}

/// The two stay Connected, and whoever came with the disk is without it again.
void Agreement::refuse_new_disk(const Verdict& verdict) {
  if (core_.disk == DiskState::Negotiating) return give_up_new_disk("the disk is refused: " + verdict.text);
  core_.event("peer-disk-refused", verdict.text);
  core_.peer.attaching = false;
  core_.peer.disk = DiskState::Diskless;
  core_.changed();
}

/// A Primary that is being promoted makes its generation by itself.
void Agreement::begin_generation() {
  if (!new_generation_due(core_) || (core_.primary() && !core_.serving)) return;
  membership_.make_generation();
  if (is_connected(core_.connection)) handshake_.tell_generations();
}

void Agreement::take_for_equal() {
  peer_has_the_same(core_);
  core_.bitmap.clear_all();
  metadata_.all_bits_changed();
  metadata_.write_all_bits();
  core_.peer.disk = DiskState::UpToDate;
  core_.become(DiskState::UpToDate, "two new replicas without a first resync");
  metadata_.superblock_changed();
}

std::string Agreement::new_current_uuid(bool clear_bitmap) {
  if (core_.disk < DiskState::Inconsistent) return "this node has no disk";
  const bool skip = clear_bitmap && core_.connection == ConnectionState::Connected && core_.just_created();
  if (!skip && core_.connection != ConnectionState::StandAlone)
    return "only while StandAlone, or (with clear-bitmap) of two connected new replicas";
  end_resync_as_source(core_);  // whatever the bitmap counted from goes to history
  new_generation(core_);
  if (skip) {
    handshake_.send_uuids(drbd::uuid_flag::kSkipInitialSync);
    core_.superblock.bitmap_uuid = 0;
    take_for_equal();
  } else if (clear_bitmap) {
    core_.bitmap.clear_all();
    metadata_.all_bits_changed();
    metadata_.write_all_bits();
  }
  metadata_.superblock_changed();
  return "";
}

void Agreement::refuse(const Verdict& verdict) {
  // In a cluster one of two primaries is about to be demoted.
  const bool may_change = !core_.operator_rules() && core_.primary() && core_.peer.role == Role::Primary;
  // Whoever only wanted to know has been told; the other side goes on looking for a peer.
  const bool peer_only_asked = (core_.peer.connection_flags & drbd::connection_flag::kDryRun) != 0;
  core_.drop(ConnectionState::Disconnecting, verdict.text, !may_change && (core_.wish.tentative || !peer_only_asked));
}

void Agreement::act_on(const Verdict& verdict) {
  core_.event("handshake", verdict.text);
  const bool refused = verdict.kind == Verdict::Kind::Refuse;
  const bool connected = core_.connection == ConnectionState::Connected;
  // DRBD forgets the peer's generations when it attaches: it decides when it has heard them anew, and then a state. A
  // peer that would decide to go on is not told.
  const bool tell = connected && core_.peer.attaching && (!refused || verdict.mutual);
  if (tell) handshake_.send_uuids();
  for (const char* handler : verdict.handlers) core_.emit(effect::RunHandler{handler, 0});
  if (refused && tell) handshake_.send_state();
  if (connected && (core_.disk == DiskState::Negotiating || core_.peer.attaching)) {
    if (refused) return refuse_new_disk(verdict);
    if (would_lose_writes(verdict))
      return give_up_new_disk("the disk is refused: the peer's generations do not tell what was written meanwhile");
  }
  if (refused) return refuse(verdict);
  if (verdict.kind == Verdict::Kind::NoSync && core_.primary() && !membership_.may_connect())
    return core_.drop(ConnectionState::NetworkFailure, "writes of this node must be told by a new generation first");
  if (core_.disk_usable() || core_.disk == DiskState::Negotiating) adopt(core_.superblock, verdict.own_uuids);
  core_.peer.uuids = verdict.peer_uuids;
  core_.why.clear();
  core_.wish = {};
  if (!is_connected(core_.connection)) core_.event("peer-connected", verdict.text);
  disk_is_known(verdict);
  if (verdict.kind == Verdict::Kind::NoSync)
    connect_without_sync(verdict);
  else
    exchange_.begin(verdict);
  // What follows on the wire goes by this decision.
  if (tell) handshake_.send_state_if_changed();
}

/// Negotiating ends with the decision: the disk is what the metadata say, or behind the peer's.
void Agreement::disk_is_known(const Verdict& verdict) {
  if (core_.disk != DiskState::Negotiating) return;
  const bool behind = verdict.kind == Verdict::Kind::Target;
  core_.become(behind ? std::min(core_.remembered_disk, DiskState::Outdated) : core_.remembered_disk,
               "decided: " + verdict.text);
}

void Agreement::connect_without_sync(const Verdict& verdict) {
  core_.become(ConnectionState::Connected, verdict.text);
  const auto better = [](DiskState disk) { return disk == DiskState::Outdated || disk == DiskState::Consistent; };
  if (better(core_.peer.disk)) core_.peer.disk = DiskState::UpToDate;
  if (better(core_.disk)) core_.become(DiskState::UpToDate, "equal to the peer's");
  if (core_.disk == DiskState::UpToDate && core_.peer.disk == DiskState::UpToDate) core_.crashed_primary = false;
  if (core_.disk_usable()) metadata_.superblock_changed();
}

}  // namespace bascule::replication::detail
