#include "core/replication/detail/session/after_split_brain.h"

#include "wire/drbd/packets.h"

namespace bascule::replication::detail {
namespace {

using drbd_config::AfterSplitBrain0;
using drbd_config::AfterSplitBrain1;
using drbd_config::AfterSplitBrain2;

bool was_primary(const SplitBrain::Side& side) { return (side.bitmap_uuid & drbd::kUuidPrimaryBit) != 0; }

Victim by_tie(const SplitBrain& in) { return in.resolve_conflicts ? Victim::Own : Victim::Peer; }

/// Nobody when both have changed something.
Victim unchanged_side(const SplitBrain& in) {
  const bool own = in.own.changed_bits == 0;
  const bool peer = in.peer.changed_bits == 0;
  if (own && peer) return by_tie(in);
  if (own) return Victim::Own;
  return peer ? Victim::Peer : Victim::Nobody;
}

Victim less_changed_side(const SplitBrain& in) {
  if (in.own.changed_bits == in.peer.changed_bits) return by_tie(in);
  return in.own.changed_bits < in.peer.changed_bits ? Victim::Own : Victim::Peer;
}

/// The younger Primary is the side that became Primary after the generations had parted: its old generation does not
/// say "was Primary". Where that does not tell them apart, the number of changes does.
Victim younger_primary(const SplitBrain& in) {
  if (was_primary(in.own) == was_primary(in.peer)) return less_changed_side(in);
  return was_primary(in.own) ? Victim::Peer : Victim::Own;
}

Victim older_primary(const SplitBrain& in) {
  if (was_primary(in.own) == was_primary(in.peer)) return less_changed_side(in);
  return was_primary(in.own) ? Victim::Own : Victim::Peer;
}

Victim with_no_primary(AfterSplitBrain0 policy, const SplitBrain& in) {
  switch (policy) {
    case AfterSplitBrain0::disconnect:
      return Victim::Nobody;
    case AfterSplitBrain0::discard_younger_primary:
      return younger_primary(in);
    case AfterSplitBrain0::discard_older_primary:
      return older_primary(in);
    case AfterSplitBrain0::discard_zero_changes:
      return unchanged_side(in);
    case AfterSplitBrain0::discard_least_changes:
      return less_changed_side(in);
    case AfterSplitBrain0::discard_local:
      return Victim::Own;
    case AfterSplitBrain0::discard_remote:
      return Victim::Peer;
  }
  return Victim::Nobody;
}

/// The 0pri decision, unless it makes a Primary lose.
SplitBrainOutcome spare_primaries(const SplitBrain& in, Victim victim) {
  if (victim == Victim::Own && in.own.role == Role::Primary) return {Victim::Nobody, true};
  return {victim, false};
}

SplitBrainOutcome with_one_primary(const drbd_config::Net& policies, const SplitBrain& in) {
  const Victim decided = with_no_primary(policies.after_sb_0pri, in);
  const Victim secondary = in.own.role == Role::Primary ? Victim::Peer : Victim::Own;
  switch (policies.after_sb_1pri) {
    case AfterSplitBrain1::disconnect:
      return {};
    case AfterSplitBrain1::consensus:
      return {decided == secondary ? decided : Victim::Nobody, false};
    case AfterSplitBrain1::discard_secondary:
      return {secondary, false};
    case AfterSplitBrain1::violently_as0p:
      return {decided, false};
    case AfterSplitBrain1::call_pri_lost_after_sb:
      return spare_primaries(in, decided);
  }
  return {};
}

SplitBrainOutcome with_two_primaries(const drbd_config::Net& policies, const SplitBrain& in) {
  const Victim decided = with_no_primary(policies.after_sb_0pri, in);
  switch (policies.after_sb_2pri) {
    case AfterSplitBrain2::disconnect:
      return {};
    case AfterSplitBrain2::violently_as0p:
      return {decided, false};
    case AfterSplitBrain2::call_pri_lost_after_sb:
      return spare_primaries(in, decided);
  }
  return {};
}

}  // namespace

SplitBrainOutcome after_split_brain(const drbd_config::Net& policies, const SplitBrain& situation) {
  const bool own = situation.own.role == Role::Primary;
  const bool peer = situation.peer.role == Role::Primary;
  if (own && peer) return with_two_primaries(policies, situation);
  if (own || peer) return with_one_primary(policies, situation);
  return {with_no_primary(policies.after_sb_0pri, situation), false};
}

}  // namespace bascule::replication::detail
