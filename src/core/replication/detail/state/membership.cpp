#include "core/replication/detail/state/membership.h"

#include "core/replication/detail/disk/generation.h"

namespace bascule::replication::detail {
namespace {

constexpr Duration repeat = milliseconds(500);

}  // namespace

Membership::Membership(Core& core, Metadata& metadata) : core_(core), metadata_(metadata) {}

void Membership::committed(const input::InSyncCommitted& committed) {
  InSyncSet& set = core_.in_sync;
  if (set.absent) return;
  if (set.known && committed.version <= set.version) return;
  const bool had_peer = set.peer_counts();
  set = InSyncSet{true, committed.version, committed.self_member, committed.peer_member, false};
  asking_ = false;
  if (core_.primary() && had_peer != set.peer)
    core_.event(set.peer ? "in-sync-grown" : "in-sync-shrunk",
                "version " + std::to_string(set.version) + (set.peer ? " has the peer" : " is without the peer"));
  core_.changed();
}

bool Membership::wants_shrink() const { return core_.serving && core_.in_sync.peer_counts() && !core_.peer_in_step(); }

bool Membership::wants_grow() const {
  const InSyncSet& set = core_.in_sync;
  if (!set.known || set.peer || core_.disk != DiskState::UpToDate) return false;
  return core_.primary() ? core_.serving && core_.peer_in_step() : vouches();
}

/// While neither writes, a member can tell that the peer has all that it has itself. Whether the volume really has no
/// owner is for the majority to know.
bool Membership::vouches() const {
  return core_.in_sync.self && core_.peer.role == Role::Secondary && core_.peer_in_step() && core_.bitmap.count() == 0;
}

/// Only a node with good data of its own has to tell first, by a generation, that it wrote alone.
bool Membership::may_connect() const {
  return core_.disk != DiskState::UpToDate || !core_.primary() || core_.superblock.bitmap_uuid != 0 ||
         core_.bitmap.count() == 0;
}

void Membership::make_generation() {
  // A handshake under way has told the peer the old one.
  if (core_.session.open && !is_connected(core_.connection))
    core_.drop(ConnectionState::NetworkFailure, "a new generation begins during the handshake");
  new_generation(core_);
  metadata_.superblock_changed();
}

void Membership::advance() {
  if ((core_.primary() && !core_.serving) || core_.dropping) return;
  const bool shrink = wants_shrink();
  if (!shrink && !wants_grow()) {
    asking_ = false;
    return;
  }
  if (asking_ && ask_again_ > core_.now) return;
  asking_ = true;
  ask_again_ = core_.now + repeat;
  if (shrink) {
    core_.emit(effect::RequestShrink{core_.in_sync.version});
  } else {
    if (core_.primary()) core_.in_sync.grow_requested = true;
    core_.emit(effect::RequestGrow{core_.in_sync.version});
  }
  core_.changed();
}

Instant Membership::deadline() const { return asking_ && (core_.serving || !core_.primary()) ? ask_again_ : never; }

}  // namespace bascule::replication::detail
